"""Rows of money: tariffs, corrections, rates of currencies, and what campaigns cost."""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from console.api.route import LIMITED, DeletedToo, Page, Route, number, page, whole
from console.manage.checks import Text
from console.manage.corrections import (
    Correction,
    NewCorrection,
    create_correction,
    delete_correction,
    list_corrections,
    show_correction,
)
from console.manage.forms import LISTED_MAX
from console.manage.money import CampaignMoney, campaign_money
from console.manage.rates import NewRate, Rate, list_rates, set_rate
from console.manage.tariffs import (
    ChangedTariff,
    NewTariff,
    Tariff,
    change_tariff,
    create_tariff,
    delete_tariff,
    list_tariffs,
    show_tariff,
)

Currency = Annotated[str, Meta(pattern="^[A-Z]{3}$")]


class OfCampaign(DeletedToo, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which of them, the newest first."""

    campaign: Text | None = None


class RatesAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which rates, the newest first."""

    currency: Currency | None = None
    since: date | None = None
    limit: Annotated[int, Meta(ge=1, le=LISTED_MAX)] = 100


class MoneyAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which app and UTC days (inclusive), and into which currency it is converted beside its own."""

    app: Text | None = None
    since: date | None = None
    until: date | None = None
    currency: Currency | None = None


TARIFFS: tuple[Route, ...] = (
    Route(name="list_tariffs", method="GET", path="/tariffs", role="read", query=OfCampaign, answer=Page[Tariff],
          does="Tariffs; limited tokens name a campaign.", needs={"apps": "campaign", "partner": "campaign"},
          call=lambda c: page(c.query, list_tariffs(
              c.connection, c.query.part, campaign=c.query.campaign, deleted=c.query.deleted))),
    Route(name="create_tariff", method="POST", path="/tariffs", role="manage", body=NewTariff, answer=Tariff,
          status=201, does="A tariff of a campaign; it prices what is stored from now on.", refuses=("partner",),
          call=lambda c: create_tariff(c.connection, c.by, c.body)),
    Route(name="show_tariff", method="GET", path="/tariffs/{tariff}", role="read", answer=Tariff,
          does="One tariff.",
          call=lambda c: show_tariff(c.connection, number(c, "tariff"))),
    Route(name="change_tariff", method="PATCH", path="/tariffs/{tariff}", role="manage", body=ChangedTariff,
          answer=Tariff, does="A tariff's last day.", refuses=("partner",),
          call=lambda c: change_tariff(c.connection, c.by, number(c, "tariff"), c.body)),
    Route(name="delete_tariff", method="DELETE", path="/tariffs/{tariff}", role="manage", answer=Tariff,
          does="A tariff prices nothing more; what it has priced stays until the campaign is repriced.",
          refuses=("partner",),
          call=lambda c: delete_tariff(c.connection, c.by, number(c, "tariff"))),
)  # fmt: skip

CORRECTIONS: tuple[Route, ...] = (
    Route(name="list_corrections", method="GET", path="/corrections", role="read", query=OfCampaign,
          answer=Page[Correction], does="Corrections; limited tokens name a campaign.",
          needs={"apps": "campaign", "partner": "campaign"},
          call=lambda c: page(c.query, list_corrections(
              c.connection, c.query.part, campaign=c.query.campaign, deleted=c.query.deleted))),
    Route(name="create_correction", method="POST", path="/corrections", role="manage", body=NewCorrection,
          answer=Correction, status=201, does="A sum, spread over the hours of its days.", refuses=("partner",),
          call=lambda c: create_correction(c.connection, c.by, c.body)),
    Route(name="show_correction", method="GET", path="/corrections/{correction}", role="read", answer=Correction,
          does="One correction.",
          call=lambda c: show_correction(c.connection, number(c, "correction"))),
    Route(name="delete_correction", method="DELETE", path="/corrections/{correction}", role="manage",
          answer=Correction, does="A correction counts no more and stays listed.", refuses=("partner",),
          call=lambda c: delete_correction(c.connection, c.by, number(c, "correction"))),
)  # fmt: skip

RATES: tuple[Route, ...] = (
    Route(name="list_rates", method="GET", path="/rates", role="read", query=RatesAsked, answer=Page[Rate],
          does="Units of a currency for one euro, a day each.",
          call=lambda c: whole(list_rates(
              c.connection, currency=c.query.currency, since=c.query.since, limit=c.query.limit))),
    Route(name="set_rate", method="POST", path="/rates", role="manage", body=NewRate, answer=Rate,
          does="The rate of a day, instead of the one it had.", refuses=LIMITED,
          call=lambda c: set_rate(c.connection, c.by, c.body)),
)  # fmt: skip

MONEY: tuple[Route, ...] = (
    Route(name="campaign_money", method="GET", path="/campaigns/{campaign}/money", role="read", query=MoneyAsked,
          answer=CampaignMoney, does="What a campaign cost and earned, exact to the micro-unit.",
          needs={"apps": "app"},
          call=lambda c: campaign_money(
              c.connection, c.path["campaign"], app=c.query.app, since=c.query.since, until=c.query.until,
              currency=c.query.currency)),
)  # fmt: skip
