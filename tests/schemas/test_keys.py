from itertools import combinations, product

from schemas.addresses import Network, parse_address
from schemas.events import TouchKind
from schemas.identifiers import sha1
from schemas.keys import click_id_key, device_key, print_key

GAID = sha1("38400000-8cf0-11bd-b23e-10b96e40000d")


def network(text: str) -> Network:
    parsed = parse_address(text)
    assert parsed is not None
    return parsed


def test_keys_are_the_same_for_ever() -> None:
    # Rows of years stand under these numbers: another hash would lose them all.
    assert device_key("demo", "click", "google_aid", GAID) == -4871475058946791425
    assert click_id_key("demo", "click", "123456789") == -1447312966479567241
    assert print_key("demo", "click", "android", network("192.0.2.0/24")) == -5696410176475230741


def test_app_and_kind_of_touch_are_part_of_every_key() -> None:
    here = network("192.0.2.7")
    kinds: tuple[TouchKind, ...] = ("click", "impression")
    found: list[int] = []
    for app, touch in product(("one", "two"), kinds):
        found += [
            device_key(app, touch, "google_aid", GAID),
            device_key(app, touch, "oaid", GAID),
            click_id_key(app, touch, GAID),
            print_key(app, touch, "android", here),
            print_key(app, touch, "ios", here),
        ]
    assert all(left != right for left, right in combinations(found, 2))


def test_an_address_and_its_network_have_different_keys() -> None:
    exact, wide = network("192.0.2.0"), network("192.0.2.0/24")
    assert print_key("demo", "click", "ios", exact) != print_key("demo", "click", "ios", wide)


def test_the_parts_of_a_key_do_not_run_into_each_other() -> None:
    assert click_id_key("demo", "click", "a") != click_id_key("democlick", "click", "a")
    assert click_id_key("a", "click", "bc") != click_id_key("ab", "click", "c")


def test_any_text_has_a_key_that_postgres_holds() -> None:
    for click_id in ("", "\0", "\ud800", "é" * 5000):
        assert -(2**63) <= click_id_key("demo", "click", click_id) < 2**63
