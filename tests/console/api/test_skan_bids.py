"""Bids over HTTP: what an exchange sends is never more than a reason, what we say wrongly is a field."""

import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from aiohttp.test_utils import TestClient, TestServer
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from console.app import make_app
from console.manage.skan_bids import SkanBid, answer_bid
from console.manage.tokens import NewToken, create_token
from process.metrics import Meters
from process.postgres import connect, open_pool
from schemas.settings import Settings
from tests.support.data import data_folder

OURS = "cdkw7geqsh.skadnetwork"
LISTED = "4fzdc2evr5.skadnetwork"
DER = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
KEY = base64.b64encode(DER).decode()
REQUEST = {"imp": [{"id": "1", "ext": {"skadn": {"versions": ["4.0"], "sourceapp": "7", "skadnetids": [OURS]}}}]}
ASKED = {"request": REQUEST, "itunesitem": "123456789", "campaign_id": 45, "source_identifier": "4321"}


class Bids:
    """Asks for objects."""

    def __init__(self, client: TestClient[Any, Any], tokens: dict[str, str]) -> None:
        self._client = client
        self._tokens = tokens

    async def post(self, body: Any, role: str = "manage") -> tuple[int, Any]:
        content = body if isinstance(body, (str, bytes)) else json.dumps(body)
        headers = {"Authorization": f"Bearer {self._tokens[role]}", "Content-Type": "application/json"}
        async with self._client.post("/api/v1/skan/bid", data=content, headers=headers) as answer:
            text = await answer.text()
            assert KEY not in text
            return answer.status, json.loads(text)


@pytest.fixture
async def bids(database_url: str, tmp_path: Path) -> AsyncIterator[Bids]:
    ids = tmp_path / "skadnetworkids.json"
    entry = {"id": "1", "skadnetwork_id": LISTED.upper()}
    ids.write_text(json.dumps({"company_domain": "iabtechlab.com", "skadnetwork_ids": [entry]}))
    settings = Settings.read(
        {
            "TOUCHLINE_DATABASE_URL": database_url,
            "TOUCHLINE_DATA": str(tmp_path),
            "TOUCHLINE_SKAN_NETWORKS": f"{OURS}={KEY},{LISTED}={KEY}",
            "TOUCHLINE_SKAN_LIST": str(ids),
        }
    )
    connection = await connect(settings)
    asked = {
        "read": NewToken(title="test", role="read"),
        "manage": NewToken(title="test", role="manage"),
        "limited": NewToken(title="test", role="manage", apps=()),
    }
    made = {name: await create_token(connection, "test", one) for name, one in asked.items()}
    await connection.close()
    pool = await open_pool(settings)
    async with TestClient(TestServer(make_app(settings, pool, Meters()))) as client:
        yield Bids(client, {name: one.token for name, one in made.items() if one.token is not None})
    await pool.close()


def cases() -> list[tuple[str, dict[str, Any]]]:
    """(name, object) of every object in the folder, bid responses and lists of ids among them."""
    folder = data_folder() / "openrtb"
    found = [(path.name, json.loads(path.read_text())) for path in sorted((folder / "iab").glob("*.json"))]
    for number, line in enumerate((folder / "skadn_requests.jsonl").read_text().splitlines(), 1):
        found += [(f"line {number}", json.loads(line)), (f"request {number}", json.loads(line)["request"])]
    return found


@pytest.mark.data
async def test_whatever_exchanges_and_iab_write_is_answered_with_reasons(bids: Bids) -> None:
    made = []
    for name, one in cases():
        for body in ({"request": one}, ASKED | {"request": one}, ASKED | {"bid": one}):
            status, answer = await bids.post(body)
            assert status == 200, (name, answer)
            assert answer["imps"] or answer["reason"], name
            assert all((imp["skadn"] is None) == (imp["reason"] is not None) for imp in answer["imps"]), name
            assert all(imp["detail"] for imp in answer["imps"] if imp["reason"]), name
        _, answer = await bids.post(ASKED | {"request": one})
        made += [imp["skadn"]["version"] for imp in answer["imps"] if imp["skadn"]]
    assert (len(made), set(made)) == (14, {"2.1", "4.0"})


@pytest.mark.data
async def test_iabs_own_bids_on_its_own_request_are_good_but_not_by_our_key(bids: Bids) -> None:
    by_name = dict(cases())
    request = by_name["skadnetwork_md_example_1.json"]
    for number in (2, 3, 4):
        (bid,) = by_name[f"skadnetwork_md_example_{number}.json"]["seatbid"][0]["bid"]
        _, answer = await bids.post({"request": request, "bid": bid})
        assert answer["imps"][0]["reason"] == "wrong_signature"
        bid["ext"]["skadn"]["network"] = "qyjfv329m4.skadnetwork"
        _, answer = await bids.post({"request": request, "bid": bid})
        (imp,) = answer["imps"]
        assert (imp["reason"], imp["signature_checked"]) == (None, False)
        assert imp["skadn"] == bid["ext"]["skadn"]


