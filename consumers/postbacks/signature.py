"""What a postback says of itself: its key, and a signature when the partner has a secret. Pure."""

import hmac
from importlib.metadata import version

KEY_HEADER = "Idempotency-Key"
SIGNATURE_HEADER = "Touchline-Signature"
AGENT = f"Touchline/{version('touchline')}"


def signature(secret: str, method: str, url: str, body: bytes) -> str:
    """`sha256=` and the HMAC-SHA256 in hexadecimal over method, line feed, the URL as it is asked for, line feed,
    body."""
    signed = b"\n".join((method.encode(), url.encode(), body))
    return "sha256=" + hmac.new(secret.encode(), signed, "sha256").hexdigest()


def headers(key: str, method: str, url: str, body: bytes, secret: str | None) -> dict[str, str]:
    """Of one request; `url` is the Target's."""
    made = {KEY_HEADER: key, "User-Agent": AGENT, "Accept": "*/*", "Accept-Encoding": "identity"}
    if method == "POST":
        made["Content-Type"] = "application/json"
    if secret is not None:
        made[SIGNATURE_HEADER] = signature(secret, method, url, body)
    return made
