import pytest

from console.manage.skan_uses import skan_remarks, skan_uses
from schemas.links import Link, LinkKind, Target

EDGE = "https://go.example"
STORE = "https://apps.apple.com/app/id123456789"


def link(url: str | None = None, kind: LinkKind = "redirect", app: str | None = None) -> Link:
    targets = [Target("google_play", "https://play.google.com/store/apps/details?id=a.b")]
    if url is not None:
        targets.append(Target("app_store", url, app=app))
    return Link(id="7", app="shop", kind=kind, targets=tuple(targets))


def landing(of: Link, number: str | None = None) -> str | None:
    uses = skan_uses(of, number=number, edge=EDGE, query="")
    assert uses is not None
    return uses.landing


def test_the_tracking_addresses_are_those_that_redirect_nobody() -> None:
    uses = skan_uses(link(STORE), number=None, edge=EDGE, query="click_id={cid}")
    assert uses is not None
    assert uses.click_tracking == "https://go.example/c/7.gif?click_id={cid}"
    assert uses.view_tracking == "https://go.example/i/7.gif?click_id={cid}"
    plain = skan_uses(link(STORE), number=None, edge=EDGE, query="")
    assert plain is not None
    assert plain.click_tracking == "https://go.example/c/7.gif"


@pytest.mark.parametrize(
    "url", [STORE, "https://apps.apple.com/us/app/shop/id123456789?pt=1&ct=spring&mt=8", f"{STORE}/"]
)
def test_an_address_in_the_store_is_the_landing(url: str) -> None:
    assert landing(link(url), "5") == url


@pytest.mark.parametrize(
    "url",
    [
        "http://apps.apple.com/app/id123456789",
        "https://itunes.apple.com/us/app/id123456789?mt=8",
        f"{STORE}?ct={{click_id}}",
        "https://apps.apple.com/{country}/app/id123456789",
    ],
)
def test_one_that_redirects_or_has_macros_becomes_the_plain_one(url: str) -> None:
    assert landing(link(url)) == STORE


def test_the_apps_number_stands_in_for_an_address_elsewhere() -> None:
    assert landing(link(), "123456789") == STORE
    assert landing(link("https://onelink.example/x"), "123456789") == STORE
    assert landing(link("https://apps.apple.com/developer/shop/id"), "123456789") == STORE
    assert landing(link("https://onelink.example/id5"), None) is None
    assert landing(link("https://onelink.example/x", app="other"), "123456789") is None


@pytest.mark.parametrize(
    ("of", "number"), [(link(), None), (link(STORE, "preinstall"), "123456789"), (Link(id="7", app="shop"), None)]
)
def test_a_link_without_an_app_of_the_store_has_none(of: Link, number: str | None) -> None:
    assert skan_uses(of, number=number, edge=EDGE, query="") is None


@pytest.mark.parametrize(("kind", "words"), [("redirect", ["this link redirects"]), ("tracking", []), ("s2s", [])])
def test_a_redirect_link_of_its_campaigns_is_warned_of(kind: LinkKind, words: list[str]) -> None:
    of = link(STORE, kind)
    uses = skan_uses(of, number=None, edge=EDGE, query="")
    said = skan_remarks(of, uses, campaign="spring", is_used=True)
    assert [word in one for word, one in zip(words, said, strict=True)] == [True] * len(words)
    assert skan_remarks(of, uses, campaign="spring", is_used=False) == ()


def test_a_landing_that_is_missing_is_warned_of() -> None:
    of = link("https://onelink.example/x", "tracking")
    uses = skan_uses(of, number=None, edge=EDGE, query="")
    (said,) = skan_remarks(of, uses, campaign="spring", is_used=True)
    assert "straight to the App Store" in said
    assert skan_remarks(link(), None, campaign="spring", is_used=True) == ()
