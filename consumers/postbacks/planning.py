"""Who is to be told of a conversion, and what changes when its attribution does. Pure.

A postback's story is that of one (conversion, template, attribution): told; taken back by a reversal when the
attribution is lost; told again when it returns. What stands decides which rows wait, however often it is looked at.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any, Literal, NamedTuple
from uuid import UUID

from schemas.ids import received_us
from schemas.partitions import DAY_US
from schemas.templates import is_of_event

SKEW_US = 5 * 60_000_000
"""A conversion's id has the time of an edge, a template that of the database."""

TELL_DAYS = 60
"""A conversion that was received longer ago is not told for the first time: what was told of it may be deleted."""

Mode = Literal["off", "attributed", "all"]


class Template(NamedTuple):
    """What somebody wants to be told."""

    id: int
    app: str
    partner: str | None
    event: str
    mode: Mode
    first_only: bool
    method: str
    url: str
    body: str | None
    reversal_url: str | None
    created_at: datetime
    hold_s: int


class Attribution(NamedTuple):
    """Whose a conversion is, as a postback tells it: neither touch nor link when it tells nothing of that."""

    touch: UUID | None
    link: str | None


NOBODY = Attribution(None, None)


class Postback(NamedTuple):
    """One that was planned."""

    id: int
    template: int
    attribution: Attribution
    reversal: bool
    state: str
    perhaps_received: bool
    """Whether a request for it may have arrived."""


class New(NamedTuple):
    """One to plan, about a row of `telling.sql`."""

    template: Template
    row: Mapping[str, Any]
    attribution: Attribution
    reversal: bool
    turn: int
    """How often this was told before."""

    @property
    def key(self) -> str:
        """The Idempotency-Key."""
        told = str(self.attribution.touch or self.attribution.link or "")
        parts = (str(self.row["conversion"]), str(self.template.id), told, str(self.turn), str(self.reversal))
        return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()

    @property
    def is_again(self) -> bool:
        """Whether something was told before."""
        return self.reversal or self.turn > 0

    @property
    def name(self) -> str:
        """What the conversion is told as."""
        event: str | None = self.row["name"]
        return event if event is not None and self.template.event != "re-engagement" else self.template.event


class Changes(NamedTuple):
    """What is to be written so that the right rows wait."""

    new: list[New]
    supersede: list[int]
    revive: list[tuple[int, int]]
    """(postback, seconds to hold)"""


First = dict[tuple[int, UUID], UUID]
"""(template, install) → the event that alone is told."""


def plan(
    rows: Sequence[Mapping[str, Any]],
    templates: Mapping[str, Sequence[Template]],
    planned: Mapping[UUID, Sequence[Postback]],
    first: First,
    now_us: int,
) -> Changes:
    """What follows from these rows of `telling.sql`; `templates` by app, `planned` by conversion. `first` takes in the
    events of templates that tell one of an install."""
    since_us = now_us - TELL_DAYS * DAY_US
    changes = Changes([], [], [])
    for conversion, theirs in _by_conversion(rows).items():
        if not all(row["decided"] for row in theirs) or any(row["test"] or row["forgotten"] for row in theirs):
            continue
        for template in templates.get(theirs[0]["app"], ()):
            row = next((row for row in theirs if _is_told(template, row, first)), None)
            known = [one for one in planned.get(conversion, ()) if one.template == template.id]
            _follow(changes, template, row, theirs[0], known)
    return changes._replace(new=[one for one in changes.new if one.is_again or _received_us(one.row) >= since_us])


def _by_conversion(rows: Sequence[Mapping[str, Any]]) -> dict[UUID, list[Mapping[str, Any]]]:
    """In the order of their time."""
    found: dict[UUID, list[Mapping[str, Any]]] = {}
    for row in sorted(rows, key=lambda row: (row["at"], row["conversion"])):
        found.setdefault(row["conversion"], []).append(row)
    return found


def _is_told(template: Template, row: Mapping[str, Any], first: First) -> bool:
    if template.mode == "off" or not is_of_event(template.event, row["kind"], row["name"], row["revenue_micros"]):
        return False
    if template.mode == "attributed" and not _is_theirs(template, row):
        return False
    since_us = int(template.created_at.timestamp() * 1_000_000) - SKEW_US
    if _received_us(row) < since_us:
        return False
    if not template.first_only or row["install"] is None:
        return True
    return bool(first.setdefault((template.id, row["install"]), row["conversion"]) == row["conversion"])


def _received_us(row: Mapping[str, Any]) -> int:
    return received_us(str(row["conversion"]))


def _is_theirs(template: Template, row: Mapping[str, Any]) -> bool:
    """The operator's own: whoever's it is."""
    return row["link"] is not None if template.partner is None else bool(row["partner"] == template.partner)


def _follow(
    changes: Changes,
    template: Template,
    row: Mapping[str, Any] | None,
    any_row: Mapping[str, Any],
    known: Sequence[Postback],
) -> None:
    wanted = None
    if row is not None:
        wanted = Attribution(row["touch"], row["link"]) if _is_theirs(template, row) else NOBODY
    for attribution in dict.fromkeys(one.attribution for one in known):
        if attribution != wanted:
            _take_back(changes, template, any_row, attribution, list(_of(known, attribution)))
    if row is not None and wanted is not None:
        _tell(changes, template, row, wanted, list(_of(known, wanted)))


def _of(known: Iterable[Postback], attribution: Attribution) -> Iterator[Postback]:
    return (one for one in known if one.attribution == attribution)


def _last(story: Sequence[Postback]) -> tuple[Postback | None, Postback | None, int]:
    """The last time it was told, the reversal of that, and how often it was told."""
    told = [one for one in story if not one.reversal]
    if not told:
        return None, None, 0
    back = [one for one in story if one.reversal and one.id > told[-1].id]
    return told[-1], back[-1] if back else None, len(told)


def _tell(
    changes: Changes, template: Template, row: Mapping[str, Any], to: Attribution, story: Sequence[Postback]
) -> None:
    told, back, times = _last(story)
    if told is None or (back is not None and back.perhaps_received):
        if back is not None and back.state == "waiting":
            changes.supersede.append(back.id)
        changes.new.append(New(template, row, to, reversal=False, turn=times))
        return
    if back is not None and back.state == "waiting":
        changes.supersede.append(back.id)
    if told.state == "superseded":
        changes.revive.append((told.id, template.hold_s))


def _take_back(
    changes: Changes, template: Template, row: Mapping[str, Any], lost: Attribution, story: Sequence[Postback]
) -> None:
    told, back, times = _last(story)
    if told is None:
        return
    if told.state == "waiting":
        changes.supersede.append(told.id)
    if template.mode == "off" or template.reversal_url is None or lost == NOBODY or not told.perhaps_received:
        return
    if back is None:
        changes.new.append(New(template, row, lost, reversal=True, turn=times - 1))
    elif back.state == "superseded" and not back.perhaps_received:
        changes.revive.append((back.id, 0))


def hold_s(new: New) -> int:
    """How long it waits, seconds: a reversal at once."""
    return 0 if new.reversal else new.template.hold_s


def template_of(row: Mapping[str, Any]) -> Template:
    """Of a row of `planning.sql`."""
    return Template(*(row[name] for name in Template._fields))


def postback_of(row: Mapping[str, Any]) -> Postback:
    """Likewise."""
    attribution = Attribution(row["touch"], row["link"])
    return Postback(row["id"], row["template"], attribution, row["reversal"], row["state"], row["perhaps_received"])
