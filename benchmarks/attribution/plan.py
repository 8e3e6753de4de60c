"""What `touchline bench attribution` was asked to do."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.attribution.parameters import World
from benchmarks.errors import BenchError
from benchmarks.plan import RESULTS

MILLION = 1_000_000
STEPS_MAX = 10


@dataclass(frozen=True, slots=True)
class AttributionPlan:
    """The options of one run."""

    world: World
    grow: tuple[float, ...] = ()
    """Millions of touches that the table holds in turn; empty: speed is not measured."""
    waiting: int = 24_000
    """Installs that wait at each of these sizes; the first third is decided before time is taken."""
    scratch: Path | None = None
    results: Path = RESULTS

    def __post_init__(self) -> None:
        copies = [size / self.grow[0] for size in self.grow] if self.grow and self.grow[0] > 0 else []
        if len(copies) != len(self.grow) or any(abs(one - round(one)) > 1e-6 for one in copies):
            raise BenchError("--grow names millions of touches, each a multiple of the first: 1,5,20.")
        if sorted(set(copies)) != copies or len(copies) > STEPS_MAX:
            raise BenchError(f"--grow rises, in at most {STEPS_MAX} steps.")

    def settings(self) -> dict[str, object]:
        """What belongs beside the figures; all the world's parameters stand in the JSON."""
        return {
            "seed": self.world.seed,
            "installs": self.world.installs,
            "touches": self.world.touches,
            "grow": ",".join(f"{size:g}" for size in self.grow) or None,
            "waiting": self.waiting if self.grow else None,
        }


def parse_grow(text: str) -> tuple[float, ...]:
    """`1,5,20`. Raises BenchError."""
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError:
        raise BenchError(f"--grow {text}: millions of touches, as 1,5,20.") from None
