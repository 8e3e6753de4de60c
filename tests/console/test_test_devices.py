import time
from datetime import UTC, datetime

import msgspec
import pytest

from schemas.identifiers import md5, sha1
from schemas.ids import new_id
from tests.console.conftest import Console
from tests.support.devices import GAID, OTHER, install, put
from tests.support.logs import pool_of

IDFA = "6d92078a-8246-4ba4-ae5b-76104861e7dc"


@pytest.fixture
def shop(console: Console) -> Console:
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', ''), ('game', '')")
    return console


async def received(console: Console, install_id: str, **changes: object) -> bool:
    """Whether an install that is received now is a test."""
    pool = await pool_of(console.url)
    await put(pool, [msgspec.structs.replace(install(install_id), **changes)])
    pool.terminate()
    ((test,),) = console.sql("SELECT test FROM installs WHERE install_id = $1", install_id)
    return bool(test)


def device(console: Console, *arguments: str) -> str:
    return console.run("test-device", *arguments, "--app", "shop").stdout


async def test_a_device_is_one_for_what_is_received_from_now_on(shop: Console) -> None:
    early = new_id(time.time_ns() // 1000)
    assert not await received(shop, "before")
    said = device(shop, "add", "--id", f"google_aid:{GAID.upper()}", "--title", "Ann's phone")
    assert said == f"google_aid:{GAID.upper()} is a test device of shop: its installs received from now on are tests.\n"
    assert await received(shop, "during")
    assert not await received(shop, "read later", id=early), "it was received before"
    assert not await received(shop, "another", ids={"google_aid": OTHER})
    assert not await received(shop, "in another app", app="game")
    device(shop, "remove", "--id", f"google_aid:{GAID}")
    assert not await received(shop, "after")
    rows = shop.sql("SELECT install_id FROM installs WHERE test")
    assert rows == [("during",)], "what was received stays what it was"


@pytest.mark.parametrize(
    "ids", [{"gps_adid": GAID.upper()}, {"google_aid_sha1": sha1(GAID)}, {"oaid": "x" * 16, "google_aid": GAID}]
)
async def test_an_install_names_a_test_device_in_any_form_that_tells_its_sha1(
    shop: Console, ids: dict[str, str]
) -> None:
    device(shop, "add", "--id", f"google_aid:{GAID}")
    assert await received(shop, "i-1", ids=ids)


async def test_a_sandbox_is_a_test_without_any_test_device(shop: Console) -> None:
    assert await received(shop, "i-1", flags=["sandbox"])


def test_only_the_digest_of_the_vendors_case_is_kept(shop: Console) -> None:
    device(shop, "add", "--id", f"ios_ifa:{IDFA}", "--title", "iPad")
    device(shop, "add", "--id", f"idfa_sha1:{sha1(IDFA.upper()).upper()}")
    (listed,) = shop.facts("test-device", "list", "--app", "shop")
    assert (listed["kind"], listed["sha1"], listed["title"]) == ("ios_ifa", sha1(IDFA.upper()), "iPad")
    assert datetime.fromisoformat(listed["created_at"]) <= datetime.now(UTC)
    assert "iPad" in device(shop, "list")
    assert shop.facts("test-device", "list", "--app", "game") == []
    assert shop.run("test-device", "list", "--app", "game").stdout.startswith("game has no test devices;")
    (row,) = shop.sql("SELECT t::text FROM test_devices t")
    assert IDFA.lower() not in row[0].lower()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (GAID, "KIND:VALUE is one advertising id"),
        ("google_aid:38400000", "google_aid is a UUID"),
        ("google_aid:00000000-0000-0000-0000-000000000000", "devices that limit tracking share this value"),
        (f"ios_ifv:{IDFA}", "KIND:VALUE is one advertising id"),
        ("user_id:ann", "KIND:VALUE is one advertising id"),
        ("phone:1", "KIND is one of google_aid"),
        (f"google_aid_md5:{md5(GAID)}", "an MD5 does not tell the SHA-1"),
    ],
)
@pytest.mark.parametrize("command", ["add", "remove"])
def test_what_names_no_device_is_refused(shop: Console, command: str, text: str, words: str) -> None:
    said = shop.refusal("test-device", command, "--app", "shop", "--id", text, code=2)
    assert said.startswith(f"touchline test-device {command}: --id {text!r}: ")
    assert words in said
    assert shop.sql("SELECT FROM test_devices") == []


def test_an_app_or_device_that_is_not_there_is_said(shop: Console) -> None:
    where = ("--id", f"google_aid:{GAID}")
    assert "app 'none' does not exist" in shop.refusal("test-device", "add", "--app", "none", *where, code=1)
    assert "is no test device of shop" in shop.refusal("test-device", "remove", "--app", "shop", *where, code=1)
    added = shop.facts("test-device", "add", "--app", "shop", *where)
    assert shop.facts("test-device", "remove", "--app", "shop", *where) == added


async def test_a_forgotten_device_is_no_test_device_any_more(shop: Console) -> None:
    device(shop, "add", "--id", f"google_aid:{GAID}")
    device(shop, "add", "--id", f"google_aid:{OTHER}")
    assert shop.facts("forget", "--id", GAID, "--yes")["rows"]["test_devices"] == 1
    assert [one["sha1"] for one in shop.facts("test-device", "list", "--app", "shop")] == [sha1(OTHER)]
