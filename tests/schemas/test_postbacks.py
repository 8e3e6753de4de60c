"""How a partner wants its postbacks: bounded."""

import msgspec
import pytest

from schemas.postbacks import DEFAULT, Sending, parse_sending


def test_defaults_are_the_documents() -> None:
    assert parse_sending(None) == parse_sending("{}") == DEFAULT == Sending(concurrency=20, rate=None, hold_s=0)
    assert parse_sending('{"concurrency": 5, "rate": 10, "hold_s": 60, "secret": "sixteen characters"}').rate == 10


@pytest.mark.parametrize(
    "text",
    [
        '{"concurrency": 0}',
        '{"concurrency": 201}',
        '{"rate": 0}',
        '{"rate": 1.5}',
        '{"hold_s": -1}',
        '{"hold_s": 604801}',
        '{"secret": "short"}',
        '{"hold": 5}',
        "[]",
    ],
)
def test_what_is_out_of_bounds_is_refused(text: str) -> None:
    with pytest.raises(msgspec.ValidationError):
        parse_sending(text)
