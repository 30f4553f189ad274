"""The binaries that are deployed: how large they are, what they ask of the system, how soon they take their first event.

KNOCKBACK_BINARIES is where `sam build` has put them, KNOCKBACK_RUNNER the runner, whose box they talk to. The figures are
printed, and those that were measured for infra/notes/binaries.md are in there.
"""

import os
import pathlib
import re
import statistics
import subprocess
import zipfile

import pytest
from lambda_api import Function

BUILT = pathlib.Path(os.environ["KNOCKBACK_BINARIES"])
BINARIES = {name: BUILT / name / "bootstrap" for name in ("Api", "Fanout", "Deliver", "Sweeper", "Notify")}
ARM64 = pathlib.Path(os.environ["KNOCKBACK_ARM64"])
STARTS = 15


@pytest.mark.parametrize("name", BINARIES)
def test_a_function_is_less_than_four_megabytes_to_upload(name, tmp_path):
    packed = tmp_path / "function.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(BINARIES[name], "bootstrap")
    print(f"\n{name}: {BINARIES[name].stat().st_size / 1e6:.1f} MB, zipped {packed.stat().st_size / 1e6:.1f} MB", end="")
    assert packed.stat().st_size < 4_000_000


@pytest.mark.parametrize("binary", [*BINARIES.values(), ARM64], ids=[*BINARIES, "arm64"])
def test_a_function_asks_for_no_newer_glibc_than_amazon_linux_has(binary):
    versions = {(int(major), int(minor)) for major, minor in re.findall(rb"GLIBC_(\d+)\.(\d+)", binary.read_bytes())}
    assert versions, "it says what it asks for"
    print(f"\nglibc {'.'.join(map(str, max(versions)))}", end="")
    assert max(versions) <= (2, 34)


def test_a_function_for_arm64_is_one():
    header = ARM64.read_bytes()[:20]
    assert header[:4] == b"\x7fELF" and int.from_bytes(header[18:20], "little") == 0xB7


@pytest.fixture(scope="session")
def environment():
    """What a function is given on Lambda, with the box for AWS."""
    command = [os.environ["KNOCKBACK_RUNNER"], "--memory", "--quiet", "--listen", "127.0.0.1:0", "--aws-listen", "127.0.0.1:0"]
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for line in runner.stdout:
        if box := re.search(r"AWS.*(http://127\.0\.0\.1:\d+)", line):
            break
    else:
        raise RuntimeError("the runner did not say where its box is")
    queue = f"{box[1]}/000000000000"
    yield {
        "AWS_ENDPOINT_URL": box[1],
        "AWS_REGION": "us-east-1",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "WEBHOOKS_TABLE": "WebhooksTable",
        "DELIVERIES_TABLE": "DeliveriesTable",
        "EVENTS_QUEUE_URL": f"{queue}/EventsQueue",
        "DELIVERIES_QUEUE_URL": f"{queue}/DeliveriesQueue",
        "RETRIES_QUEUE_URL": f"{queue}/RetriesQueue",
        "BUS_NAME": "knockback-events",
        "KEY_RING": "KeyRing",
        "MAIL_FROM": "hooks@example.com",
        "PLATFORM_TOKEN_SHA256": "0" * 64,
    }
    runner.terminate()
    runner.wait()


@pytest.mark.parametrize("name", BINARIES)
def test_a_function_takes_its_first_event_within_fifteen_milliseconds_of_its_start(name, environment):
    took = []
    for _ in range(STARTS):
        with Function(BINARIES[name], environment) as function:
            took.append(function.started_in * 1000)
    print(f"\n{name}: first poll after {statistics.median(took):.1f} ms ({min(took):.1f} to {max(took):.1f})", end="")
    assert statistics.median(took) < 15
