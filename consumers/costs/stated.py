"""What a touch says that it costs: `mt_cost_*` (MyTracker), and Adjust's `cost_type`, `cost_amount`, `cost_currency`.

Pure. Whoever says CPC is asked for on clicks, CPM on impressions, CPI when the touch brings an install: the same
parameters may stand in both addresses of a link.
"""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from consumers.costs.pricing import exactly
from schemas.events import TouchKind
from schemas.money import is_currency

StatedModel = Literal["cpi", "cpc", "cpm"]

BAD_COST: Final = "bad_cost"
"""Flag of a touch whose cost cannot be read, and does not count."""

PRICED_BY: dict[TouchKind, Literal["cpc", "cpm"]] = {"click": "cpc", "impression": "cpm"}

_MODELS: dict[str, StatedModel] = {"cpi": "cpi", "cpc": "cpc", "cpm": "cpm"}
_AMOUNT = re.compile(r"([0-9]{1,9})(?:\.([0-9]{0,9}))?")
_COUNT = re.compile(r"[1-9][0-9]{0,5}")
_NANO_DECIMALS = 9
_NAMES = ("value", "model", "currency", "count")


class Stated(NamedTuple):
    """The cost of a touch, or of the install that it brings."""

    model: StatedModel
    currency: str
    nanos: Decimal


def says_a_cost(parameters: Mapping[str, str]) -> bool:
    """Whether there is anything to read: nearly never, and looked at for every touch."""
    return "mt_cost_value" in parameters or "cost_amount" in parameters


def stated_cost(parameters: Mapping[str, str]) -> Stated | None:
    """Value × count; CPM: of a thousand. None: nothing is said. Raises ValueError for what cannot be read."""
    value, model, currency, count = (parameters.get(f"mt_cost_{name}", "") for name in _NAMES)
    if not value:
        value, model, currency = (parameters.get(f"cost_{name}", "") for name in ("amount", "type", "currency"))
        count = ""
    if not value:
        return None
    amount, known, currency = _AMOUNT.fullmatch(value), _MODELS.get(model.lower()), currency.upper()
    if amount is None or known is None or not is_currency(currency) or not _COUNT.fullmatch(count or "1"):
        raise ValueError("the cost cannot be read")
    nanos = int(amount[1] + (amount[2] or "").ljust(_NANO_DECIMALS, "0")) * int(count or "1")
    return Stated(known, currency, exactly(nanos, 3 if known == "cpm" else 0))


def read_stated(kind: TouchKind, parameters: Mapping[str, str]) -> tuple[Stated | None, tuple[str, ...]]:
    """What the touch itself costs by its partner's word; and the flag when that cannot be read."""
    if not says_a_cost(parameters):
        return None, ()
    try:
        said = stated_cost(parameters)
    except ValueError:
        return None, (BAD_COST,)
    return (said if said is not None and said.model == PRICED_BY[kind] and said.nanos else None), ()
