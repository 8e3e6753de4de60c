"""`touchline link sheet`: what an ad network needs to know to send pings to a link, on one page."""

import sys

import msgspec

from console.links import LinkId, links
from console.manage.profiles import kept_parameters
from console.profiles import shipped
from console.sheet_page import Facts, sheet_page
from console.urls import edge_of
from process.terminal import Command, settings, with_postgres
from schemas.errors import TouchlineError
from schemas.links import Protection
from schemas.sql import load

_macros = msgspec.json.Decoder(dict[str, str])
_protection = msgspec.json.Decoder(Protection)


@links.command("sheet", cls=Command)
def sheet(link: LinkId) -> None:
    """Print the S2S integration sheet of a link as one HTML file, for the ad network: its parameters with the network's
    macros, an example, the answers. touchline link sheet ID > sheet.html"""
    row = with_postgres(lambda connection: connection.fetchrow(load("bulk_links")["sheet"], link))
    if row is None:
        raise TouchlineError(f"link {link!r} does not exist; `touchline link list` names those that do.")
    protection = _protection.decode(row["protection"]) if row["protection"] else Protection()
    facts = Facts(
        link=row["id"],
        title=row["title"],
        app=row["app_title"] or row["app"],
        partner=row["partner_title"],
        edge=edge_of(settings().printed_url(), row["host"]),
        macros=_macros_of(row["profile"], row["parameters"]),
        signed=bool(protection.secrets),
        addresses=protection.addresses,
    )
    sys.stdout.write(sheet_page(facts))


def _macros_of(profile: str | None, own: str | None) -> dict[str, str]:
    """Our parameter → the partner's macro: its profile's and its own; those of one platform only are left out."""
    kept = kept_parameters(shipped().get(profile) if profile is not None else None, _macros.decode(own or "{}"))
    return {name: macro for name, macro in kept.items() if "@" not in name}
