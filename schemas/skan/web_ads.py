"""Ads on websites, SKAdNetwork 4.0: the nonce in an ad's link, and the domain of the site that shows it. Pure.

Source: Apple's "Generating a signature for attributable web ads". A link of an ad carries `attributionDestination` and
`attributionSourceNonce`; when it is tapped, the device asks the destination for the signed ad by that nonce.
"""

import base64
import re
from urllib.parse import urlsplit
from uuid import UUID

KEPT_DAYS = 30
"""For which a nonce is answered: an install counts within 30 days of its tap."""

WEB_FIDELITY = 1

_LABEL = r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?"
_DOMAIN = re.compile(rf"(?=.{{1,253}}\Z)({_LABEL}\.)+{_LABEL}")


def source_nonce(nonce: UUID) -> str:
    """As the link and the device write it: base64url of its 16 bytes, without padding."""
    return base64.urlsafe_b64encode(nonce.bytes).rstrip(b"=").decode()


def nonce_of(text: str) -> UUID | None:
    """What `source_nonce` made; None for everything else."""
    plain = text.removesuffix("==")
    try:
        nonce = UUID(bytes=base64.urlsafe_b64decode(f"{plain}=="))
    except ValueError:  # not base64, not ASCII, or not 16 bytes
        return None
    return nonce if source_nonce(nonce) == plain else None


def site(text: str) -> str | None:
    """The domain of a website as it is compared and signed, in lower case; None for what is none."""
    domain = text.strip().lower().removesuffix(".")
    return domain if _DOMAIN.fullmatch(domain) else None


def host_of(url: str) -> str:
    """Of the address at which the edge is reached; `localhost` when it names none."""
    try:
        return urlsplit(url).hostname or "localhost"
    except ValueError:
        return "localhost"
