from pathlib import Path

import msgspec
import pytest

from schemas.codec import (
    decode_conversion,
    decode_hit,
    decode_reject,
    decode_tally,
    encode,
    is_tally,
)
from schemas.errors import DeadLetter
from schemas.events import Event, Hit, Install, Tally

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"


def example(name: str) -> bytes:
    """One line of the log."""
    return msgspec.json.format((EXAMPLES / f"{name}.json").read_bytes(), indent=-1)


def changed(name: str, **fields: object) -> bytes:
    return msgspec.json.encode(msgspec.json.decode(example(name)) | fields)


def test_every_record_is_one_line() -> None:
    for path in EXAMPLES.glob("*.json"):
        assert b"\n" not in example(path.stem)


def test_only_a_tally_is_taken_for_one() -> None:
    assert [path.stem for path in sorted(EXAMPLES.glob("*.json")) if is_tally(example(path.stem))] == ["tally"]
    assert is_tally(encode(decode_tally(example("tally"))))


def test_a_conversion_is_told_by_its_kind() -> None:
    assert isinstance(decode_conversion(example("install")), Install)
    assert isinstance(decode_conversion(example("event")), Event)


def test_a_field_of_a_later_version_is_passed_over() -> None:
    assert decode_hit(changed("click", colour="red")) == decode_hit(example("click"))
    assert decode_conversion(changed("install", colour="red")) == decode_conversion(example("install"))


def test_a_missing_optional_field_has_its_default() -> None:
    hit = decode_hit(b'{"v":1,"id":"x","kind":"click","link":"1","app":"a","mode":"page","touched_us":1}')
    assert (hit.ip, hit.ua, hit.query, hit.headers, hit.flags) == (None, "", "", {}, [])


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"null",
        b"[]",
        b"\xff",
        b'{"v":1,"id":"\xff"}',
        b"[" * 5000,
        b'{"v":1,"unknown":' + b"[" * 50_000 + b"]" * 50_000 + b"}",
        changed("click", v=2),
        changed("click", kind="view"),
        changed("click", touched_us="1"),
        changed("click", link=None),
        example("tally"),
    ],
)
def test_what_is_no_hit_is_a_dead_letter_with_the_decoders_words(line: bytes) -> None:
    with pytest.raises(DeadLetter) as caught:
        decode_hit(line)
    assert caught.value.reason == "undecodable"
    assert caught.value.detail


@pytest.mark.parametrize("line", [b"", b"{}", example("click"), changed("install", kind="uninstall")])
def test_what_is_no_conversion_is_a_dead_letter(line: bytes) -> None:
    with pytest.raises(DeadLetter, match=r"."):
        decode_conversion(line)


@pytest.mark.parametrize("line", [b"", b"{}", example("click")])
def test_what_is_no_reject_and_no_tally_is_a_dead_letter(line: bytes) -> None:
    for decode in (decode_reject, decode_tally):
        with pytest.raises(DeadLetter, match=r"."):
            decode(line)


def test_a_lone_surrogate_never_reaches_the_log() -> None:
    hit = decode_hit(example("click"))
    with pytest.raises(UnicodeEncodeError):
        encode(msgspec.structs.replace(hit, query="\ud800"))


def test_the_tally_counts_per_subject_and_hour() -> None:
    tally = decode_tally(example("tally"))
    assert isinstance(tally, Tally)
    assert all(records > 0 for _, _, records in tally.counts)
    assert encode(tally) == example("tally")


def test_a_hit_keeps_its_query_byte_for_byte() -> None:
    query = 'a=%00%ff+"\\/\u2028é\U0001f600'
    hit = msgspec.structs.replace(decode_hit(example("click")), query=query)
    assert isinstance(hit, Hit)
    assert decode_hit(encode(hit)).query == query
