# What the tiers share; they source it.

# Says why a tier cannot go on, and ends it.
fail() {
    echo "${0##*/}: $*" >&2
    exit 1
}

# Ends the tier unless a program is there: need PROGRAM WHAT-FOR
need() {
    command -v "$1" >/dev/null || fail "cannot run: $1 is missing ($2)"
}

# Runs a command, and shows it first.
step() {
    echo "--- $*"
    "$@"
}

# Runs a command in a process group of its own, so that whatever it has started ends with the tier, however that ends.
# A tier that has more to clean up says so in a function `clean_up`.
in_a_group() {
    set -m
    "$@" &
    group=$!
    set +m
    trap 'kill -- "-$group" 2>/dev/null || true; ! declare -F clean_up >/dev/null || clean_up' EXIT
    trap 'exit 1' INT TERM HUP
    wait "$group"
}

# Prints the command of a code block of README.md that begins with the given words, as it stands there.
readme_command() {
    local command
    command=$(awk -v begin="$1" '
        /^```/ { inside = !inside; next }
        inside && index($0, begin) == 1 { print; exit }
    ' README.md) || fail "README.md cannot be read"
    [[ -n $command ]] || fail "no code block of README.md has a line that begins with: $1"
    echo "$command"
}

# Ends the tier unless there is a Python that makes environments of its own.
need_python() {
    need python3 "version 3.10 or later, with venv"
    python3 -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))' \
        || fail "cannot run: $(python3 --version) is older than 3.10, or has no venv"
}

# Installs the tools that tiers share (.ci/requirements.txt: SAM, cargo-lambda with zig, cfn-lint, ministack), unless the
# very same are there, and puts them first on PATH. The list is whole and pinned, so pip decides nothing.
tools() {
    need_python
    local venv=$1
    if ! cmp -s .ci/requirements.txt "$venv/installed"; then
        rm -rf "$venv"
        step python3 -m venv "$venv"
        step "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps -r .ci/requirements.txt
        cp .ci/requirements.txt "$venv/installed"
    fi
    export PATH="$venv/bin:$PATH"
}

# Prints where cargo puts what it builds.
target_directory() {
    need python3 "it reads what cargo says of the workspace"
    cargo metadata --no-deps --locked --format-version 1 \
        | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])'
}

# Prints a port of this machine that nobody listens on.
free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Builds the functions as they are deployed, for this machine's kind of processor. What is built already is not built again.
release_binaries() {
    [[ $(uname -m) == x86_64 ]] || fail "cannot run: the functions are built for x86_64 here, and this is $(uname -m)"
    step sam build --parameter-overrides Architecture=x86_64
}
