"""What a verdict found on a touch, in words with its figures; and lengths of time. Pure."""

from collections.abc import Mapping

from schemas.reasons import SENTENCES

_UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))

_WITH_FIGURES: tuple[tuple[str, tuple[str, ...], str], ...] = (
    ("duplicate", ("of",), "Its click id was counted before on the same link, with touch {of}."),
    ("repeat", ("of",), "The same address and agent had touched the same link seconds before, with touch {of}."),
    ("flooding", ("clicks", "installs"), "Its link floods: {clicks} on that day, {installs}."),
    ("delays", ("installs", "within_hour"), "Of its link's {installs} on that day {within_hour} came within an hour."),
    ("injection", ("seconds",), "It came {seconds} before the first start: nobody installs that fast."),
    ("injection", ("seconds_after_begin",), "It came {seconds_after_begin} after the download had begun."),
    ("other_os", ("touch", "install"), "The touch came from {touch}, the install from {install}."),
)
"""(verdict, figures that it takes, sentence); a verdict without its figures is said as its reason is."""


def said(tag: str, figures: Mapping[str, int | str]) -> str:
    """One sentence of a verdict on a touch."""
    for name, taken, sentence in _WITH_FIGURES:
        if name == tag and set(taken) <= set(figures):
            return sentence.format(**{one: _figure(one, figures[one]) for one in taken})
    return SENTENCES.get(tag, tag)


def _figure(name: str, value: int | str) -> str:
    if isinstance(value, str):
        return value
    if name in ("clicks", "installs"):
        return f"{value:,}".replace(",", " ") + f" {name if value != 1 else name[:-1]}"
    if name.startswith("seconds"):
        return duration(value)
    return str(value)


def duration(seconds: int) -> str:
    """`12 s`, `3 min 20 s`, `2 d 4 h`: the two largest units."""
    parts: list[str] = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
        elif parts:
            break
        if len(parts) == 2:
            break
    return " ".join(parts)
