"""ingest/openapi.json, read for the tests: its operations, reasons and schemas."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from jsonschema import Draft202012Validator

ROOT = Path(__file__).parents[2]
DOCUMENT: dict[str, Any] = json.loads((ROOT / "ingest" / "openapi.json").read_bytes())
METHODS = ("get", "head", "post", "options")
ANYWHERE = ("UnknownPath", "MethodNotAllowed", "ExpectationFailed", "InternalError", "NotHttp")
"""Answers that belong to no path of the document."""


def resolved(node: dict[str, Any]) -> dict[str, Any]:
    """The component that a `$ref` names."""
    if "$ref" not in node:
        return node
    found: Any = DOCUMENT
    for key in node["$ref"].removeprefix("#/").split("/"):
        found = found[key]
    assert isinstance(found, dict)
    return found


def operations() -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield path, method, item[method]


def reasons(response: dict[str, Any]) -> list[str]:
    header = response.get("headers", {}).get("X-Touchline-Reason")
    return list(header["schema"]["enum"]) if header else []


def validator(schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": DOCUMENT["components"]})


def undocumented(body: object, schema: dict[str, Any]) -> set[str]:
    """Fields of an object that its schema does not name: schemas let them pass, because versions add fields."""
    if not isinstance(body, dict):
        return set()
    schema = resolved(schema)
    if "oneOf" in schema:
        schema = next(one for one in map(resolved, schema["oneOf"]) if one["type"] == "object")
    if "properties" not in schema:
        return set()
    known = schema["properties"]
    return set(body) - set(known) | set().union(
        *(undocumented(body[name], known[name]) for name in body if name in known)
    )


def every(node: object, key: str) -> Iterator[dict[str, Any]]:
    """Every object of the document with this key."""
    if isinstance(node, dict):
        if key in node and isinstance(node[key], dict):
            yield node
        for value in node.values():
            yield from every(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from every(value, key)


def references(node: object) -> Iterator[dict[str, str]]:
    if isinstance(node, dict):
        if isinstance(node.get("$ref"), str):
            yield node
        for value in node.values():
            yield from references(value)
    elif isinstance(node, list):
        for value in node:
            yield from references(value)
