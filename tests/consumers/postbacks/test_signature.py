"""A postback proves whose it is."""

import hashlib
import hmac
from pathlib import Path
from typing import Any

from consumers.postbacks.signature import headers, signature

SECRET = "sixteen characters"


def test_the_signature_is_what_the_document_says() -> None:
    signed = b'POST\nhttps://partner.example/pb?c=1\n{"a": 1}'
    made = signature(SECRET, "POST", "https://partner.example/pb?c=1", b'{"a": 1}')
    assert made == "sha256=" + hmac.new(SECRET.encode(), signed, hashlib.sha256).hexdigest()


def test_every_request_has_its_key_and_our_name() -> None:
    made = headers("k-1", "GET", "http://partner.example/", b"", None)
    assert made["Idempotency-Key"] == "k-1"
    assert made["User-Agent"].startswith("Touchline/")
    assert "Touchline-Signature" not in made and "Content-Type" not in made
    assert headers("k", "POST", "http://p.example/", b"{}", SECRET).keys() > {"Content-Type", "Touchline-Signature"}


def test_the_documents_own_check_takes_it() -> None:
    page = (Path(__file__).parents[3] / "docs" / "sending.md").read_text()
    defined: dict[str, Any] = {}
    exec(page.split("```python\n")[1].split("```")[0], defined)
    arguments = (SECRET, "POST", "https://partner.example/pb?c=1", b"{}")
    assert defined["is_ours"](*arguments, signature(*arguments))
    assert not defined["is_ours"](*arguments, signature(SECRET, "GET", *arguments[2:]))
