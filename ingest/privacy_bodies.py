"""What an app's privacy leaves out of installs and events, as `privacy` does of clicks. Pure."""

from collections.abc import Mapping
from hashlib import sha256
from typing import Any, TypeVar

import msgspec

from ingest.privacy import (
    FLAG,
    Care,
    Secrets,
    clean_headers,
    clean_query,
    decoded,
    is_address_name,
    is_identifier,
    nested_identifiers,
    network_text,
    truncated,
)
from schemas.addresses import parse_address
from schemas.events import Event, Install, Referrer, Visit
from schemas.forgetting import VISITOR
from schemas.identifiers import any_limit

R = TypeVar("R", Install, Event, Visit)

_KEPT = frozenset({"v", "id", "app"})
_any = msgspec.json.Decoder()


def care_for(care: Care | None, ids: Mapping[str, str]) -> Care | None:
    """What is asked for one record: an SDK may say `coppa` among the ids of a device."""
    return "coppa" if FLAG in ids and any_limit({FLAG: ids[FLAG]}) else care


def protected(record: R, care: Care) -> R:
    """The record as it may be kept."""
    secrets = Secrets([], {})
    secrets.add_address(record.ip or "")
    changes: dict[str, Any] = {"ip": truncated(record.ip)}
    if isinstance(record, Visit):
        changes["url"] = _url(record.url, care, secrets)
        changes["referer"] = clean_headers({"referer": record.referer}, care, secrets).get("referer", "")
        changes["flags"] = [*record.flags, FLAG] if care == "coppa" else record.flags
        return _scrubbed(record, changes, secrets)
    if care == "coppa":
        for name, value in (*record.ids.items(), ("user_id", record.user_id or "")):
            if name != VISITOR:
                secrets.add_text(value)
        # a website's own number for a browser, as an install's: nobody else knows it
        own = {name: value for name, value in record.ids.items() if name == VISITOR}
        changes |= {"ids": own, "user_id": None, "flags": [*record.flags, FLAG]}
    else:
        changes["ids"] = {name: _address(name, value, secrets) for name, value in record.ids.items()}
    if isinstance(record, Install) and record.referrer is not None:
        changes["referrer"] = _referrer(record.referrer, care, secrets)
    if isinstance(record, Event) and record.params:
        params = {name: _any.decode(value) for name, value in record.params.items()}
        _learn(params, care, secrets)
        clean = _cleaned(params, care, secrets)
        changes["params"] = {
            name: raw if clean[name] == params[name] else msgspec.Raw(msgspec.json.encode(clean[name]))
            for name, raw in record.params.items()
            if name in clean
        }
    if record.install_id is not None and secrets.without(record.install_id) != record.install_id:
        # some SDKs take the device's identifier for it: the same one every time, but it tells nobody which
        changes["install_id"] = sha256(f"{record.app}\n{record.install_id}".encode()).hexdigest()[:32]
    return _scrubbed(record, changes, secrets)


def _scrubbed(record: R, changes: dict[str, Any], secrets: Secrets) -> R:
    kept = msgspec.structs.replace(record, **changes)
    return msgspec.structs.replace(kept, **_texts(kept, secrets, _KEPT | changes.keys() - {"referrer"}))


def _url(url: str, care: Care, secrets: Secrets) -> str:
    """A page's address: what stands behind ? and # are names and values."""
    address, hash_sign, fragment = url.partition("#")
    path, mark, query = address.partition("?")
    parts = (clean_query(part, care, secrets) for part in (query, fragment))
    return secrets.without("".join((path, mark, next(parts), hash_sign, next(parts))))


def _texts(record: msgspec.Struct, secrets: Secrets, left: frozenset[str]) -> dict[str, Any]:
    """The texts of a record and of what it holds, without the secrets."""
    changed: dict[str, Any] = {}
    for name in record.__struct_fields__:
        value = getattr(record, name)
        if name not in left and isinstance(value, str):
            changed[name] = secrets.without(value)
        elif isinstance(value, msgspec.Struct):
            changed[name] = msgspec.structs.replace(value, **_texts(value, secrets, frozenset()))
    return changed


def _referrer(referrer: Referrer, care: Care, secrets: Secrets) -> Referrer:
    """A store's referrer is a query, encoded once or twice at times; one that holds nothing stays as it came."""
    text = referrer.install_referrer
    plain = text if "=" in text else decoded(text)
    clean = clean_query(plain, care, secrets)
    return referrer if clean == plain else msgspec.structs.replace(referrer, install_referrer=clean)


def _learn(value: Any, care: Care, secrets: Secrets, name: str = "") -> None:
    """What the params say by name, at any depth."""
    if isinstance(value, dict):
        for key, one in value.items():
            _learn(one, care, secrets, key)
    elif isinstance(value, list):
        for one in value:
            _learn(one, care, secrets, name)
    elif isinstance(value, str | int) and care == "coppa" and is_identifier(name):
        secrets.add_text(str(value))
    elif isinstance(value, str):
        if is_address_name(name):
            secrets.add_address(value.strip().partition("/")[0])
            if parse_address(value.strip()) is None:
                secrets.add_text(value)
        for text in nested_identifiers(value) if care == "coppa" else ():
            secrets.add_text(text)


def _cleaned(value: Any, care: Care, secrets: Secrets, name: str = "") -> Any:
    if isinstance(value, dict):
        kept = {key: one for key, one in value.items() if not (care == "coppa" and is_identifier(key))}
        return {secrets.without(key): _cleaned(one, care, secrets, key) for key, one in kept.items()}
    if isinstance(value, list):
        return [_cleaned(one, care, secrets, name) for one in value]
    return _address(name, value, secrets) if isinstance(value, str) else value


def _address(name: str, value: str, secrets: Secrets) -> str:
    """A text of this name: an address becomes its network."""
    network = network_text(name, value)
    if network is not None:
        return network
    return secrets.without(decoded(value)) if secrets.in_encoded(value) else value
