"""Clicks and impressions counted for the tariffs that price them, and what partners say that they cost.

In the transaction that stores the touches, of those only that are new. One statement a batch, and none when no campaign
of the batch pays by touches and no touch says a cost.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal, NamedTuple

import asyncpg
import msgspec

from consumers.costs.stated import PRICED_BY, Stated
from schemas.events import TouchKind
from schemas.ids import US_PER_HOUR
from schemas.sql import load

DAY_0 = date(1970, 1, 1)


class TouchTariff(msgspec.Struct, frozen=True):
    """A tariff of clicks or impressions, without its price: what is counted is priced when it is read."""

    id: int
    app: str | None
    model: Literal["cpc", "cpm"]
    starts_on: date
    ends_on: date | None

    def holds(self, kind: TouchKind, app: str, hour: int) -> bool:
        """Whether it prices such a touch at that hour (since 1970)."""
        day = hour // 24
        return (
            self.model == PRICED_BY[kind]
            and self.app in (None, app)
            and (self.starts_on - DAY_0) // timedelta(1) <= day
            and (self.ends_on is None or day <= (self.ends_on - DAY_0) // timedelta(1))
        )


class Counted(NamedTuple):
    """A touch that is new, as far as its cost hangs on it."""

    link: str
    app: str
    kind: TouchKind
    touched_us: int
    stated: Stated | None


_tariffs = msgspec.json.Decoder(tuple[TouchTariff, ...])


@lru_cache(maxsize=1000)
def read_tariffs(packed: str) -> tuple[TouchTariff, ...]:
    """As the links' owners bring them: the same for every link of a campaign."""
    return _tariffs.decode(packed)


async def count_costs(
    connection: asyncpg.Connection, touches: Iterable[Counted], tariffs: Mapping[str, Sequence[TouchTariff]]
) -> None:
    """Add the touches of these links' tariffs, and what they say."""
    groups: Counter[tuple[str, str, TouchKind, int]] = Counter()
    said: dict[tuple[str, str, int, str], Decimal] = {}
    for link, app, kind, touched_us, stated in touches:
        hour = touched_us // US_PER_HOUR
        if link in tariffs:
            groups[link, app, kind, hour] += 1
        if stated is not None:
            place = link, app, hour, stated.currency
            said[place] = said.get(place, Decimal()) + stated.nanos
    counts = [
        (one.id, link, app, hour, count)
        for (link, app, kind, hour), count in groups.items()
        for one in tariffs[link]
        if one.holds(kind, app, hour)
    ]
    if counts or said:
        # in one order everywhere, so that two consumers never wait for each other
        columns = zip(*sorted(counts), strict=True) if counts else ([],) * 5
        words = [(*place, nanos) for place, nanos in sorted(said.items())]
        stated_columns = zip(*words, strict=True) if words else ([],) * 5
        await connection.execute(load("touches")["costs"], *columns, *stated_columns)
