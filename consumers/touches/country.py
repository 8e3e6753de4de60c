"""The country of an address, from a database on this machine: the packaged one, or an operator's own."""

import datetime as dt
import json
import re
from functools import lru_cache
from importlib.metadata import distribution
from ipaddress import IPv4Address, IPv6Address
from itertools import islice
from typing import Final, Protocol

import maxminddb
from iptocc import country_code

from schemas.addresses import Network, parse_address

CACHE_ENTRIES_MAX: Final = 50_000

_CODE: Final = re.compile(r"[A-Z]{2}")
_NO_COUNTRIES: Final = frozenset({"AP", "EU", "ZZ"})  # regions and "unknown", which databases spell like a country
_PROBED_RECORDS: Final = 1000


class Database(Protocol):
    """What `Countries` asks: a name, the day of its data, and the country of a network's first address."""

    source: str
    date: dt.date
    quick: bool
    """Whether asking again costs less than remembering the answer."""

    def find(self, network: Network) -> str | None: ...


class Countries:
    """Looks countries up, and remembers what a slow database said."""

    def __init__(self, database: Database) -> None:
        self.source = database.source
        self.date = database.date
        self._find = database.find if database.quick else lru_cache(maxsize=CACHE_ENTRIES_MAX)(database.find)

    def country(self, network: Network | str) -> str | None:
        """ISO 3166-1 alpha-2 code of an address, or of a network's first address.

        None for what is not known, not public, or no address at all. Takes 0.7 µs; a text is parsed first.
        """
        found = parse_address(network) if isinstance(network, str) else network
        return None if found is None else self._find(found)


def open_countries(path: str | None = None) -> Countries:
    """Countries by the MaxMind file at `path`, or by the packaged database when there is none.

    The packaged one takes half a second. Raises ValueError with a sentence when it cannot be read.
    """
    return Countries(MaxMindFile(path) if path else PackagedDatabase())


class MaxMindFile:
    """Any .mmdb with countries: GeoLite2, GeoIP2, DB-IP, IPinfo.

    The file is mapped into memory: put a new one in its place by renaming, never by writing over it.
    """

    quick = False

    def __init__(self, path: str) -> None:
        try:
            self._reader = maxminddb.open_database(path)
            first_records = [record for _, record in islice(self._reader, _PROBED_RECORDS)]
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            raise ValueError(f"{path} is not a readable MaxMind database: {error}") from error
        metadata = self._reader.metadata()
        self.source = metadata.database_type
        self.date = dt.datetime.fromtimestamp(metadata.build_epoch, dt.UTC).date()
        if not any(map(_country_of, first_records)):
            raise ValueError(f"{path} ({self.source}) holds no countries")

    def find(self, network: Network) -> str | None:
        address = IPv4Address(network.value) if network.version == 4 else IPv6Address(network.value)
        try:
            return _country_of(self._reader.get(address))
        except (ValueError, maxminddb.InvalidDatabaseError):  # an IPv6 in an IPv4 file, or a damaged record
            return None


class PackagedDatabase:
    """The registries' data inside the iptocc wheel: which country a block was assigned to.

    The wheel does not state the day of its data; it is built from that day's, and its bill of
    materials says when.
    """

    quick = True

    def __init__(self) -> None:
        package = distribution("iptocc")
        bills = [file for file in package.files or () if file.name.endswith(".cyclonedx.json")]
        try:
            built = json.loads(bills[0].read_text())["metadata"]["timestamp"]
            self.date = dt.datetime.fromisoformat(built[:19]).date()
        except (OSError, LookupError, ValueError, TypeError) as error:
            raise ValueError(f"iptocc {package.version} does not say how old its data is: {error}") from error
        self.source = f"iptocc {package.version}"

    def find(self, network: Network) -> str | None:
        bits = 32 if network.version == 4 else 128
        first = network if network.prefix == bits else network._replace(prefix=bits)
        return _code_again(country_code(first.text))


def _country_of(record: object) -> str | None:
    if not isinstance(record, dict):
        return None
    country = record.get("country")
    # MaxMind and DB-IP nest the code; IPinfo writes it flat, under one of two names.
    return _code(country.get("iso_code") if isinstance(country, dict) else record.get("country_code", country))


def _code(text: object) -> str | None:
    return text if isinstance(text, str) and _CODE.fullmatch(text) and text not in _NO_COUNTRIES else None


_code_again = lru_cache(maxsize=1000)(_code)
