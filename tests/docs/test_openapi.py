"""ingest/openapi.json and the code agree both ways: routes, reasons, fields, bounds, names."""

import ast
import inspect
from itertools import chain
from typing import Any, get_args
from unittest.mock import AsyncMock

import msgspec
import pytest
from openapi_spec_validator import validate

from deploy.demo import LINK
from ingest.app import make_app
from ingest.bodies import ELEMENTS_MAX, DeviceBody, EventBody, InstallBody, RevenueBody, VisitBody
from ingest.hits import form_and_link
from ingest.skan_web import TapBody
from ingest.stated import S2S_PARAMETERS
from ingest.touch import Form
from schemas.events import RESERVED_EVENTS, Referrer
from schemas.identifiers import KINDS
from schemas.rules import OF_INSTALLS
from tests.docs.document import (
    ANYWHERE,
    DOCUMENT,
    ROOT,
    every,
    operations,
    reasons,
    references,
    undocumented,
    validator,
)


def test_the_document_is_valid_openapi() -> None:
    validate(DOCUMENT)


def test_every_example_is_valid_by_its_schema() -> None:
    for one in every(DOCUMENT, "schema"):
        shown = [example["value"] for example in one.get("examples", {}).values()]
        for value in [*shown, *([one["example"]] if "example" in one else [])]:
            validator(one["schema"]).validate(value)
            assert undocumented(value, one["schema"]) == set()


def test_every_component_is_used() -> None:
    used = {node["$ref"] for node in references(DOCUMENT)}
    for kind in ("parameters", "responses", "schemas", "headers"):
        named = {f"#/components/{kind}/{name}" for name in DOCUMENT["components"][kind] if name not in ANYWHERE}
        assert named - used == set()


def test_the_routes_are_those_of_the_app() -> None:
    app = make_app(*(AsyncMock() for _ in inspect.signature(make_app).parameters))
    served = {
        (route.resource.canonical.rstrip("/"), route.method.lower())
        for route in app.router.routes()
        if route.resource is not None
    }
    # the app has no route of its own for `.gif`: the handler reads it off the link's end
    served |= {(f"{path}.gif", method) for path, method in served if path in ("/c/{link}", "/i/{link}")}
    assert {(path, method) for path, method, _ in operations()} == served


def test_the_forms_of_a_link_are_those_the_edge_knows() -> None:
    paths = [path for path in DOCUMENT["paths"] if "{link}" in path]
    asked = [form_and_link(path.replace("{link}", LINK)) for path in paths]
    assert sorted(form for form, _ in asked) == sorted(get_args(Form))
    assert {link for _, link in asked} == {LINK}


def test_the_reasons_are_those_of_the_code() -> None:
    documented = chain.from_iterable(reasons(one) for one in DOCUMENT["components"]["responses"].values())
    everywhere = DOCUMENT["components"]["schemas"]["Problem"]["properties"]["reason"]["enum"]
    said = set().union(*(reasons_in(path.read_text()) for path in (ROOT / "ingest").glob("*.py")))
    assert set(documented) == set(everywhere) == said


def reasons_in(source: str) -> set[str]:
    """The codes that a module puts into Refuse(code, …), problem(status, code, …), `reason=` and `.reason =`."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func).rpartition(".")[2]
            place = {"Refuse": 0, "problem": 1}.get(name)
            if place is not None and place < len(node.args):
                found |= codes(node.args[place])
            for keyword in node.keywords:
                if keyword.arg == "reason" and name == "Outcome":
                    found |= codes(keyword.value)
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]).endswith(".reason"):
            found |= codes(node.value)
    return found


def codes(node: ast.expr) -> set[str]:
    """Constants; `f"missing_{name}"` once for each S2S parameter; what is passed on stands elsewhere."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return {node.value}
    if isinstance(node, ast.JoinedStr):
        assert ast.unparse(node) == "f'missing_{name}'", f"a reason this test cannot read: {ast.unparse(node)}"
        return {f"missing_{name}" for name in S2S_PARAMETERS}
    return set()


@pytest.mark.parametrize(
    ("name", "struct"),
    [
        ("Install", InstallBody),
        ("Event", EventBody),
        ("Visit", VisitBody),
        ("Device", DeviceBody),
        ("Revenue", RevenueBody),
        ("Referrer", Referrer),
        ("Tap", TapBody),
    ],
)
def test_the_fields_of_a_body_are_those_the_edge_reads(name: str, struct: Any) -> None:
    schema = DOCUMENT["components"]["schemas"][name]
    assert set(schema["properties"]) == set(struct.__struct_fields__)
    required = [field.name for field in msgspec.structs.fields(struct) if field.required]
    assert sorted(schema.get("required", [])) == sorted(required)


def test_parameters_bounds_and_reserved_names_are_those_of_the_code() -> None:
    components = DOCUMENT["components"]
    assert {*S2S_PARAMETERS, *KINDS} <= set(components["parameters"])
    assert all(
        f"`{name}`" in components["schemas"]["Event"]["properties"]["name"]["description"] for name in RESERVED_EVENTS
    )
    methods = components["schemas"]["Attribution"]["properties"]["method"]["enum"]
    assert methods == [*OF_INSTALLS]
    bounds = {one["schema"]["maxItems"] for one in every(DOCUMENT, "schema") if "maxItems" in one["schema"]}
    arrays = [one for node in every(DOCUMENT, "schema") for one in node["schema"].get("oneOf", []) if "maxItems" in one]
    assert {one["maxItems"] for one in arrays} | bounds == {ELEMENTS_MAX}
