"""`touchline bench attribution`: how right attribution is, and how fast beside how many touches."""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from benchmarks.attribution import accuracy, loading, sections, speed
from benchmarks.attribution.plan import AttributionPlan
from benchmarks.attribution.world import build
from benchmarks.report import Report, Step


def run(plan: AttributionPlan, step: Step) -> Report:
    """Build a world, decide its installs, score them; then, if asked, let the table grow and take the time."""
    report = Report("attribution", plan, sections.METHODS)
    with _scratch(plan) as folder:
        report.measure_disk(folder)
        step(f"a world of seed {plan.world.seed}", 0.02)
        history = build(plan.world)
        report.settings["curves"] = history.shapes.source
        report.further["world"] = msgspec.to_builtins(plan.world)
        with loading.postgres(folder / "accuracy") as (settings, _):
            found = asyncio.run(
                accuracy.measure(
                    settings, history, lambda share: step(f"{len(history.touches):,} touches", 0.1 + 0.9 * share)
                )
            )
        sections.tell(report, found)
        if plan.grow:
            del history  # gigabytes that the processes of the other part need
            sections.tell_speed(report, *speed.measure(plan, folder / "speed", step))
    return report


@contextmanager
def _scratch(plan: AttributionPlan) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="touchline-bench-", dir=plan.scratch))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
