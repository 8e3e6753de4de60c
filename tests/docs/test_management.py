"""docs/management.md names what there is."""

import re
from pathlib import Path
from typing import get_args

from console.api.openapi import REFUSALS
from console.api.table import ROUTES
from schemas.tokens import Role

PAGE = (Path(__file__).parents[2] / "docs" / "management.md").read_text()


def test_every_resource_is_in_its_table() -> None:
    named = set(re.findall(r"`/([a-z-]+)(?:`|/\{)", PAGE))
    assert named == {route.path.split("/")[1] for route in ROUTES}


def test_every_curl_asks_for_a_route() -> None:
    asked = re.findall(r"(?:-X (\w+) )?http://localhost:8081/api/v1(/[^\s?]+)\S*( \\\n  -d)?", PAGE)
    assert len(asked) == 4
    routes = [(route.method, re.sub(r"{\w+}", "[^/]+", route.path)) for route in ROUTES]
    for method, path, body in asked:
        wanted = method or ("POST" if body else "GET")
        assert any(wanted == one and re.fullmatch(pattern, path) for one, pattern in routes), (wanted, path)


def test_every_status_and_role_is_explained() -> None:
    assert set(re.findall(r"^\| (\d{3}) \|", PAGE, re.MULTILINE)) == set(REFUSALS)
    assert all(f"`{role}`" in PAGE for role in get_args(Role))
