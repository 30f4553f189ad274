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
