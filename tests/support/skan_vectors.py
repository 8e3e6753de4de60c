"""The third-party vectors of SKAdNetwork and AdAttributionKit."""

import json
from typing import Any

from schemas.settings import SkanKey
from schemas.skan.keys import AppleKeys
from tests.support.data import data_folder

EXTRA = ("thirdparty_p256", "thirdparty_p192")
KIDS = {"apple-development-identifier/0": "aak_dev_0", "apple-development-identifier/1": "aak_dev_1"}


def file() -> dict[str, Any]:
    """The whole file."""
    found: dict[str, Any] = json.loads((data_folder() / "skan" / "vectors.json").read_text())
    return found


def extra_keys() -> list[SkanKey]:
    """The file's test and development keys, as TOUCHLINE_SKAN_KEYS would have them."""
    keys = file()["public_keys"]
    named = [SkanKey(None, keys[name]["spki_der_base64"]) for name in EXTRA]
    return named + [SkanKey(kid, keys[name]["spki_der_base64"]) for kid, name in KIDS.items()]


def setting() -> str:
    """TOUCHLINE_SKAN_KEYS"""
    return ",".join(key if kid is None else f"{kid}={key}" for kid, key in extra_keys())


def keys() -> AppleKeys:
    return AppleKeys(extra_keys())
