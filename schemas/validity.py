"""What a touch may have against itself: findings that the touches consumer writes and attribution judges."""

from typing import Final, Literal, get_args

Finding = Literal["bot", "no_agent", "data_centre", "non_public", "prefetch"]
"""Of one touch alone: no look at others is needed to know them."""

FINDINGS: Final[tuple[Finding, ...]] = get_args(Finding)
"""In the order in which a touch lists its own, after the edge's flags."""
