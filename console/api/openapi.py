"""The OpenAPI 3.1 document, made of the table of routes."""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from console.api.errors import Error
from console.api.route import Route

REFUSALS = {
    "400": "The request is no valid HTTP, or its body no JSON.",
    "401": "No token, or one that is unknown, expired or revoked.",
    "403": "The token may not.",
    "404": "There is no such thing, or none that the token may see.",
    "409": "What stands does not allow it.",
    "413": "The body is too large.",
    "422": "A field is wrong: `field` names it.",
    "503": "Postgres does not answer: ask again after `Retry-After` seconds.",
}
_REF = "#/components/schemas/{name}"


def document(routes: Sequence[Route], *, version: str) -> dict[str, Any]:
    """Every route, its parameters, and all it may answer."""
    types = [Error, *(route.answer for route in routes), *(route.body for route in routes if route.body)]
    types += [route.query for route in routes if route.query]
    schemas, components = msgspec.json.schema_components(types, ref_template=_REF)
    schema_of = dict(zip(map(repr, types), schemas, strict=True))
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        operation = _operation(route, schema_of, components)
        operation["responses"][str(route.status)] |= _links(route, routes)
        paths.setdefault(f"/api/v1{route.path}", {})[route.method.lower()] = operation
    for route in routes:
        if route.query:  # they stand as parameters
            components.pop(schema_of[repr(route.query)]["$ref"].rpartition("/")[2], None)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Touchline management", "version": version, "license": {"name": "Apache-2.0"}},
        "security": [{"bearer": []}],
        "paths": paths,
        "components": {"schemas": components, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}},
    }


def _operation(route: Route, schema_of: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    refusals = {status: _refusal(said, schema_of) for status, said in REFUSALS.items()}
    good = {"description": route.does, "content": _json(schema_of[repr(route.answer)])}
    made: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.does,
        "description": f"Needs the role {route.role}.",
        "tags": [route.path.split("/")[1]],
        "parameters": [*_path_parameters(route), *_query_parameters(route, schema_of, components)],
        "responses": {str(route.status): good, **refusals},
    }
    if route.body:
        schema = schema_of[repr(route.body)]
        needed = bool(components[schema["$ref"].rpartition("/")[2]].get("required"))
        made["requestBody"] = {"required": needed, "content": _json(schema)}
    return made


def _links(route: Route, routes: Sequence[Route]) -> dict[str, Any]:
    """What can be asked about the thing that the answer made."""
    if route.status != 201:
        return {}
    found: dict[str, Any] = {}
    for other in routes:
        if match := re.fullmatch(re.escape(route.path) + r"/{(\w+)}(/\w+)?", other.path):
            own = {name: f"$request.path.{name}" for name in re.findall(r"{(\w+)}", route.path)}
            found[other.name] = {"operationId": other.name, "parameters": own | {match[1]: "$response.body#/id"}}
    return {"links": found}


def _refusal(said: str, schema_of: dict[str, Any]) -> dict[str, Any]:
    return {"description": said, "content": _json(schema_of[repr(Error)])}


def _json(schema: dict[str, Any]) -> dict[str, Any]:
    return {"application/json": {"schema": schema}}


def _path_parameters(route: Route) -> list[dict[str, Any]]:
    names = re.findall(r"{(\w+)}", route.path)
    shape = {"type": "string", "minLength": 1, "maxLength": 200}
    return [{"name": name, "in": "path", "required": True, "schema": shape} for name in names]


def _query_parameters(route: Route, schema_of: dict[str, Any], components: dict[str, Any]) -> list[dict[str, Any]]:
    if route.query is None:
        return []
    shape = components[schema_of[repr(route.query)]["$ref"].rpartition("/")[2]]
    return [
        {
            "name": name,
            "in": "query",
            "required": name in shape.get("required", ()),
            "description": schema.get("description", ""),
            "schema": _said(schema),
        }
        for name, schema in shape["properties"].items()
    ]


def _said(schema: dict[str, Any]) -> dict[str, Any]:
    """A query has no null: what is not said is not there."""
    choices = [one for one in schema.get("anyOf", ()) if one != {"type": "null"}]
    kept: dict[str, Any] = {
        name: value for name, value in schema.items() if name != "anyOf" and (name, value) != ("default", None)
    }
    if len(choices) == 1:
        kept.update(choices[0])
    elif choices:
        kept["anyOf"] = choices
    return kept
