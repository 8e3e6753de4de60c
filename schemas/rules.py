"""The settings of attribution, as data of an app: which methods count which touches, for how long, in which order,
how sure a fingerprint must be, what is done about touches that are not valid, and when a device's next install, or a
user's return, counts.

The first rule that finds a touch decides; within a rule the latest touch. Ranges and presets follow the vendors'
documented defaults.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, get_args

import msgspec

from schemas.errors import ConfigError
from schemas.events import TouchKind
from schemas.validity import TESTERS_REPEAT, VERDICTS, Mode, Verdict

Method = Literal["identifier", "referrer", "fingerprint"]

Pair = tuple[Method | Literal["visit"], TouchKind]
Windows = Mapping[Pair, int]

OF_INSTALLS = (*get_args(Method), "preinstall", "reinstall", "organic")
"""Methods of decisions about installs."""
DECIDED = (*OF_INSTALLS, "visit", "active")
"""What a decision may say: a method, the visit of a website, the label of a pre-installed app, that the device had the
app before, that the user was active and it is no return, or that nobody brought the conversion."""

HOURS: dict[Method, tuple[int, int]] = {"identifier": (24, 720), "referrer": (24, 720), "fingerprint": (1, 168)}
"""The shortest and the longest window: 1 to 30 days, of fingerprints 1 hour to 7 days."""


AGAIN_WITHIN_US = 7 * 24 * 3_600_000_000
"""So long after its receipt a touch that arrives late still changes an install's decision."""


CLOCK_SKEW_US = 300_000_000
"""A device's clock may be this far behind ours: a touch up to this long "after" the install counts."""

RECEIVED_WITHIN_US = 13 * 3_600_000_000
"""Look-ups end so long after the last moment they ask for: what is received later is `late` (12 h), and counts for
nobody."""

REATTRIBUTION_DAYS = 180
"""A device that installs an app again is attributed anew when so many days have passed (AppMetrica)."""


REENGAGEMENT_DAYS = 30
"""A user who was inactive for longer has returned (MyTracker)."""


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A method that counts touches of one kind within a look-back window."""

    method: Method
    touch_kind: TouchKind
    window_hours: int

    @property
    def window_ms(self) -> int:
        """The window in milliseconds."""
        return self.window_hours * 3_600_000


class LinkWindow(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long a method counts one link's touches of a kind, instead of what the app's rules say; a method that these
    do not count stays off."""

    method: Method
    touch: TouchKind
    hours: int


class RuleSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """All that a decision is made by."""

    rules: tuple[Rule, ...]
    """In their order."""
    confidence_min: float = 0.7
    """A fingerprint that is less sure than this is no match; 0 to 1."""
    validity: dict[Verdict, Mode] = {}
    """Modes that differ from the default."""
    reattribution_days: int = REATTRIBUTION_DAYS
    """A device's next install is attributed anew after so many days, before it is a reinstall; 0: every one."""
    reengagement_days: int = REENGAGEMENT_DAYS
    """An event after more than so many days without activity is a re-engagement; 0: none is."""

    @property
    def window_ms_max(self) -> int:
        """The longest window, milliseconds."""
        return max(rule.window_ms for rule in self.rules)

    @property
    def of_clicks(self) -> "RuleSet":
        """The same without views: nobody returns because of one."""
        clicks = tuple(rule for rule in self.rules if rule.touch_kind == "click")
        return msgspec.structs.replace(self, rules=clicks)

    @property
    def windows_us(self) -> Windows:
        """The windows in microseconds; what is missing does not count."""
        return {(rule.method, rule.touch_kind): rule.window_ms * 1000 for rule in self.rules}

    def mode(self, verdict: Verdict, *, test: bool = False) -> Mode:
        """What this app does about a touch with such a verdict; `test`: of a test install."""
        mode = self.validity.get(verdict, VERDICTS[verdict])
        return "tag" if test and mode == "reject" and verdict in TESTERS_REPEAT else mode


class Named(msgspec.Struct, frozen=True):
    """Rules under the name that a decision keeps."""

    name: str
    rules: RuleSet


def link_windows_us(windows: Sequence[LinkWindow]) -> Windows:
    """A link's windows in microseconds."""
    return {(one.method, one.touch): one.hours * 3_600_000_000 for one in windows}


