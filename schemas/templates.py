"""Which conversions a postback template is for. Pure."""

from typing import Literal, get_args

ConversionEvent = Literal["install", "re-install", "re-engagement"]
"""What only a decision makes of a conversion: an app's event of that name is not meant."""

CONVERSION_EVENTS: tuple[ConversionEvent, ...] = get_args(ConversionEvent)

PAYMENT = "payment"
PAYMENT_NAMES = ("payment", "purchase")
NO_PAYMENT_NAMES = ("ad_revenue",)


def is_payment(name: str, revenue_micros: int | None) -> bool:
    """An event with a revenue above zero that a user paid; or one named so, unless it pays something back."""
    if revenue_micros is None or revenue_micros == 0:
        return name in PAYMENT_NAMES
    return revenue_micros > 0 and name not in NO_PAYMENT_NAMES


def is_of_event(wanted: str, kind: str, name: str | None, revenue_micros: int | None) -> bool:
    """Whether a template for `wanted` tells of a conversion: `kind` is install, re-install, re-engagement or event; of
    an event with its name."""
    if kind != "event" or name is None:
        return kind == wanted
    if wanted == PAYMENT:
        return is_payment(name, revenue_micros)
    return name == wanted and wanted not in CONVERSION_EVENTS
