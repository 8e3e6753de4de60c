"""Generated installs, candidates, facts and rules, for the properties of decisions."""

from typing import Any, NamedTuple, get_args

from hypothesis import strategies as st

from consumers.attribution.facts import Candidate, Conversion, Facts, Label, LinkDay, Play
from consumers.attribution.validity import judged_day
from schemas.events import TouchKind
from schemas.identifiers import DeviceId, md5, sha1
from schemas.rules import PRESETS, Method, Rule, RuleSet
from schemas.validity import FINDINGS, VERDICTS, Mode
from tests.consumers.attribution.samples import AT_US, DAY_US, GAID, HOUR_US, MINUTE_US, SECOND_US, install, touch

METHODS: tuple[Method, ...] = get_args(Method)
KINDS: tuple[TouchKind, ...] = get_args(TouchKind)
MODES: tuple[Mode, ...] = get_args(Mode)
LINKS = ("1", "2")

OTHER = DeviceId("google_aid", "raw", "another device")
SHA1, MD5 = DeviceId("google_aid", "sha1", sha1(GAID.value)), DeviceId("google_aid", "md5", md5(GAID.value))
AGES = [-HOUR_US, -MINUTE_US, 9 * SECOND_US, 10 * SECOND_US, MINUTE_US, HOUR_US, 2 * HOUR_US, 20 * HOUR_US, 3 * DAY_US]
AGES += [9 * DAY_US]

CHANGES: list[dict[str, Any]] = [
    *({"flags": [flag]} for flag in ("late", "head", *FINDINGS)),
    *({"ids": ids} for ids in ([], [OTHER], [SHA1], [MD5])),
    {"ids": [OTHER], "device_key": 2},
    {"device_key": 1},
    {"app": "other"},
    {"click_id": None},
    {"click_id": "c2", "external_click_id": "c1"},
    *({"ip": ip} for ip in ("203.0.113.0/24", "203.0.113.9", "2001:db8::1", None)),
    {"ua": "other phone"},
    *({"model": model} for model in ("", "Pixel 7")),
    *({"os": os} for os in ("ios", "other")),
    *({"os_version": version} for version in ("14.1", "13", "")),
    *({"language": language} for language in ("fr", "")),
]
"""In what a touch may differ from one that the install looks for."""


class History(NamedTuple):
    """All that a decision looks at."""

    conversion: Conversion
    candidates: list[Candidate]
    rules: RuleSet
    facts: Facts


LOOKS = [*[{}] * len(CHANGES), *CHANGES, *({**one, **other} for one, other in zip(CHANGES, CHANGES[7:], strict=False))]
WAYS: list[tuple[Method, TouchKind]] = [(method, "click") for method in METHODS] * 2
WAYS += [("identifier", "impression"), ("fingerprint", "impression"), ("referrer", "impression")]


@st.composite
def touches(draw: st.DrawFn, numbers: st.SearchStrategy[int]) -> Candidate:
    """Half of them are what the install looks for; each way of falling is among the others."""
    (method, kind), number = draw(st.sampled_from(WAYS)), draw(numbers)
    changes = {"link": LINKS[number % 2], **draw(st.sampled_from(LOOKS))}
    return touch(method, kind, age_us=draw(st.sampled_from(AGES)), number=number, **changes)


ORDERS = [order for preset in PRESETS.values() for order in (preset.rules, preset.rules[::-1])]
ORDERS += [tuple(Rule(method, kind, hours) for method, kind in WAYS[3:8]) for hours in (1, 24, 168)]
ORDERS += [(Rule("fingerprint", "click", 168),), (Rule("identifier", "impression", 24), Rule("identifier", "click", 1))]
RULE_SETS = st.builds(
    RuleSet,
    rules=st.sampled_from([*ORDERS, ()]),
    confidence_min=st.sampled_from([0, 0.3, 0.7]),
    validity=st.dictionaries(st.sampled_from(list(VERDICTS)), st.sampled_from(MODES), max_size=3),
    reattribution_days=st.sampled_from([180, 0, 1]),
)
"""In any order, with any windows and modes."""

PLAYS = [Play(), Play(), Play(AT_US, AT_US - MINUTE_US), Play(server_begun_us=AT_US - 90 * MINUTE_US)]
CONVERSIONS = st.builds(
    install,
    ids=st.sampled_from([[GAID], [GAID], [], [SHA1], [MD5]]),
    received_us=st.sampled_from([AT_US, AT_US + MINUTE_US, AT_US + HOUR_US]),
    touch_ids=st.sampled_from([frozenset[str](), frozenset({touch(number=1).touch_id})]),
    play=st.sampled_from(PLAYS),
    label=st.sampled_from([None] * 7 + [Label("77", "campaign", "partner")]),
    ip=st.sampled_from(["203.0.113.7"] * 4 + [None]),
)


@st.composite
def histories(draw: st.DrawFn) -> History:
    conversion = draw(CONVERSIONS)
    found = draw(
        st.lists(touches(st.integers(1, 8)), min_size=1, max_size=7, unique_by=lambda one: (one.method, one.touch_id))
    )
    ids = [touch(number=number).touch_id for number in range(1, 9)]
    copies = st.dictionaries(st.sampled_from(ids), st.just("an earlier touch"), max_size=2)
    day = st.sampled_from([LinkDay(1, 0, 12_000, 1, flooding, not flooding) for flooding in (True, False)])
    day_of = judged_day(ids[0], conversion.received_us)
    earlier = draw(st.sampled_from([None] * 7 + [("before", AT_US - DAY_US), ("before", AT_US - 200 * DAY_US)]))
    facts = Facts(
        duplicate_of=draw(copies),
        repeat_of=draw(copies),
        link_days=draw(st.dictionaries(st.just((LINKS[0], day_of)), day)),
        earlier=earlier,
        earlier_link=draw(st.sampled_from([None, *LINKS])) if earlier else None,
    )
    return History(conversion, found, draw(RULE_SETS), facts)
