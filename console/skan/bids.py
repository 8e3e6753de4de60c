"""`touchline skan bid`: SKAdNetwork's object for a bid, or why there is none."""

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from console.manage.skan_bids import SkanBid, answer_bid
from console.skan.commands import skan
from console.skan_bids.answering import BidAnswer
from process.terminal import Command, Json, page, print_json, settings, table
from schemas.errors import ConfigError

BYTES_MAX = 2**20
"""As the API takes."""

OVERLAY_HELP = """JSON of its delays and flags, such as '{"delay": 5, "pos": 1}'."""


_SIGNATURE = {None: "made", True: "verified", False: "of another network"}


@skan.command("bid", cls=Command)
def bid(
    request: Annotated[str, typer.Argument(metavar="FILE", help="A bid request, JSON; - reads standard input.")],
    imp: Annotated[str | None, typer.Option(metavar="ID", help="Only this impression.")] = None,
    network: Annotated[str | None, typer.Option(help="Of ours; else the first that the request lists.")] = None,
    campaign_id: Annotated[str | None, typer.Option(help="1 to 100, for versions up to 3.0.")] = None,
    source_identifier: Annotated[str | None, typer.Option(help="Four digits, for version 4.0.")] = None,
    itunesitem: Annotated[
        list[str] | None, typer.Option(metavar="NUMBER", help="The advertised app in the App Store; may be repeated.")
    ] = None,
    bundle: Annotated[str | None, typer.Option(help="The bid's; else the itunesitem.")] = None,
    fidelity: Annotated[
        list[int] | None, typer.Option(metavar="0|1", help="View-through or StoreKit-rendered; else both.")
    ] = None,
    productpageid: Annotated[str | None, typer.Option(metavar="UUID", help="A custom product page.")] = None,
    skoverlay: Annotated[str | None, typer.Option(metavar="JSON", help=OVERLAY_HELP)] = None,
    of: Annotated[
        str | None,
        typer.Option("--bid", metavar="FILE", help="A bid, JSON: an object in its ext.skadn is checked instead."),
    ] = None,
    json: Json = False,
) -> None:
    """SKAdNetwork's object for a bid on each impression of an OpenRTB 2.x request, signed; or why there is none.

    touchline skan bid request.json --itunesitem 123456789 --campaign-id 45 --source-identifier 4321
    """
    stated: dict[str, Any] = {
        "request": _read("FILE", request),
        "imp": imp,
        "network": network,
        "campaign_id": campaign_id,
        "source_identifier": source_identifier,
        "itunesitem": itunesitem or None,
        "bundle": bundle,
        "fidelities": fidelity or None,
        "productpageid": productpageid,
        "skoverlay": None if skoverlay is None else _decoded("skoverlay", skoverlay.encode()),
        "bid": None if of is None else _read("bid", of),
    }
    try:
        asked = msgspec.convert({name: value for name, value in stated.items() if value is not None}, SkanBid)
    except msgspec.ValidationError as error:
        said, _, where = str(error).partition(" - at `$.")
        raise ConfigError(f"{where.rstrip('`') or 'FILE'}: {said}.") from None
    found = asyncio.run(answer_bid(asked, settings()))
    if json:
        print_json(msgspec.to_builtins(found))
    else:
        _print(found)


def _read(what: str, file: str) -> Any:
    """The JSON in a file. Raises ConfigError."""
    try:
        if file == "-":
            content = sys.stdin.buffer.read(BYTES_MAX + 1)
        else:
            with Path(file).open("rb") as opened:
                content = opened.read(BYTES_MAX + 1)
    except OSError as error:
        raise ConfigError(f"{what} {file!r} cannot be read: {error.strerror}.") from None
    if len(content) > BYTES_MAX:
        raise ConfigError(f"{what} {file!r} is larger than 1 MiB.")
    return _decoded(what, content)


def _decoded(what: str, content: bytes) -> Any:
    try:
        return msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{what} is no JSON: {error}.") from None


def _print(found: BidAnswer) -> None:
    out = page()
    rows = [
        (
            one.imp or "",
            one.skadn.version if one.skadn else "",
            _SIGNATURE[one.signature_checked] if one.skadn else "",
            one.reason or "",
            one.loss_reason or "",
            one.detail or "",
        )
        for one in found.imps
    ]
    if rows:
        out.print(table(("impression", "version", "signature", "reason", "loss reason", ""), rows))
    if found.detail is not None:
        out.print(f"Note: {found.detail}", style="yellow")
    for one in found.imps:
        if one.skadn is not None:
            out.print(f"\n{msgspec.json.encode(one.skadn).decode()}", markup=False, soft_wrap=True)
