"""Every setting, declared once: key, default, a sentence; read from an injected environment."""

import dataclasses
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from ipaddress import ip_address
from pathlib import Path
from typing import Any, NamedTuple

from schemas.addresses import Network, parse_address
from schemas.errors import ConfigError

PREFIX = "TOUCHLINE_"
WORKERS_MAX = 32
"""So many ports of health and metrics are the edge's."""
HOST = re.compile(r"(?!.*[.-]{2})[a-z0-9_][a-z0-9._-]{0,252}")


class SkanKey(NamedTuple):
    """A public key beside Apple's."""

    kid: str | None
    """Of AdAttributionKit; None: of SKAdNetwork, where versions and curves belong together."""
    key: str
    """Base64 of its SubjectPublicKeyInfo (DER)."""


class SkanSigner(NamedTuple):
    """An ad network of the operator's, and the private key that signs its ads."""

    network: str
    key: str
    """Path of a PEM file, or the key itself: PEM, or base64 of PKCS #8 (DER)."""

    def __repr__(self) -> str:
        return f"SkanSigner({self.network!r}, …)"


def _setting(default: str, parse: Callable[[str], Any], help: str, *, secret: bool = False) -> Any:
    return dataclasses.field(metadata={"default": default, "parse": parse, "help": help, "secret": secret})


def _port(text: str) -> int:
    port = int(text)
    if not 1 <= port <= 65535:
        raise ValueError("a port is 1 to 65535")
    return port


