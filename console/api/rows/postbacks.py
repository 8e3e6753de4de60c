"""Rows of postbacks: their templates, what was sent, and what became of it."""

import msgspec

from console.api.route import DeletedToo, Page, Route, number, page, whole
from console.manage.checks import Text
from console.manage.postbacks import Postback, PostbackFilter, list_postbacks, resend_postback, show_postback
from console.manage.profile_templates import OfferedTemplates, create_offered
from console.manage.templates import (
    ChangedTemplate,
    NewTemplate,
    Template,
    change_template,
    create_template,
    delete_template,
    list_templates,
    show_template,
)
from console.manage.trials import Trial, try_template


class TemplatesAsked(DeletedToo, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which templates, the newest first."""

    app: Text | None = None
    partner: Text | None = None


class TrialAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """With whose values a template is tried out, and whether the request is sent."""

    install_id: Text | None = None
    send: bool = False


TEMPLATES: tuple[Route, ...] = (
    Route(name="list_postback_templates", method="GET", path="/postback-templates", role="read",
          query=TemplatesAsked, answer=Page[Template], does="Templates of postbacks.",
          needs={"apps": "app", "partner": "partner"},
          call=lambda c: page(c.query, list_templates(
              c.connection, c.query.part, app=c.query.app, partner=c.query.partner, deleted=c.query.deleted))),
    Route(name="create_postback_template", method="POST", path="/postback-templates", role="manage",
          body=NewTemplate, answer=Template, status=201, does="A template: from now on its event is told.",
          owner="partner",
          call=lambda c: create_template(c.connection, c.by, c.body)),
    Route(name="create_offered_templates", method="POST", path="/partners/{partner}/postback-templates", role="manage",
          body=OfferedTemplates, answer=Page[Template], status=201,
          does="The templates that a partner's profile offers; those of a draft are off.",
          call=lambda c: whole(create_offered(c.connection, c.by, c.path["partner"], c.body))),
    Route(name="show_postback_template", method="GET", path="/postback-templates/{postback_template}", role="read",
          answer=Template, does="One template.",
          call=lambda c: show_template(c.connection, number(c, "postback_template"))),
    Route(name="change_postback_template", method="PATCH", path="/postback-templates/{postback_template}",
          role="manage", body=ChangedTemplate, answer=Template, does="What the body names is another way from now on.",
          call=lambda c: change_template(c.connection, c.by, number(c, "postback_template"), c.body)),
    Route(name="delete_postback_template", method="DELETE", path="/postback-templates/{postback_template}",
          role="manage", answer=Template, does="Nobody is told by it any more.",
          call=lambda c: delete_template(c.connection, c.by, number(c, "postback_template"))),
    Route(name="try_postback_template", method="POST", path="/postback-templates/{postback_template}/trials",
          role="manage", body=TrialAsked, answer=Trial,
          does="The request with its macros replaced, by sample values or an install's; sent when asked for.",
          call=lambda c: try_template(
              c.connection, c.by, number(c, "postback_template"), install_id=c.body.install_id, send=c.body.send)),
)  # fmt: skip

POSTBACKS: tuple[Route, ...] = (
    Route(name="list_postbacks", method="GET", path="/postbacks", role="read", query=PostbackFilter,
          answer=Page[Postback], does="Postbacks, the newest first; those before an id.",
          needs={"apps": "app", "partner": "partner"},
          call=lambda c: whole(list_postbacks(c.connection, c.query))),
    Route(name="show_postback", method="GET", path="/postbacks/{postback}", role="read", answer=Postback,
          does="One postback with its attempts.",
          call=lambda c: show_postback(c.connection, number(c, "postback"))),
    Route(name="resend_postback", method="POST", path="/postbacks/{postback}/resend", role="manage", answer=Postback,
          does="It is sent once more, with the same Idempotency-Key.",
          call=lambda c: resend_postback(c.connection, c.by, number(c, "postback"))),
)  # fmt: skip
