"""Rows of partners."""

from console.api.route import LIMITED, DeletedToo, Page, Route, page
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

PARTNERS: tuple[Route, ...] = (
    Route(name="list_partners", method="GET", path="/partners", role="read", query=DeletedToo, answer=Page[Partner],
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
)  # fmt: skip
