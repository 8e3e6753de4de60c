"""SKAdNetwork's object for bids of OpenRTB 2.x: nothing is read from Postgres, nothing is stored."""

import time
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID, uuid4

import msgspec
from msgspec import Meta

from console.manage.checks import Text, shown
from console.manage.refusals import Invalid
from console.skan_bids import values
from console.skan_bids.answering import BidAnswer, answer
from console.skan_bids.asked import Numbers, numbers_of
from console.skan_bids.making import Tools, Wanted
from console.skan_bids.objects import FidelityType, Overlay
from schemas.errors import ConfigError
from schemas.settings import Settings
from schemas.skan.ads import signing_keys
from schemas.skan.lists import parse_list

LIST_BYTES_MAX = 32 * 2**20

Item = Text | int
Digits = Annotated[str, Meta(min_length=1, max_length=20)] | int


class SkanBid(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A bid request, and what a bid on it shall say."""

    request: dict[str, Any]
    """OpenRTB 2.x, as it came."""
    imp: Annotated[str, Meta(max_length=1000)] | None = None
    """Id of the impression; null: the bid's `impid`, else all of them."""
    network: Text | None = None
    """Of ours; null: the first that the request lists."""
    campaign_id: Digits | None = None
    """1 to 100, for versions up to 3.0."""
    source_identifier: Digits | None = None
    """Four digits, for version 4.0."""
    itunesitem: Item | Annotated[tuple[Item, ...], Meta(max_length=100)] | None = None
    """The advertised app's number in the App Store; several: the bundle is one of them."""
    bundle: Item | None = None
    """The bid's; null: the itunesitem."""
    fidelities: Annotated[tuple[FidelityType, ...], Meta(min_length=1, max_length=2)] = (0, 1)
    """0: view-through, 1: rendered by StoreKit."""
    productpageid: UUID | None = None
    """Left out where the request knows no product pages."""
    skoverlay: Overlay | None = None
    """Likewise."""
    bid: dict[str, Any] | None = None
    """The bid as it is so far; an object in its `ext.skadn` is checked instead of made."""


async def answer_bid(asked: SkanBid, settings: Settings) -> BidAnswer:
    """What is wrong with `request` or `bid` is a reason in the answer. Raises Invalid for the other fields."""
    keys = signing_keys(settings.skan_networks)
    network = asked.network.strip().lower() if asked.network is not None else None
    if network is not None and network not in keys:
        raise Invalid("network", f"{shown(network)} is no ad network of TOUCHLINE_SKAN_NETWORKS.")
    if len(set(asked.fidelities)) < len(asked.fidelities):
        raise Invalid("fidelities", "names one twice.")
    bid = asked.bid or {}
    items: tuple[str | int, ...] = ()
    if asked.itunesitem is not None:
        items = asked.itunesitem if isinstance(asked.itunesitem, tuple) else (asked.itunesitem,)
    wanted = Wanted(
        network=network,
        campaign_id=asked.campaign_id,
        source_identifier=asked.source_identifier,
        items=items,
        bundle=_first((bid.get("bundle"), asked.bundle, *(items if len(items) == 1 else ()))),
        fidelities=asked.fidelities,
        productpageid=asked.productpageid,
        skoverlay=asked.skoverlay,
    )
    impid = bid.get("impid")
    only = asked.imp if asked.imp is not None else impid if isinstance(impid, str) and impid else None
    numbers = _numbers(settings.skan_list)
    tools = Tools(keys=keys, numbers=numbers, now_ms=time.time_ns() // 1_000_000, new_nonce=uuid4)
    return answer(asked.request, only, bid, wanted, tools)


def _first(said: Sequence[Any]) -> Any:
    return next((one for one in said if values.is_text_or_number(one)), None)


@lru_cache(maxsize=4)
def _numbers(file: str) -> Numbers:
    """Of IAB Tech Lab's list; read once, another file needs another process. Raises ConfigError."""
    if not file:
        return {}
    try:
        with Path(file).open("rb") as opened:
            return numbers_of(parse_list(opened.read(LIST_BYTES_MAX)))
    except OSError as error:
        raise ConfigError(f"TOUCHLINE_SKAN_LIST={file} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise ConfigError(f"TOUCHLINE_SKAN_LIST={file} is no list of ad networks: {error}.") from None
