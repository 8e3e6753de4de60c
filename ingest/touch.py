"""A request for a tracking link, and what becomes of it: the words of the rules in `accept.py`."""

from typing import Literal

import msgspec

from ingest import privacy
from ingest.caller import Caller
from schemas.events import Hit, Reject

Form = Literal["serve", "click", "impression", "click_gif", "impression_gif"]
"""The path a request came by: /serve/, /c/, /i/, /c/….gif, /i/….gif."""

Patience = Literal["machine", "person"]
"""A machine waits for durability or gets a 503; a person is sent on after a moment, durable or not."""


class Request(msgspec.Struct, frozen=True, gc=False):
    """What the rules need of an HTTP request."""

    form: Form
    link: str
    host: str
    """Lower case; the target's own, when it is absolute, else the header's."""
    query: str
    caller: Caller
    peer: str
    is_head: bool
    now_us: int
    care: privacy.Care | None = None
    """What was left out of it."""


class Outcome(msgspec.Struct, gc=False):
    """What to record and what to answer."""

    status: int
    patience: Patience = "machine"
    hit: Hit | None = None
    location: str | None = None
    gif: bool = False
    page: bool = False
    """A plain page: the link is paused and leads nowhere."""
    reason: str | None = None
    parameter: str | None = None
    detail: str = ""
    reject: Reject | None = None
