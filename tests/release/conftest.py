"""The box for the release binaries to talk to: the runner, which invokes them over the Invoke API as it does with
`cargo lambda watch`. KNOCKBACK_BINARIES is where `sam build` has put them, KNOCKBACK_RUNNER is the runner."""

import os
import pathlib
import subprocess
import threading

import pytest
from lambda_api import Lambda

BUILT = pathlib.Path(os.environ["KNOCKBACK_BINARIES"])
BINARIES = {name: BUILT / name / "bootstrap" for name in ("Api", "Fanout", "Deliver", "Sweeper", "Notify")}
PLATFORM_TOKEN = "the-platform-of-these-tests"


@pytest.fixture(scope="session")
def functions(tmp_path_factory):
    """All functions, not started yet, and the box behind them."""
    data = tmp_path_factory.mktemp("data")
    functions = Lambda({name.lower(): binary for name, binary in BINARIES.items()})
    command = [os.environ["KNOCKBACK_RUNNER"], "--data", str(data), "--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0",
               "--invoke", functions.url, "--platform-token", PLATFORM_TOKEN]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    # A runner that says nothing is ended, and then its output is.
    deadline = threading.Timer(60, runner.kill)
    deadline.start()
    # What it prints last: all that it starts is there.
    is_up = any("cargo lambda watch" in line for line in runner.stdout)
    deadline.cancel()
    assert is_up, "the runner did not start"
    lines = (data / "functions.env").read_text().splitlines()
    functions.environment = {name: value.strip('"') for name, value in (line.split("=", 1) for line in lines)}
    yield functions
    runner.terminate()
    functions.stop()
    runner.wait()
