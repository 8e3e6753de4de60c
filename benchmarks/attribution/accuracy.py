"""How right: a whole world through the product's handlers and decider, then scored against its truth."""

from typing import NamedTuple

import asyncpg

from benchmarks.attribution import deciding, loading, reading
from benchmarks.attribution.calibration import Statement, statements
from benchmarks.attribution.loading import Done
from benchmarks.attribution.scoring import Cell, Decided, MethodScore, confusion, score_methods
from benchmarks.attribution.truth import Launch
from benchmarks.attribution.verdicts import FraudScore, score_injection, score_touches
from benchmarks.attribution.world import History
from consumers.attribution.handler import ConversionsHandler
from consumers.touches.country import open_countries
from consumers.touches.handler import TouchesHandler
from process.postgres import open_pool
from schemas.settings import Settings


class Findings(NamedTuple):
    """Everything that is reported of one world."""

    methods: list[MethodScore]
    """Without reinstalls."""
    cells: list[Cell]
    """Without reinstalls."""
    reinstalls: list[Cell]
    said: list[Statement]
    own_statements: bool
    """Candidates state their confidence; else only decisions by fingerprint do."""
    fraud: list[FraudScore]
    unseen_injections: int
    """Injected touches that their install's decision did not look at."""
    missing: list[str]
    """What could not be scored, and why."""


async def measure(settings: Settings, history: History, step: Done) -> Findings:
    """Store all touches, then all installs, decide, and score. The tables are there and empty."""
    await loading.furnish(settings, history.world, history.links)
    countries = open_countries()
    pool = await open_pool(settings)
    try:
        hits = [touch.hit for touch in history.touches]
        await loading.store(pool, TouchesHandler(countries), hits, lambda share: step(0.6 * share))
        installs = [launch.install for launch in history.launches]
        await loading.store(pool, ConversionsHandler(countries), installs, lambda share: step(0.6 + 0.1 * share))
        await pool.execute("ANALYZE")  # as autovacuum would have by now
        await deciding.pass_barriers(pool)
        await deciding.decide_ready(pool)
        await deciding.close_last_day(pool)
        step(0.95)
        return await _scored(pool, history)
    finally:
        pool.terminate()


async def _scored(pool: asyncpg.Pool, history: History) -> Findings:
    decided = await reading.decisions(pool)
    devices = {touch.hit.id: touch.device for touch in history.touches}
    labels = {touch.hit.id: touch.label for touch in history.touches}
    pairs: list[tuple[Launch, Decided | None]] = [(one, decided.get(one.install.id)) for one in history.launches]
    first = [pair for pair in pairs if not pair[0].reinstall]
    said, own = statements(pairs, devices)
    injection, unseen = score_injection(pairs, labels)
    fraud = [score_touches("duplicates", labels, await reading.duplicates(pool)), injection]
    missing = []
    if not own:
        missing.append("candidates state no confidence: calibration is of the decisions by fingerprint alone")
    flooded = await reading.flooded(pool)
    if flooded is None:
        missing.append("nobody judges links (no table link_days): flooding is not scored")
    else:
        fraud.append(score_touches("flooding", labels, flooded))
    fraud.append(score_touches("bots", labels, await reading.bots(pool)))
    return Findings(
        methods=score_methods(first, devices),
        cells=confusion(first),
        reinstalls=confusion(pair for pair in pairs if pair[0].reinstall),
        said=said,
        own_statements=own,
        fraud=fraud,
        unseen_injections=unseen,
        missing=missing,
    )
