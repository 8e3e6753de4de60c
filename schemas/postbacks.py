"""How a partner wants its postbacks sent, as management writes it and the sender reads it."""

from typing import Annotated, Literal

import msgspec

PostbackState = Literal["waiting", "sent", "dead", "superseded", "refused"]

CONCURRENCY = 20
CONCURRENCY_MAX = 200
RATE_MAX = 10_000
HOLD_S_MAX = 7 * 86_400


class Sending(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """`partners.sending`; each process that sends keeps to it by itself."""

    concurrency: Annotated[int, msgspec.Meta(ge=1, le=CONCURRENCY_MAX)] = CONCURRENCY
    """Requests that may wait for this partner's answers at a time."""
    rate: Annotated[int, msgspec.Meta(ge=1, le=RATE_MAX)] | None = None
    """Requests a second; None: as fast as the partner answers."""
    hold_s: Annotated[int, msgspec.Meta(ge=0, le=HOLD_S_MAX)] = 0
    """Seconds between the decision and the postback, in which the decision may still change."""
    secret: Annotated[str, msgspec.Meta(min_length=16, max_length=256)] | None = None
    """Key of the signature (HMAC-SHA256, docs/sending.md); None: postbacks are not signed."""


DEFAULT = Sending()


def parse_sending(text: str | None) -> Sending:
    """Of the column's JSON text. Raises msgspec.ValidationError, which names the field."""
    return msgspec.json.decode(text, type=Sending) if text else DEFAULT