def _preset(
    order: Sequence[Method],
    click_days: int,
    print_hours: int,
    view_prints: int | None,
    reengagement_days: int = REENGAGEMENT_DAYS,
) -> RuleSet:
    """Clicks in this order, then views: of identifiers 24 h, of fingerprints these hours, or off."""
    hours: dict[Method, int] = {"identifier": click_days * 24, "referrer": click_days * 24, "fingerprint": print_hours}
    clicks = tuple(Rule(method, "click", hours[method]) for method in order)
    views = (Rule("identifier", "impression", 24),)
    prints = (Rule("fingerprint", "impression", view_prints),) if view_prints is not None else ()
    return RuleSet(rules=clicks + views + prints, reengagement_days=reengagement_days)


PRESETS: dict[str, RuleSet] = {
    "touchline": _preset(("identifier", "referrer", "fingerprint"), 7, 24, None),
    "appmetrica": _preset(("identifier", "referrer", "fingerprint"), 10, 24, 24),
    "mytracker": _preset(("referrer", "identifier", "fingerprint"), 10, 24, 24),
    "adjust": _preset(("identifier", "referrer", "fingerprint"), 7, 6, None, reengagement_days=7),
}
"""AppMetrica: 10 days, views by every method. MyTracker: the store's referrer first. Adjust: 7 days, 6 h, 24 h, and a
return after 7 days of inactivity; the others 30."""

DEFAULT = Named("default-1", PRESETS["touchline"])
"""Of every app that has no rules of its own."""

_rules = msgspec.json.Decoder(RuleSet)


def name_of(app: str, version: int) -> str:
    """Under which name a decision keeps a version of an app's rules."""
    return f"{app}-{version}"


def stored_rules(text: str | bytes) -> RuleSet:
    """What was checked when it was stored: later ranges do not undo it."""
    return _rules.decode(text)


def parse_rules(text: str | bytes) -> RuleSet:
    """A JSON object: {"rules": [{"method", "touch_kind", "window_hours"}, …], and what else differs from the default:
    "confidence_min", "validity": {verdict: mode}, "reattribution_days", "reengagement_days"}. Raises ConfigError, which
    names the field."""
    try:
        rules = _rules.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"the rules are not usable: {error}") from None
    check(rules)
    return rules


def check_link_windows(windows: Sequence[LinkWindow]) -> None:
    """By the ranges of the rules. Raises ConfigError, which names the field."""
    seen: set[tuple[Method, TouchKind]] = set()
    for number, one in enumerate(windows):
        _check_window(f"windows[{number}]", ("hours", "touch"), one.hours, one.method, one.touch)
        _check_once(f"windows[{number}]", one.method, one.touch, seen)


def _check_window(where: str, fields: tuple[str, str], hours: int, method: Method, touch: TouchKind) -> None:
    low, high = HOURS[method]
    if not low <= hours <= high:
        raise ConfigError(f"{where}.{fields[0]} is {hours}; {method} takes {low} to {high} hours")
    if (method, touch) == ("referrer", "impression"):
        raise ConfigError(f"{where}.{fields[1]} is impression: no store tells which view led to an install")


def _check_once(where: str, method: Method, touch: TouchKind, seen: set[tuple[Method, TouchKind]]) -> None:
    if (method, touch) in seen:
        raise ConfigError(f"{where} says {method} by {touch} a second time")
    seen.add((method, touch))


def check(them: RuleSet) -> None:
    """Raises ConfigError, which names the field: no rule, one twice, a window out of range, a view's referrer."""
    if not them.rules:
        raise ConfigError("the rules are empty: without a rule every install would be organic")
    seen: set[tuple[Method, TouchKind]] = set()
    for number, rule in enumerate(them.rules):
        _check_window(
            f"rules[{number}]", ("window_hours", "touch_kind"), rule.window_hours, rule.method, rule.touch_kind
        )
        _check_once(f"rules[{number}]", rule.method, rule.touch_kind, seen)
    if not 0 <= them.confidence_min <= 1:
        raise ConfigError(f"confidence_min is {them.confidence_min}; it takes 0 to 1")
    for name in ("reattribution_days", "reengagement_days"):
        if not 0 <= (days := getattr(them, name)) <= 3650:
            raise ConfigError(f"{name} is {days}; it takes 0 to 3650")
