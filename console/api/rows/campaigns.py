"""Rows of campaigns."""

from console.api.route import DeletedToo, Page, Route, page
from console.manage.campaigns import (
    Campaign,
    CampaignChange,
    NewCampaign,
    change_campaign,
    create_campaign,
    delete_campaign,
    list_campaigns,
    show_campaign,
)
from console.manage.checks import Text


class CampaignsAsked(DeletedToo, frozen=True):
    """Which campaigns."""

    partner: Text | None = None


CAMPAIGNS: tuple[Route, ...] = (
    Route(name="list_campaigns", method="GET", path="/campaigns", role="read", query=CampaignsAsked,
          answer=Page[Campaign], does="Campaigns, by id.",
          call=lambda c: page(
              c.query,
              list_campaigns(c.connection, c.query.part, within=c.within, partner=c.query.partner,
                             deleted=c.query.deleted))),
    Route(name="create_campaign", method="POST", path="/campaigns", role="manage", body=NewCampaign, answer=Campaign,
          status=201, does="A new campaign.", refuses=("apps",), owner="partner",
          call=lambda c: create_campaign(c.connection, c.by, c.body)),
    Route(name="show_campaign", method="GET", path="/campaigns/{campaign}", role="read", answer=Campaign,
          does="One campaign.",
          call=lambda c: show_campaign(c.connection, c.path["campaign"], within=c.within)),
    Route(name="change_campaign", method="PATCH", path="/campaigns/{campaign}", role="manage", body=CampaignChange,
          answer=Campaign, does="What the body names is another way from now on.", refuses=("apps",), owner="partner",
          call=lambda c: change_campaign(c.connection, c.by, c.path["campaign"], c.body)),
    Route(name="delete_campaign", method="DELETE", path="/campaigns/{campaign}", role="manage", answer=Campaign,
          does="A campaign without links is deleted; its rows stay.", refuses=("apps",),
          call=lambda c: delete_campaign(c.connection, c.by, c.path["campaign"])),
)  # fmt: skip
