"""The open-loop generator as a process of its own, so that nothing of the benchmark disturbs its clock."""

import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.errors import BenchError
from benchmarks.open_loop import DRAIN_S, PERCENTILES
from benchmarks.plan import Cores
from benchmarks.processes import PROJECT, launched
from benchmarks.traffic import Traffic
from benchmarks.wrk import Load

__all__ = ["PERCENTILES", "Findings", "run"]

LATE_SHARE_MAX = 0.01
SLACK_S = 30.0
STEP_S = 0.05


@dataclass(frozen=True, slots=True)
class Findings:
    """What the generator found; see `open_loop.Generator.facts`."""

    facts: dict[str, Any]
    bad_statuses: int

    @property
    def void(self) -> bool:
        """The generator fell behind by itself: more than 1 % of its sends came over 5 ms late."""
        return bool(self.facts["late_share"] > LATE_SHARE_MAX)

    @property
    def errors(self) -> int:
        return int(self.bad_statuses + self.facts["broken"] + self.facts["unanswered"])

    def percentile(self, share: float) -> float | None:
        """Milliseconds; None when nothing was answered."""
        return next((round(ms, 3) for at, ms in self.facts["percentiles_ms"] if at == share), None)

    @property
    def by_second(self) -> list[float | None]:
        """p99 of each second, milliseconds."""
        return list(self.facts["p99_ms_by_second"])

    def load(self) -> Load:
        """In the words of the closed loop."""
        broken = self.facts["broken"] + self.facts["unanswered"]
        times = self.percentile(50.0) or 0.0, self.percentile(99.0) or 0.0
        return Load(self.facts["seconds"], self.facts["answered"], self.bad_statuses, broken, *times, void=self.void)


def run(
    url: str,
    traffic: Traffic,
    *,
    rate: float,
    seconds: float,
    connections: int,
    cores: Cores,
    meanwhile: Callable[[], None] | None = None,
) -> Findings:
    """Load `url`; `meanwhile` is called again and again while it runs. Rate 0: a closed loop."""
    orders = {
        "url": url,
        "templates": traffic.templates,
        "rate": rate,
        "seconds": seconds,
        "connections": connections,
    }
    argv = launched([sys.executable, "-m", "benchmarks.open_loop"], cores.load if cores.pinned else ())
    # a file, because communicate() with a timeout forgets the rest of its input
    with tempfile.TemporaryFile("w+") as spoken:
        json.dump(orders, spoken)
        spoken.seek(0)
        process = subprocess.Popen(
            argv, cwd=PROJECT, stdin=spoken, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    deadline = time.monotonic() + seconds + DRAIN_S + SLACK_S
    while True:
        try:
            output, complaint = process.communicate(timeout=STEP_S)
            break
        except subprocess.TimeoutExpired:
            if meanwhile is not None:
                meanwhile()
            if time.monotonic() > deadline:
                process.kill()
    if process.returncode != 0:
        raise BenchError(f"the generator ended with {process.returncode}: {complaint.strip()[-800:]}")
    facts = json.loads(output)
    good = {str(status) for status in traffic.expects}
    return Findings(facts, sum(count for status, count in facts["statuses"].items() if status not in good))
