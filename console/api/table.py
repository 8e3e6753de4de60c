"""THE table of the API's routes: the router and the OpenAPI document are made of it.

A further resource is further rows: its structs and functions stand in `console.manage`, its queries beside its rows.
"""

from console.api.route import Asked, Limit, Page, Route, page
from console.manage.apps import (
    App,
    AppChange,
    Key,
    NewApp,
    NewKey,
    change_app,
    create_app,
    create_key,
    delete_app,
    list_apps,
    revoke_key,
    show_app,
)
from console.manage.audit import Entry, list_audit
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
from console.manage.links import (
    LinkChange,
    LinkFacts,
    NewLink,
    change_link,
    create_link,
    delete_link,
    list_links,
    show_link,
)
from console.manage.partners import (
    NewPartner,
    Partner,
    PartnerChange,
    change_partner,
    create_partner,
    delete_partner,
    list_partners,
    show_partner,
)
from console.manage.tokens import (
    NewToken,
    Rotation,
    Token,
    create_token,
    list_tokens,
    revoke_token,
    rotate_token,
    show_token,
)


class AppsAsked(Asked, frozen=True):
    """Which apps, and partners."""

    deleted: bool = False


class CampaignsAsked(AppsAsked, frozen=True):
    """Which campaigns."""

    partner: Text | None = None


class LinksAsked(AppsAsked, frozen=True):
    """Which links."""

    app: Text | None = None
    campaign: Text | None = None


class TokensAsked(Asked, frozen=True):
    """Which tokens."""

    revoked: bool = False


class AuditAsked(Asked, frozen=True):
    """Which changes."""

    kind: Text | None = None
    subject: Text | None = None


LIMITED: tuple[Limit, ...] = ("apps", "partner")

