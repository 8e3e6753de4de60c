"""Why a bid gets no object: a code, and a sentence that names the field. Pure."""

from typing import Literal

from schemas.errors import TouchlineError

Nothing = Literal["no_skadn", "no_networks", "no_version"]
"""There is nothing to do: an object was not asked for, or none can be made. No exchange would call the bid invalid."""

Fault = Literal[
    "bad_skadn",
    "bad_version",
    "bad_network",
    "network_not_listed",
    "bad_sourceapp",
    "sourceapp_mismatch",
    "bad_itunesitem",
    "itunesitem_mismatch",
    "bad_campaign",
    "bad_sourceidentifier",
    "bad_fidelities",
    "bad_nonce",
    "bad_timestamp",
    "bad_signature",
    "wrong_signature",
    "bad_productpageid",
    "bad_skoverlay",
]
"""An object would be invalid, or is."""

Unanswered = Literal["no_imps", "unknown_imp", "too_many_imps"]
"""Of a request: not all of its impressions, or none of them, are answered."""

INVALID = 214
"""OpenRTB's loss reason "Creative Filtered - Invalid SKAdNetwork"."""


class NoObject(TouchlineError):
    """The bid gets no object, or the one that it has is not valid."""

    loss_reason: int | None = None

    def __init__(self, code: Nothing | Fault, sentence: str) -> None:
        super().__init__(sentence)
        self.code: Nothing | Fault = code
        self.sentence = sentence


class InvalidObject(NoObject):
    """What an exchange would filter the bid for."""

    loss_reason = INVALID

    def __init__(self, code: Fault, sentence: str) -> None:
        super().__init__(code, sentence)


class NothingToDo(NoObject):
    """The bid is as good without an object."""

    def __init__(self, code: Nothing, sentence: str) -> None:
        super().__init__(code, sentence)
