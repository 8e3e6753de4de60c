"""Rows of what Apple's postbacks mean: conversion values, sources, and the report."""

from datetime import date
from typing import Annotated

import msgspec
from msgspec import Meta

from console.api.route import DeletedToo, Page, Route, number, page
from console.manage.checks import Text
from console.manage.skan_figures import DIMENSIONS
from console.manage.skan_report import SkanReport, skan_report
from console.manage.skan_schemas import SkanSchema, set_skan_schema, show_skan_schema
from console.manage.skan_sources import NewSource, Source, create_source, delete_source, list_sources
from schemas.skan.values import ConversionValues

_NAME = f"({'|'.join(DIMENSIONS)})"


class SourcesAsked(DeletedToo, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which sources, by id."""

    app: Text | None = None
    campaign: Text | None = None


class SkanReportAsked(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of what, of which UTC days of receipt (inclusive; the last 30 unless said), and by what."""

    app: Text | None = None
    campaign: Text | None = None
    since: date | None = None
    until: date | None = None
    by: Annotated[str, Meta(pattern=f"^{_NAME}(,{_NAME})*$")] | None = None
    """Names with commas between: day, app, campaign, source, network, framework, sequence."""


SKAN_MEANING: tuple[Route, ...] = (
    Route(name="show_skan_schema", method="GET", path="/skan/schemas/{app}", role="read", answer=SkanSchema,
          does="What an app's conversion values mean now.", refuses=("partner",),
          call=lambda c: show_skan_schema(c.connection, c.path["app"])),
    Route(name="set_skan_schema", method="POST", path="/skan/schemas/{app}", role="manage", body=ConversionValues,
          answer=SkanSchema, status=201, refuses=("partner",),
          does="What an app's conversion values mean, in postbacks received from now on.",
          call=lambda c: set_skan_schema(c.connection, c.by, c.path["app"], c.body)),
    Route(name="list_skan_sources", method="GET", path="/skan/sources", role="read", query=SourcesAsked,
          answer=Page[Source], does="Campaign-ids and source identifiers, and the campaigns they stand for.",
          call=lambda c: page(c.query, list_sources(
              c.connection, app=c.query.app, campaign=c.query.campaign, deleted=c.query.deleted, within=c.within,
              part=c.query.part))),
    Route(name="create_skan_source", method="POST", path="/skan/sources", role="manage", body=NewSource,
          answer=Source, status=201, does="Which campaign a campaign-id or a source identifier stands for.",
          refuses=("partner",),
          call=lambda c: create_source(c.connection, c.by, c.body)),
    Route(name="delete_skan_source", method="DELETE", path="/skan/sources/{skan_source}", role="manage",
          answer=Source, does="A source stands for nothing any more.", refuses=("partner",),
          call=lambda c: delete_source(c.connection, c.by, number(c, "skan_source"))),
    Route(name="skan_report", method="GET", path="/skan/report", role="read", query=SkanReportAsked,
          answer=SkanReport, does="Figures of the postbacks that verify, each once; beside device-level installs.",
          refuses=("partner",), needs={"apps": "app"},
          call=lambda c: skan_report(
              c.connection, app=c.query.app, campaign=c.query.campaign, since=c.query.since, until=c.query.until,
              by=c.query.by)),
)  # fmt: skip
