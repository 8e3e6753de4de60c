"""Rows of Apple's postbacks."""

from console.api.route import LIMITED, Route
from console.manage.skan_postbacks import SkanTransaction, show_transaction

SKAN_POSTBACKS: tuple[Route, ...] = (
    Route(name="show_skan_postbacks", method="GET", path="/skan/postbacks/{transaction}", role="read",
          answer=SkanTransaction, does="Every body that came with an id of Apple's, and what was found of it.",
          refuses=LIMITED,
          call=lambda c: show_transaction(c.connection, c.path["transaction"])),
)  # fmt: skip
