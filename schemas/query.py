"""The raw query of a tracking link: split by hand, because it runs for every hit."""

from urllib.parse import unquote_plus

NUL_REPLACEMENT = "\ufffd"


def parse_query(raw: str) -> dict[str, str]:
    """Name → value of a raw query; the first value of a name wins, `bare` names map to "".

    Percent escapes and `+` are decoded as UTF-8, bad bytes and NUL become U+FFFD
    (Postgres holds no NUL). Names keep the order in which they came. Never raises.
    """
    found: dict[str, str] = {}
    for part in raw.split("&"):
        if not part:
            continue
        name, _, value = part.partition("=")
        if "%" in name or "+" in name:
            name = decode(name)
        if name not in found:
            found[name] = decode(value) if "%" in value or "+" in value else value
    return found


def decode(text: str) -> str:
    """Percent escapes and `+` decoded; what cannot be stored becomes U+FFFD."""
    plain = unquote_plus(text)
    return plain.replace("\0", NUL_REPLACEMENT) if "\0" in plain else plain


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
