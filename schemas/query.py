"""The raw query of a tracking link: split by hand, because it runs for every hit."""

from functools import lru_cache
from urllib.parse import unquote

NUL_REPLACEMENT = "\ufffd"

AGAIN_CHARS_MIN, AGAIN_CHARS_MAX, AGAIN_ENTRIES_MAX = 80, 1000, 10_000
"""Long values are mostly user agents, and those come again and again: the last ones are remembered."""

_ASCII = {high + low: chr(int(high + low, 16)) for high in "01234567" for low in "0123456789abcdefABCDEF"}


def split_query(raw: str) -> dict[str, str]:
    """Name → value of a raw query, values as they stand; the first of a name wins, `bare` names map to "".

    Names are decoded and keep the order in which they came. Never raises.
    """
    found: dict[str, str] = {}
    for part in raw.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        if "%" in name or "+" in name:
            name = decode(name)
        if name not in found:
            found[name] = value
    return found


def parse_query(raw: str) -> dict[str, str]:
    """As split_query, with the values decoded: escapes and `+` as UTF-8, bad bytes and NUL become U+FFFD
    (Postgres holds no NUL). Never raises."""
    found = split_query(raw)
    for name, value in found.items():
        if "%" in value or "+" in value:
            found[name] = _decode_again(value) if AGAIN_CHARS_MIN <= len(value) <= AGAIN_CHARS_MAX else decode(value)
    return found


def decode(text: str) -> str:
    """Percent escapes and `+` decoded; what cannot be stored becomes U+FFFD.

    Escapes of ASCII, nearly all there are, are looked up: half the time of the standard library's way.
    """
    if "+" in text:
        text = text.replace("+", " ")
    if "%" not in text:
        return text.replace("\0", NUL_REPLACEMENT) if "\0" in text else text
    first, *rest = text.split("%")
    found = [first]
    for part in rest:
        character = _ASCII.get(part[:2])
        if character is None:
            plain = unquote(text)
            return plain.replace("\0", NUL_REPLACEMENT) if "\0" in plain else plain
        found.append(character)
        found.append(part[2:])
    plain = "".join(found)
    return plain.replace("\0", NUL_REPLACEMENT) if "\0" in plain else plain


_decode_again = lru_cache(maxsize=AGAIN_ENTRIES_MAX)(decode)


def storable(text: str) -> str:
    """The text with every lone surrogate and NUL replaced, so that JSON and Postgres take it."""
    if "\0" in text:
        text = text.replace("\0", NUL_REPLACEMENT)
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    except UnicodeEncodeError:  # a surrogate that stands for no byte
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
