"""The S2S integration sheet of a link: one HTML page for the people of an ad network, to print or to send. Pure.

Nothing on it is fetched from anywhere, and it holds no secret.
"""

from collections.abc import Mapping, Sequence
from html import escape
from typing import NamedTuple

PARAMETERS: tuple[tuple[str, str, str], ...] = (
    ("device_ip", "always", "Address of the device, IPv4 or IPv6; or its network, as 192.0.2.0/24."),
    ("device_ua", "always", "User agent of the device, percent-encoded."),
    (
        "click_timestamp",
        "always",
        "When the click or view happened: UTC seconds since 1970. Older than 12 hours: too late.",
    ),
    ("noredirect", "always", "Without a value: answer the ping, redirect nobody."),
    (
        "click_id",
        "clicks",
        "Your id of this click. It comes back in postbacks; a second one within 7 days is a duplicate.",
    ),
    ("google_aid", "Android", "Google advertising id; google_aid_sha1 or google_aid_md5 for its hash."),
    ("oaid", "Huawei", "Open advertising id; oaid_sha1, oaid_md5 likewise."),
    ("ios_ifa", "iOS", "Identifier for advertisers; ios_ifa_sha1, ios_ifa_md5 likewise."),
    ("mt_network", "", "Sub ids for reports: network, …"),
    ("mt_campaign", "", "… campaign, …"),
    ("mt_adset", "", "… ad set, …"),
    ("mt_creative", "", "… creative, …"),
    ("mt_medium", "", "… medium, …"),
    ("mt_sub1", "", "… and five of your own, mt_sub1 to mt_sub5."),
)
"""Name, when it is needed, meaning."""

ANSWERS: tuple[tuple[str, str, str], ...] = (
    ("204", "Stored safely.", "Nothing."),
    (
        "400",
        "A parameter is missing or wrong; X-Touchline-Reason and the body name it.",
        "Correct it, do not repeat it.",
    ),
    ("404", "There is no such link.", "Check the address."),
    ("503", "It could not be stored safely.", "Send it again after Retry-After seconds."),
)
REFUSED = (
    "403",
    "The ping does not prove that it is yours: bad_signature, expired or bad_sender.",
    "Check the signature, the clock and the sending address.",
)

STYLE = (
    "body{font:15px/1.45 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "h1{font-size:1.5rem}h2{font-size:1.1rem;margin-top:2rem}table{border-collapse:collapse;width:100%}"
    "th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-bottom:1px solid #ccc}"
    "code,pre{font:13px/1.45 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}"
    "pre{background:#f4f4f4;padding:.7rem;border-radius:4px}"
    "@media print{body{margin:0}h2{break-after:avoid}tr,pre{break-inside:avoid}}"
)


class Facts(NamedTuple):
    """What the sheet says."""

    link: str
    title: str
    app: str
    partner: str | None
    edge: str
    """Where people reach the edge, or the link's own host: `https://go.example`."""
    macros: Mapping[str, str]
    """Our name → the partner's macro."""
    signed: bool = False
    addresses: Sequence[str] = ()


