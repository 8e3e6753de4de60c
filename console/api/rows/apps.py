"""Rows of apps and their keys."""

from console.api.route import LIMITED, DeletedToo, Page, Route, page
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

APPS: tuple[Route, ...] = (
    Route(name="list_apps", method="GET", path="/apps", role="read", query=DeletedToo, answer=Page[App],
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
)  # fmt: skip