def _count(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError("at least 1")
    return number


def _workers(text: str) -> int:
    number = _count(text)
    if number > WORKERS_MAX:
        raise ValueError(f"at most {WORKERS_MAX}")
    return number


def _bytes(text: str) -> int:
    units = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
    plain = text.strip().upper().replace(" ", "")
    unit = next((unit for unit in units if plain.endswith(unit)), "")
    try:
        amount = Decimal(plain.removesuffix(unit))
    except InvalidOperation:
        raise ValueError("a number of bytes, such as 20GB") from None
    if not amount.is_finite() or amount <= 0:
        raise ValueError("more than 0 bytes")
    return int(amount * units.get(unit, 1))


def _ack(text: str) -> str:
    if text not in ("", "kafka", "disk"):
        raise ValueError("kafka or disk")
    return text


def _bind(text: str) -> str:
    if text:
        ip_address(text)
    return text


def _url(text: str) -> str:
    if text and not text.startswith(("http://", "https://")):
        raise ValueError("it starts with http:// or https://")
    return text.rstrip("/")


def _networks(text: str) -> tuple[Network, ...]:
    return tuple(_network(part.strip()) for part in text.split(",") if part.strip())


def _network(text: str) -> Network:
    network = parse_address(text)
    if network is None:
        raise ValueError(f"{text!r} is neither an address nor a network")
    if network.prefix == 0:  # then the leftmost hop would count, which a client writes as it likes
        raise ValueError(f"{text!r} would trust everybody")
    return network


def _postback_targets(text: str) -> tuple[Network | str, ...]:
    return tuple(_postback_target(part.strip().lower()) for part in text.split(",") if part.strip())


def _postback_target(text: str) -> Network | str:
    target = parse_address(text)
    if target is None and HOST.fullmatch(text) and text.rpartition(".")[2][:1].isalpha():
        return text
    if target is None:
        raise ValueError(f"{text!r} is neither an address, a network nor a host's name")
    return target


def _skan_keys(text: str) -> tuple[SkanKey, ...]:
    return tuple(_skan_key(part.strip()) for part in text.split(",") if part.strip())


def _skan_key(text: str) -> SkanKey:
    kid, _, key = text.partition("=")
    return SkanKey(kid, key) if key.strip("=") else SkanKey(None, text)  # a key itself may end in =


def _skan_signers(text: str) -> tuple[SkanSigner, ...]:
    signers = [part.strip().partition("=") for part in text.split(",") if part.strip()]
    if any(not (network.strip() and key.strip()) for network, _, key in signers):
        raise ValueError("NETWORK=KEY, commas between")
    return tuple(SkanSigner(network.strip().lower(), key.strip()) for network, _, key in signers)


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a process; `Settings.read(os.environ)` makes one."""

    data: Path = _setting("./data", Path, "Folder of the journals, the links' snapshot and the own Postgres.")
    kafka: str = _setting("", str, "Kafka's bootstrap servers; empty: the journal is the log.")
    topic_prefix: str = _setting("", str, "Put before the names of the topics on a shared Kafka.")
    ack: str = _setting("", _ack, "What a 2xx waits for: kafka or disk; empty: kafka with Kafka, else disk.")
    database_url: str = _setting("", str, "PostgreSQL 15 or newer; empty: the own one under the data folder.")
    edge_port: int = _setting("8080", _port, "Port of the edge.")
    console_port: int = _setting("8081", _port, "Port of the console: the management API.")
    metrics_port: int = _setting("9100", _port, "First port of health and metrics, one a process.")
    bind: str = _setting("", _bind, "One address for all ports; empty: edge 0.0.0.0, console and metrics 127.0.0.1.")
    workers: int = _setting("1", _workers, "Edge processes on one port, at most 32; each has its own journals.")
    journal_bytes_max: int = _setting("20GB", _bytes, "Bytes of journals a worker keeps before it refuses.")
    public_url: str = _setting("", _url, "Address in printed tracking links; empty: http://localhost:{edge port}.")
    country_db: str = _setting("", str, "A MaxMind country database (.mmdb); empty: the packaged one.")
    data_centres: str = _setting("", str, "A text file of further hosting networks, a CIDR a line, # for comments.")
    trusted_proxies: tuple[Network, ...] = _setting(
        "", _networks, "Proxies whose X-Forwarded-For or Forwarded is believed: addresses, CIDRs, commas between."
    )
    postback_targets: tuple[Network | str, ...] = _setting(
        "", _postback_targets, "Private addresses, CIDRs or host names that postbacks may reach, commas between."
    )
    postback_days: int = _setting("90", _count, "Days for which postbacks and their attempts are kept.")
    skan_networks: tuple[SkanSigner, ...] = _setting(
        "",
        _skan_signers,
        "Ad networks whose ads are signed: `NETWORK=KEY`, a PEM file or base64 (PKCS #8).",
        secret=True,
    )
    skan_list: str = _setting("", str, "A file of ad networks' ids in IAB Tech Lab's form (JSON), for bids.")
    skan_ids: str = _setting("", str, "A file in the same form, served as /skadnetworkids.json; empty: our networks.")
    skan_keys: tuple[SkanKey, ...] = _setting(
        "",
        _skan_keys,
        "Public keys beside Apple's, for tests only: base64 (DER), `kid=` before it for AdAttributionKit.",
    )

    @classmethod
    def read(cls, environment: Mapping[str, str]) -> "Settings":
        """Raises ConfigError that names key and value; an empty value means the default."""
        values: dict[str, Any] = {}
        for field in dataclasses.fields(cls):
            key = PREFIX + field.name.upper()
            text = environment.get(key, "") or field.metadata["default"]
            try:
                values[field.name] = field.metadata["parse"](text)
            except ValueError as error:
                said = "…" if field.metadata["secret"] else repr(text)
                raise ConfigError(f"{key}={said} is not usable: {error}") from None
        return cls(**values)

    def acknowledges_kafka(self) -> bool:
        """Whether answers wait for Kafka's acknowledgement."""
        return bool(self.kafka) and self.ack != "disk"

    def address(self, role_default: str) -> str:
        """The address to listen on, `role_default` when none is set."""
        return self.bind or role_default

    def printed_url(self) -> str:
        """Where people reach the edge."""
        return self.public_url or f"http://localhost:{self.edge_port}"

    def own_postgres(self) -> Path:
        """Folder of the own Postgres; its file `url` holds the address while it runs."""
        return self.data / "postgres"

    def postgres_url(self) -> str:
        """Address of the database. Raises ConfigError when none is set and the own one does not run."""
        if self.database_url:
            return self.database_url
        try:
            return (self.own_postgres() / "url").read_text().strip()
        except OSError:
            raise ConfigError(
                f"No Postgres: {PREFIX}DATABASE_URL is empty and the own one of {self.data} is not running"
                " (start it with `touchline up`)."
            ) from None


def declared() -> list[tuple[str, str, str]]:
    """(key, default, sentence) of every setting, in order; the README's table is checked against it."""
    return [
        (PREFIX + field.name.upper(), field.metadata["default"], field.metadata["help"])
        for field in dataclasses.fields(Settings)
    ]


def unknown(environment: Mapping[str, str]) -> list[str]:
    """Keys that look like settings and are none: most likely misspelt, worth a warning."""
    known = {key for key, _, _ in declared()}
    return sorted(
        key
        for key in environment
        if key.startswith(PREFIX) and key not in known and not key.startswith(f"{PREFIX}TEST_")
    )