def sheet_page(facts: Facts) -> str:
    """The whole page."""
    whose = f" for {facts.partner}" if facts.partner else ""
    rows = [
        (f"<code>{escape(name)}</code>", escape(need), escape(meaning), f"<code>{escape(_macro(facts, name))}</code>")
        for name, need, meaning in _parameters(facts)
    ]
    answers = [*ANSWERS[:2], *([REFUSED] if facts.signed or facts.addresses else []), *ANSWERS[2:]]
    parts = [
        f"<h1>Server-to-server pings{escape(whose)}</h1>",
        _table((), [("Link", f"<code>{escape(facts.link)}</code>"), *_titled(facts), ("App", escape(facts.app))]),
        "<h2>Addresses</h2>",
        f"<p>A click:</p><pre>{escape(_template(facts, 'c'))}</pre>",
        f"<p>A view:</p><pre>{escape(_template(facts, 'i'))}</pre>",
        "<p>One GET for each click or view, over HTTPS, with the connection kept open between them. Replace the macros"
        " by their values, percent-encoded; leave out what you do not know.</p>",
        "<h2>Parameters</h2>",
        _table(("Name", "Needed", "Meaning", "Your macro"), rows),
        "<h2>Example</h2>",
        f"<pre>{escape(_example(facts))}</pre>",
        "<pre>HTTP/1.1 204 No Content</pre>",
        *_proof(facts),
        "<h2>Answers</h2>",
        _table(("Status", "Meaning", "What to do"), [(escape(a), escape(b), escape(c)) for a, b, c in answers]),
    ]
    title = escape(f"S2S pings of link {facts.link}")
    head = f'<head><meta charset="utf-8"><title>{title}</title><style>{STYLE}</style></head>'
    return f'<!doctype html><html lang="en">{head}<body>\n' + "\n".join(parts) + "\n</body></html>\n"


def _titled(facts: Facts) -> list[tuple[str, str]]:
    return [("Title", escape(facts.title))] if facts.title else []


def _parameters(facts: Facts) -> Sequence[tuple[str, str, str]]:
    named = {name for name, _, _ in PARAMETERS}
    more = [(name, "", "As agreed.") for name in facts.macros if name not in named]
    proof = [
        ("expires", "always", "Until when the ping is taken: UTC seconds."),
        ("signature", "always", "Below; it stands last."),
    ]
    return [*PARAMETERS, *more, *(proof if facts.signed else [])]


def _macro(facts: Facts, name: str) -> str:
    if name in ("noredirect", "signature", "expires"):
        return ""
    return facts.macros.get(name, f"{{{name}}}")


def _template(facts: Facts, path: str) -> str:
    always = [name for name, need, _ in PARAMETERS if need == "always" and name != "noredirect"]
    wanted = dict.fromkeys(["click_id", *always, "google_aid", "ios_ifa", *facts.macros])
    query = "&".join(f"{name}={_macro(facts, name)}" for name in wanted)
    proof = "&expires={UTC seconds}&noredirect&signature={signature}" if facts.signed else "&noredirect"
    return f"{facts.edge}/{path}/{facts.link}?{query}{proof}"


def _example(facts: Facts) -> str:
    query = (
        "click_id=7f3a9c&google_aid=38400000-8cf0-11bd-b23e-10b96e40000d&device_ip=203.0.113.7"
        "&device_ua=Mozilla%2F5.0%20%28Linux%3B%20Android%2014%3B%20Pixel%208%29&click_timestamp=1767225600"
    )
    proof = "&expires=1767225900&noredirect&signature=9f2c…" if facts.signed else "&noredirect"
    return f"GET {facts.edge}/c/{facts.link}?{query}{proof}"


def _proof(facts: Facts) -> list[str]:
    parts: list[str] = []
    if facts.signed:
        recipe = (
            f"text      = KIND + LF + {facts.link} + LF + QUERY\n"
            "KIND      = click or impression\n"
            "QUERY     = everything between ? and &signature=, as it is sent, with expires\n"
            "signature = hexadecimal HMAC-SHA256(secret, text)"
        )
        parts += [
            "<h2>Signature</h2>",
            f"<p>You were given a secret. Sign each ping as it leaves:</p><pre>{escape(recipe)}</pre>",
        ]
    if facts.addresses:
        listed = ", ".join(f"<code>{escape(one)}</code>" for one in facts.addresses)
        parts += ["<h2>Senders</h2>", f"<p>Pings are taken from these addresses only: {listed}.</p>"]
    return parts


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Cells are HTML already."""
    top = f"<tr>{''.join(f'<th>{escape(name)}</th>' for name in head)}</tr>" if head else ""
    return (
        f"<table>{top}{''.join('<tr>' + ''.join(f'<td>{cell}</td>' for cell in row) + '</tr>' for row in rows)}</table>"
    )
