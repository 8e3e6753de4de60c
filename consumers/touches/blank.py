"""A row of `touches` without what identifies a device; what was counted stays. Pure."""

from typing import Any

from consumers.touches.row import COLUMNS
from schemas.forgetting import FLAG

BLANK: dict[str, Any] = {
    **dict.fromkeys(("click_id", "external_click_id", "ip")),
    **dict.fromkeys(("ua", "os_version", "brand", "model", "browser", "language", "query"), ""),
    **dict.fromkeys(("headers",), "{}"),
    **dict.fromkeys(("device_sha1_key", "device_md5_key", "click_key", "external_click_key", "print_key")),
}
"""As `blank_touches` in schemas/sql/forget.sql leaves the row."""

_FLAGS = COLUMNS.index("flags")


def blank_touch(values: tuple[Any, ...]) -> tuple[Any, ...]:
    """The values of `consumers.touches.row.COLUMNS`, blanked and flagged."""
    blank = dict(zip(COLUMNS, values, strict=True)) | BLANK | {"flags": [*values[_FLAGS], FLAG]}
    return tuple(blank.values())