async def test_a_bid_gets_an_object_that_the_same_address_takes(bids: Bids) -> None:
    status, made = await bids.post(ASKED)
    (imp,) = made["imps"]
    assert (status, imp["imp"], imp["reason"], imp["loss_reason"]) == (200, "1", None, None)
    assert (imp["skadn"]["version"], imp["skadn"]["network"]) == ("4.0", OURS)
    bid = {"impid": "1", "bundle": "123456789", "ext": {"skadn": imp["skadn"]}}
    _, checked = await bids.post({"request": REQUEST, "bid": bid})
    assert checked["imps"] == [imp | {"signature_checked": True}]
    _, other = await bids.post({"request": REQUEST, "bid": bid | {"bundle": "5"}})
    assert (other["imps"][0]["reason"], other["imps"][0]["loss_reason"]) == ("itunesitem_mismatch", 214)
    _, unknown = await bids.post({"request": REQUEST, "bid": bid | {"impid": "2"}})
    assert (unknown["imps"], unknown["reason"]) == ([], "unknown_imp")


async def test_iabs_list_says_which_networks_a_number_stands_for(bids: Bids) -> None:
    skadn = {"versions": ["2.0"], "sourceapp": "7", "skadnetlist": {"max": 1}}
    request = {"imp": [{"ext": {"skadn": skadn}}]}
    _, answer = await bids.post(ASKED | {"request": request})
    assert answer["imps"][0]["skadn"]["network"] == LISTED
    skadn["skadnetlist"] = {"max": 1, "excl": [1]}
    _, answer = await bids.post(ASKED | {"request": request})
    assert answer["imps"][0]["reason"] == "network_not_listed"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"request": []}, "request"),
        ({"request": None}, "request"),
        ({"bid": "x"}, "bid"),
        ({"network": "v72qych5uu.skadnetwork"}, "network"),
        ({"network": 7}, "network"),
        ({"imp": 1}, "imp"),
        ({"campaign_id": 4.5}, "campaign_id"),
        ({"source_identifier": []}, "source_identifier"),
        ({"itunesitem": {}}, "itunesitem"),
        ({"itunesitem": [None]}, "itunesitem[0]"),
        ({"bundle": True}, "bundle"),
        ({"fidelities": []}, "fidelities"),
        ({"fidelities": [2]}, "fidelities[0]"),
        ({"fidelities": [1, 1]}, "fidelities"),
        ({"productpageid": "page"}, "productpageid"),
        ({"skoverlay": {"pos": 2}}, "skoverlay.pos"),
        ({"skoverlay": {"delay": -1}}, "skoverlay.delay"),
        ({"skoverlay": {"colour": 1}}, "skoverlay.colour"),
        ({"campaign": 1}, "campaign"),
    ],
)
async def test_a_field_of_ours_that_is_wrong_is_named(bids: Bids, changes: Any, field: str) -> None:
    status, answer = await bids.post(ASKED | changes)
    assert (status, answer["error"]["field"]) == (422, field)


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ('{"request": {"imp": [NaN]}}', 400),
        ('{"request": ' + '{"a":' * 5000 + "1" + "}" * 5000 + "}", 400),
        ('{"request": {"imp": ' + "[" * 900 + "]" * 900 + "}}", 200),
        ('{"request": {"imp": [{"id": 1' + "0" * 60 + "}]}}", 200),
        ('{"request": {"imp": [{"id": 1' + "0" * 6000 + "}]}}", 422),
        ('{"request": {"imp": [{"id": 1e999}]}}', 422),
        ('{"request": {"imp": [{"id": "\\ud800"}]}}', 400),
        ('{"request": {"imp": [{"id": "\\u0000\\u202e"}]}}', 200),
        ('{"request": {"imp": [' + ",".join(["{}"] * 50_000) + "]}}", 200),
        ('{"request": {}', 400),
        ("", 422),
        (b'{"request": {"id": "\xff"}}', 400),
    ],
)
async def test_what_no_exchange_would_send_breaks_nothing(bids: Bids, body: Any, status: int) -> None:
    assert (await bids.post(body))[0] == status


async def test_it_needs_a_token_that_manages_everything(bids: Bids) -> None:
    for role in ("read", "limited"):
        assert (await bids.post(ASKED, role))[0] == 403


async def test_without_networks_of_ours_an_object_is_still_checked(bids: Bids, database_url: str) -> None:
    _, made = await bids.post(ASKED)
    bid = {"ext": {"skadn": made["imps"][0]["skadn"]}}
    settings = Settings.read({"TOUCHLINE_DATABASE_URL": database_url})
    (checked,) = (await answer_bid(SkanBid(request=REQUEST, bid=bid), settings)).imps
    assert (checked.reason, checked.signature_checked) == (None, False)
    (none,) = (await answer_bid(SkanBid(request=REQUEST), settings)).imps
    assert (none.reason, none.loss_reason) == ("no_networks", None)
