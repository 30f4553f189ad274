"""What the generated requests are made of, beyond the description."""

import schemathesis
from hypothesis import strategies as st

# Names under `.example` lead nowhere: whatever is subscribed with one of these, nothing leaves this machine.
schemathesis.openapi.format("uri", st.from_regex(r"https://[a-z]{1,20}\.example(:[1-9][0-9]{0,3})?(/[a-z0-9]{1,20}){0,3}", fullmatch=True))


@schemathesis.hook
def map_body(context, body):
    """Writes integers as integers: to a schema 8.0 is one, but ids are digits, and no digit of them is ever changed."""
    return as_integers(body)


def as_integers(value):
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: as_integers(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_integers(inner) for inner in value]
    return value
