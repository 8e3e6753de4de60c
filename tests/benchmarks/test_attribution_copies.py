"""Copies of a world's touches: other keys and places, and the same crowds."""

from struct import Struct

import msgspec
import pytest

from benchmarks.attribution.copies import COPIES_MAX, keep, moved, row, stories
from benchmarks.attribution.describe import crowds
from benchmarks.attribution.parameters import World
from benchmarks.attribution.shapes import OWN
from benchmarks.attribution.truth import Touch
from benchmarks.attribution.world import background
from consumers.touches import copying
from consumers.touches.country import Countries, open_countries
from consumers.touches.data_centres import open_data_centres
from consumers.touches.row import touch_row

WORLD = World(seed=4, installs=100, touches=3000)
bigint = Struct(">iq").pack


@pytest.fixture(scope="module")
def countries() -> Countries:
    return open_countries()


@pytest.fixture(scope="module")
def touches() -> list[Touch]:
    return list(background(WORLD, OWN, 3000))


def test_the_first_copy_is_what_the_consumer_stores(touches: list[Touch], countries: Countries) -> None:
    for touch in touches:
        assert row(keep(touch, countries), 0) == copying.row(
            touch_row(touch.hit, countries, open_data_centres()).values
        )


def test_a_copy_stands_under_the_keys_of_its_own_place(touches: list[Touch], countries: Countries) -> None:
    for touch in touches:
        ip = moved(touch.hit.ip or "", 3)
        there = touch_row(msgspec.structs.replace(touch.hit, ip=ip), countries, open_data_centres())
        made, print_key, sha1_key = row(keep(touch, countries), 3), there.values[-1], there.values[-5]
        if print_key is not None:
            assert bigint(8, print_key) in made
        if sha1_key is not None:
            assert bigint(8, sha1_key) not in made


def test_no_two_copies_share_an_id(touches: list[Touch], countries: Countries) -> None:
    ids = {row(keep(touch, countries), copy)[6:22] for touch in touches[:500] for copy in range(COPIES_MAX)}

    assert len(ids) == 500 * COPIES_MAX


def test_addresses_move_as_a_whole(touches: list[Touch]) -> None:
    there = [
        msgspec.structs.replace(touch, hit=msgspec.structs.replace(touch.hit, ip=moved(touch.hit.ip or "", 5)))
        for touch in touches
    ]

    assert crowds(there)["mobile"] == crowds(touches)["mobile"]
    carriers = {touch.hit.ip for touch in touches if (touch.hit.ip or "").startswith("31.")}
    assert carriers and not carriers & {touch.hit.ip for touch in there}


def test_stories_of_a_copy_are_its_own() -> None:
    (first, installs), (second, others) = stories(WORLD, OWN, 0, 50), stories(WORLD, OWN, 2, 60)

    assert (len(installs), len(others)) == (50, 60)
    assert not {one.install_id for one in installs} & {one.install_id for one in others}
    assert not {touch.hit.id for touch in first} & {touch.hit.id for touch in second}
    ids = [{value for one in group for value in one.ids.values() if value.strip("0-")} for group in (installs, others)]
    assert not ids[0] & ids[1]
