"""`python -m benchmarks.attribution.fit --seed 901`: the points of the fingerprint's scorecard, fitted to a world.

Takes every install that only a fingerprint could connect, and its candidates as the product finds and judges them, and
looks for the points under which the truth is likeliest: each install's own touch, or none of them, when certainty is
shared as `confidences` shares it. Plain gradient ascent; takes minutes. The keys are looked up in memory here: measured
is with `touchline bench attribution`, on other seeds.
"""

import math
from bisect import bisect_right, insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Annotated, NamedTuple

import typer

from benchmarks.attribution.parameters import World
from benchmarks.attribution.truth import Launch
from benchmarks.attribution.world import History, build
from consumers.attribution.candidates import PER_KEY_FIRST
from consumers.attribution.facts import Candidate, Conversion, conversion
from consumers.attribution.fingerprint import POINTS, crowd, doubts, evidence
from consumers.attribution.probes import searches
from consumers.attribution.standing import why_it_falls
from consumers.touches.country import open_countries
from consumers.touches.data_centres import open_data_centres
from consumers.touches.row import COLUMNS, touch_row
from schemas.addresses import parse_address
from schemas.events import Hit
from schemas.ids import received_us
from schemas.rules import DEFAULT
from schemas.validity import INJECTION_S

STEPS = 400
RATE = 0.5
HELD: Mapping[str, float] = {"other_language": -3.0, "install_unnamed": -3.0, "other_minor_version": -3.0}
"""The lowest that a difference may count: no world shows how often people change these."""


class Choice(NamedTuple):
    """One install: the entries that hold for each device among its candidates, and which of them it was."""

    devices: list[Mapping[str, float]]
    nobody: Mapping[str, float]
    truth: int | None
    """None: none of them."""


def main(
    seed: Annotated[int, typer.Option(help="Of the world to learn from.")] = 901,
    installs: Annotated[int, typer.Option(min=1000)] = 20_000,
    touches: Annotated[int, typer.Option(min=1000)] = 400_000,
) -> None:
    """Print the points."""
    found = list(choices(build(World(seed=seed, installs=installs, touches=touches))))
    typer.echo(f"{len(found)} installs with candidates")
    for name, points in fitted(found).items():
        typer.echo(f"{name:22} {points:6.1f}   now {POINTS[name]:.1f}")


def choices(history: History) -> Iterator[Choice]:
    """Of all first installs that no identifier and no referrer connects."""
    stored: defaultdict[int, list[tuple[int, str, Candidate]]] = defaultdict(list)
    owner: dict[str, int | None] = {}
    for touch in history.touches:
        candidate = _candidate(touch.hit)
        if candidate.print_key is not None and touch.hit.kind == "click":
            insort(
                stored[candidate.print_key], (candidate.touched_us, candidate.touch_id, candidate), key=lambda o: o[:2]
            )
            owner[candidate.touch_id] = touch.device
    for launch in history.launches:
        if launch.reinstall or launch.due_method in ("identifier", "referrer"):
            continue
        choice = _choice(launch, stored, owner)
        if choice is not None:
            yield choice


def _choice(
    launch: Launch, stored: Mapping[int, list[tuple[int, str, Candidate]]], owner: Mapping[str, int | None]
) -> Choice | None:
    one = conversion(launch.install, received_us(launch.install.id))
    near = _near(one, stored)
    windows_us = DEFAULT.rules.windows_us
    standing = [
        touch
        for touch in near
        if why_it_falls(one, touch, windows_us) is None
        and one.at_us - touch.touched_us >= INJECTION_S * 1_000_000
        and "bot" not in touch.flags
    ]
    if not standing:
        return None
    devices: dict[object, Candidate] = {touch.device: touch for touch in standing}  # the latest of each
    own = [owner[touch.touch_id] == launch.device for touch in devices.values()]
    seen = crowd(one, near)
    return Choice(
        [evidence(one, touch) for touch in devices.values()],
        doubts(standing[0], seen),
        own.index(True) if True in own else None,
    )


def _near(one: Conversion, stored: Mapping[int, list[tuple[int, str, Candidate]]]) -> list[Candidate]:
    found: list[Candidate] = []
    for search in searches(one, DEFAULT.rules.rules):
        for key in search.prints:
            behind = stored.get(key, [])
            until = bisect_right(behind, one.at_us, key=lambda entry: entry[0])
            found += [entry[2] for entry in behind[max(until - PER_KEY_FIRST, 0) : until]]
    return found


def fitted(found: Sequence[Choice]) -> dict[str, float]:
    """The likeliest points. The likelihood of a choice is that of a softmax over the devices and nobody."""
    points = dict(POINTS)
    speed = dict.fromkeys(points, 1e-6)
    for _ in range(STEPS):
        slope = dict.fromkeys(points, 0.0)
        for choice in found:
            weights = [math.exp(_sum(points, entries)) for entries in (*choice.devices, choice.nobody)]
            whole = sum(weights)
            truth = len(choice.devices) if choice.truth is None else choice.truth
            for at, entries in enumerate((*choice.devices, choice.nobody)):
                error = (at == truth) - weights[at] / whole
                for name, count in entries.items():
                    slope[name] += error * count
        for name, rise in slope.items():  # Adagrad: rare entries take larger steps
            speed[name] += rise * rise
            points[name] = max(points[name] + RATE * rise / math.sqrt(speed[name]), HELD.get(name, -20.0))
    return points


def _sum(points: Mapping[str, float], entries: Mapping[str, float]) -> float:
    return sum(points[name] * count for name, count in entries.items())


_countries = cache(open_countries)


def _candidate(hit: Hit) -> Candidate:
    row = dict(zip(COLUMNS, touch_row(hit, _countries(), open_data_centres()).values, strict=True))
    sha1_key, md5_key = row["device_sha1_key"], row["device_md5_key"]
    named = sha1_key is not None or md5_key is not None
    return Candidate(
        touch_id=row["id"], method="fingerprint", touch_kind=row["kind"], app=row["app"], link=row["link"],
        campaign=None, partner=None, touched_us=row["touched_us"], click_id=row["click_id"], external_click_id=None,
        network=parse_address(row["ip"]) if row["ip"] else None, os=row["os"], os_version=row["os_version"],
        model=row["model"], language=row["language"], ua=row["ua"], flags=row["flags"],
        query=row["query"] if named else None, device_key=sha1_key if sha1_key is not None else md5_key,
        click_key=row["click_key"], print_key=row["print_key"],
    )  # fmt: skip


if __name__ == "__main__":
    typer.run(main)
