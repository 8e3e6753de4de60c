"""`touchline skan show`: what came with a transaction id, and what was found of it."""

from typing import Annotated

import msgspec
import typer

from console.manage.skan_postbacks import show_transaction
from console.skan.commands import skan
from process.terminal import Command, Json, page, print_json, table, with_postgres


@skan.command("show", cls=Command)
def show(
    transaction: Annotated[str, typer.Argument(metavar="TRANSACTION_ID", help="Or a postback-identifier.")],
    json: Json = False,
) -> None:
    """Every body that came with an id: which one counts, and why the others do not."""
    found = with_postgres(lambda connection: show_transaction(connection, transaction))
    if json:
        print_json(msgspec.to_builtins(found))
        return
    rows = [
        (f"{one.received_at:%Y-%m-%d %H:%M:%S}", one.framework, one.version or "", one.verdict, one.reason)
        for one in found.postbacks
    ]
    page().print(table(("received (UTC)", "framework", "version", "verdict", "reason"), rows))
    page().print(f"\n{msgspec.json.encode(found.postbacks[0].body).decode()}", markup=False, soft_wrap=True)
