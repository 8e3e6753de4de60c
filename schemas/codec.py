"""Bytes ↔ records of the log: JSON, one record a line, the tally last."""

from typing import TypeVar

import msgspec

from schemas.errors import DeadLetter
from schemas.events import ApplePostback, Conversion, Event, Hit, Install, Reject, Tally, Visit

TALLY_PREFIX = b'{"kind":"tally"'
"""A tally is recognised by its first bytes, so that hits need no second decoding."""

T = TypeVar("T")

_encoder = msgspec.json.Encoder()
_hit = msgspec.json.Decoder(Hit)
_reject = msgspec.json.Decoder(Reject)
_conversion: msgspec.json.Decoder[Conversion] = msgspec.json.Decoder(Install | Event | Visit)
_apple = msgspec.json.Decoder(ApplePostback)
_tally = msgspec.json.Decoder(Tally)


def encode(record: Hit | Reject | Conversion | ApplePostback | Tally) -> bytes:
    """One line of JSON without its line end. Raises UnicodeEncodeError for lone surrogates."""
    return _encoder.encode(record)


def is_tally(line: bytes) -> bool:
    """Whether the line is a batch's tally."""
    return line.startswith(TALLY_PREFIX)


def decode_tally(line: bytes) -> Tally:
    """Raises DeadLetter when it is none."""
    return _checked(_tally, line)


def decode_hit(line: bytes) -> Hit:
    """Raises DeadLetter `undecodable` with the decoder's words."""
    return _checked(_hit, line)


def decode_reject(line: bytes) -> Reject:
    """Raises DeadLetter `undecodable` with the decoder's words."""
    return _checked(_reject, line)


def decode_conversion(line: bytes) -> Conversion:
    """Raises DeadLetter `undecodable` with the decoder's words."""
    return _checked(_conversion, line)


def decode_apple(line: bytes) -> ApplePostback:
    """Raises DeadLetter `undecodable` with the decoder's words."""
    return _checked(_apple, line)


def _checked(decoder: "msgspec.json.Decoder[T]", line: bytes) -> T:
    try:
        return decoder.decode(line)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DeadLetter("undecodable", str(error)) from error