ROUTES: tuple[Route, ...] = (
    # apps
    Route(name="list_apps", method="GET", path="/apps", role="read", query=AppsAsked, answer=Page[App],
          does="Apps, by id.",
          call=lambda c: page(
              c.query, list_apps(c.connection, c.query.part, within=c.within, deleted=c.query.deleted))),
    Route(name="create_app", method="POST", path="/apps", role="manage", body=NewApp, answer=App, status=201,
          does="A new app; the texts of its first keys stand in this answer only.", refuses=LIMITED,
          call=lambda c: create_app(c.connection, c.by, c.body)),
    Route(name="show_app", method="GET", path="/apps/{app}", role="read", answer=App,
          does="One app.",
          call=lambda c: show_app(c.connection, c.path["app"])),
    Route(name="change_app", method="PATCH", path="/apps/{app}", role="manage", body=AppChange, answer=App,
          does="What the body names is another way from now on.", refuses=("partner",),
          call=lambda c: change_app(c.connection, c.by, c.path["app"], c.body)),
    Route(name="delete_app", method="DELETE", path="/apps/{app}", role="manage", answer=App,
          does="An app that no link leads to is deleted, its keys are revoked; its rows stay.", refuses=LIMITED,
          call=lambda c: delete_app(c.connection, c.by, c.path["app"])),
    Route(name="create_key", method="POST", path="/apps/{app}/keys", role="manage", body=NewKey, answer=Key, status=201,
          does="A new key of an app; its text stands in this answer only.", refuses=("partner",),
          call=lambda c: create_key(c.connection, c.by, c.path["app"], c.body)),
    Route(name="revoke_key", method="DELETE", path="/apps/{app}/keys/{key}", role="manage", answer=App,
          does="A key counts for nothing any more.", refuses=("partner",),
          call=lambda c: revoke_key(c.connection, c.by, c.path["app"], c.path["key"])),
    # partners
    Route(name="list_partners", method="GET", path="/partners", role="read", query=AppsAsked, answer=Page[Partner],
          does="Partners, by id.",
          call=lambda c: page(
              c.query, list_partners(c.connection, c.query.part, within=c.within, deleted=c.query.deleted))),
    Route(name="create_partner", method="POST", path="/partners", role="manage", body=NewPartner, answer=Partner,
          status=201, does="A new partner.", refuses=LIMITED,
          call=lambda c: create_partner(c.connection, c.by, c.body)),
    Route(name="show_partner", method="GET", path="/partners/{partner}", role="read", answer=Partner,
          does="One partner.",
          call=lambda c: show_partner(c.connection, c.path["partner"])),
    Route(name="change_partner", method="PATCH", path="/partners/{partner}", role="manage", body=PartnerChange,
          answer=Partner, does="What the body names is another way from now on.", refuses=("apps",),
          call=lambda c: change_partner(c.connection, c.by, c.path["partner"], c.body)),
    Route(name="delete_partner", method="DELETE", path="/partners/{partner}", role="manage", answer=Partner,
          does="A partner without campaigns is deleted; its rows stay.", refuses=LIMITED,
          call=lambda c: delete_partner(c.connection, c.by, c.path["partner"])),
    # campaigns
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
    # links
    Route(name="list_links", method="GET", path="/links", role="read", query=LinksAsked, answer=Page[LinkFacts],
          does="Links, the newest first.",
          call=lambda c: page(
              c.query,
              list_links(c.connection, c.query.part, c.settings, within=c.within, app=c.query.app,
                         campaign=c.query.campaign, deleted=c.query.deleted))),
    Route(name="create_link", method="POST", path="/links", role="manage", body=NewLink, answer=LinkFacts, status=201,
          does="A new link, with its addresses ready to copy.", owner="campaign",
          call=lambda c: create_link(c.connection, c.by, c.body, c.settings)),
    Route(name="show_link", method="GET", path="/links/{link}", role="read", answer=LinkFacts,
          does="One link.",
          call=lambda c: show_link(c.connection, c.path["link"], c.settings)),
    Route(name="change_link", method="PATCH", path="/links/{link}", role="manage", body=LinkChange, answer=LinkFacts,
          does="What the body names is another way within a second.", owner="campaign",
          call=lambda c: change_link(c.connection, c.by, c.path["link"], c.body, c.settings)),
    Route(name="delete_link", method="DELETE", path="/links/{link}", role="manage", answer=LinkFacts,
          does="A link leads to the fallback for ever; its touches and its id are kept.",
          call=lambda c: delete_link(c.connection, c.by, c.path["link"], c.settings)),
    # tokens
    Route(name="list_tokens", method="GET", path="/tokens", role="admin", query=TokensAsked, answer=Page[Token],
          does="Tokens, by id; never their texts.",
          call=lambda c: page(c.query, list_tokens(c.connection, c.query.part, revoked=c.query.revoked))),
    Route(name="create_token", method="POST", path="/tokens", role="admin", body=NewToken, answer=Token, status=201,
          does="A new token; its text stands in this answer only.",
          call=lambda c: create_token(c.connection, c.by, c.body)),
    Route(name="show_token", method="GET", path="/tokens/{token}", role="admin", answer=Token,
          does="One token.",
          call=lambda c: show_token(c.connection, c.path["token"])),
    Route(name="rotate_token", method="POST", path="/tokens/{token}/rotate", role="admin", body=Rotation, answer=Token,
          does="Another secret under the same id; the old one is worth nothing at once.",
          call=lambda c: rotate_token(c.connection, c.by, c.path["token"], c.body)),
    Route(name="revoke_token", method="DELETE", path="/tokens/{token}", role="admin", answer=Token,
          does="Nobody signs in with it any more; its row stays.",
          call=lambda c: revoke_token(c.connection, c.by, c.path["token"])),
    # audit
    Route(name="list_audit", method="GET", path="/audit", role="admin", query=AuditAsked, answer=Page[Entry],
          does="Who changed what, the latest first.",
          call=lambda c: page(
              c.query, list_audit(c.connection, c.query.part, kind=c.query.kind, subject=c.query.subject))),
)  # fmt: skip
