"""Rows of tracking links."""

from console.api.route import DeletedToo, Page, Route, page
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


class LinksAsked(DeletedToo, frozen=True):
    """Which links."""

    app: Text | None = None
    campaign: Text | None = None


LINKS: tuple[Route, ...] = (
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
)  # fmt: skip
