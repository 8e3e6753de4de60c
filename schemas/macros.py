"""Macros: `{name}` in the address and the body of a postback, replaced so that no value leaves its place. Pure.

Values come from clicks and SDKs: nobody knows what stands in them. In an address they are percent-encoded, in a JSON
text they are strings, or values of their own. Scheme and host are never replaced, nor names of parameters and members:
`check_url` and `check_json` refuse macros there when a template is made.
"""

import re
from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from schemas.query import storable

URL_VALUE_CHARS_MAX = 2000
"""A longer value is empty in an address: cut short it would say something else."""
NUMBER_CHARS_MAX = 20

_MACRO = re.compile(r"\{([A-Za-z0-9_.-]{1,64})\}")
_ORIGIN = re.compile(r"https?://[^/?#\\]*", re.IGNORECASE)
_TAIL = re.compile(r"[?#]")
_DOTS = re.compile(r"(?:\.|%2e){1,2}", re.IGNORECASE)
"""Path segments that lead elsewhere, as browsers and HTTP clients read them (WHATWG URL)."""
_JSON_PARTS = re.compile(r'("(?:[^"\\]|\\.)*")(\s*:)?|\{([A-Za-z0-9_.-]{1,64})\}', re.DOTALL)
_NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?")
_WORDS = ("true", "false", "null")
_SAMPLES = ("", "x", "0")

_encode = msgspec.json.Encoder().encode


class JsonText(str):
    """A value that is a JSON text itself: outside quotes it stands as it is."""

    __slots__ = ()


def macros_in(text: str) -> list[str]:
    """The names of its macros, each once, in their order."""
    return list(dict.fromkeys(_MACRO.findall(text)))


def expand_url(template: str, values: Mapping[str, str]) -> str:
    """The address with its macros replaced: percent-encoded in path, query and fragment; unknown ones are empty.

    Scheme, host, the number of path segments and the parameters with their names stay what they are in the template.
    """
    origin = _ORIGIN.match(template)
    if origin is None:
        return template
    rest = template[origin.end() :]
    tail = _TAIL.search(rest)
    path = rest[: tail.start()] if tail else rest
    segments = [_segment(one, values) for one in path.split("/")]
    return origin[0] + "/".join(segments) + _filled(rest[len(path) :], values)


def expand_json(template: str, values: Mapping[str, str]) -> str:
    """The JSON text with its macros replaced: escaped in strings; outside quotes a value of its own, which is a number,
    true, false, null (also when it is empty), what was JSON already, or a string."""

    def replaced(match: re.Match[str]) -> str:
        text, colon, name = match.groups()
        if name is not None:
            return _json_value(values.get(name, ""))
        return match[0] if colon else _MACRO.sub(lambda one: _json_escaped(values.get(one[1], "")), text)

    return _JSON_PARTS.sub(replaced, template)


def check_url(template: str) -> None:
    """Raises ValueError with the end of a sentence that begins with the address."""
    origin = _ORIGIN.match(template)
    if origin is None:
        raise ValueError("does not start with http:// or https://")
    if "{" in origin[0]:
        raise ValueError("has a macro in its host: whoever fills it would choose who is told")
    path, _, query = template[origin.end() :].partition("#")[0].partition("?")
    for one in path.split("/"):
        if _DOTS.fullmatch(_filled(one, {})):
            raise ValueError("has a path segment of dots, which leads elsewhere")
    for parameter in query.split("&"):
        if _MACRO.search(parameter.partition("=")[0]):
            raise ValueError("has a macro in the name of a parameter: write name={macro}")


def check_json(template: str) -> None:
    """Raises ValueError with the end of a sentence that begins with the body."""
    for text, colon, _ in _JSON_PARTS.findall(template):
        if colon and _MACRO.search(text):
            raise ValueError("has a macro in the name of a member: only values are replaced")
    names = macros_in(template)
    for sample in _SAMPLES:
        try:
            msgspec.json.decode(expand_json(template, dict.fromkeys(names, sample)))
        except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
            raise ValueError(f"is no JSON once its macros are replaced: {error}") from None


def _segment(template: str, values: Mapping[str, str]) -> str:
    made = _filled(template, values)
    # "..", given as a value, would lead to another path
    return _filled(template, {}) if made != template and _DOTS.fullmatch(made) else made


def _filled(template: str, values: Mapping[str, str]) -> str:
    return _MACRO.sub(lambda match: _percent_encoded(values.get(match[1], "")), template)


def _percent_encoded(value: str) -> str:
    return quote(storable(value), safe="") if len(value) <= URL_VALUE_CHARS_MAX else ""


def _json_escaped(value: str) -> str:
    return _encode(str(storable(value))).decode()[1:-1]


def _json_value(value: str) -> str:
    if not value:
        return "null"
    if isinstance(value, JsonText) or value in _WORDS:
        return value
    if len(value) <= NUMBER_CHARS_MAX and _NUMBER.fullmatch(value):
        return value
    return f'"{_json_escaped(value)}"'
