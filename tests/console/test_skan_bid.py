"""`touchline skan bid`, as people run it: no Postgres is asked."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.console.conftest import Console

OURS = "cdkw7geqsh.skadnetwork"
DER = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
KEY = base64.b64encode(DER).decode()
SKADN = {"versions": ["2.0", 2.2], "sourceapp": 880047117, "skadnetids": [OURS.upper()], "skoverlay": 1}


@pytest.fixture
def bidder(tmp_path: Path) -> Console:
    made = Console("postgres://nobody@127.0.0.1:1/none", tmp_path)
    made.environment["TOUCHLINE_SKAN_NETWORKS"] = f"{OURS}={KEY}"
    (tmp_path / "request.json").write_text(json.dumps({"imp": [{"id": "1", "ext": {"skadn": SKADN}}, {"id": "2"}]}))
    return made


def write(bidder: Console, name: str, value: Any) -> str:
    path = bidder.data / name
    path.write_text(value if isinstance(value, str) else json.dumps(value))
    return str(path)


def test_an_object_is_made_and_checked(bidder: Console) -> None:
    request = str(bidder.data / "request.json")
    arguments = ("--itunesitem", "5", "--itunesitem", "123456789", "--bundle", "123456789", "--campaign-id", "45")
    made = bidder.facts("skan", "bid", request, *arguments, "--fidelity", "1", "--skoverlay", '{"delay": 5}')
    first, second = made["imps"]
    object = first["skadn"]
    assert (object["version"], object["campaign"], object["itunesitem"]) == ("2.2", "45", "123456789")
    assert ([one["fidelity"] for one in object["fidelities"]], object["skoverlay"]) == ([1], {"delay": 5})
    assert (second["imp"], second["reason"], second["loss_reason"]) == ("2", "no_skadn", None)

    bid = write(bidder, "bid.json", {"ext": {"skadn": object}})
    checked = bidder.facts("skan", "bid", request, "--bid", bid, "--imp", "1")
    assert [(one["skadn"], one["signature_checked"]) for one in checked["imps"]] == [(object, True)]

    page = bidder.run("skan", "bid", request, *arguments).stdout
    assert KEY not in page
    assert "no_skadn" in page
    assert json.loads(page.strip().splitlines()[-1])["network"] == OURS


def test_what_cannot_be_read_is_one_sentence(bidder: Console) -> None:
    request = str(bidder.data / "request.json")
    for arguments, said in (
        ((write(bidder, "torn.json", "{"),), "touchline skan bid: FILE is no JSON"),
        ((write(bidder, "deep.json", "[" * 5000),), "touchline skan bid: FILE is no JSON"),
        ((write(bidder, "list.json", []),), "touchline skan bid: request: Expected `object`, got `array`."),
        ((write(bidder, "large.json", " " * 2**20 + "{}"),), "is larger than 1 MiB"),
        (("nowhere.json",), "touchline skan bid: FILE 'nowhere.json' cannot be read"),
        ((request, "--fidelity", "2"), "touchline skan bid: fidelities[0]: Invalid enum value 2."),
        ((request, "--skoverlay", "{"), "touchline skan bid: skoverlay is no JSON"),
        ((request, "--network", "x.skadnetwork"), "touchline skan bid: network 'x.skadnetwork' is no ad network of"),
    ):
        assert said in bidder.refusal("skan", "bid", *arguments, code=2)


@pytest.mark.parametrize(
    "content", ["{", '{"company_domain": "a.example", "skadnetwork_ids": [{"skadnetwork_id": "?"}]}']
)
def test_a_bad_list_names_its_setting(bidder: Console, content: str) -> None:
    request, ids = str(bidder.data / "request.json"), write(bidder, "ids.json", content)
    assert "TOUCHLINE_SKAN_LIST=" in bidder.refusal("skan", "bid", request, code=2, TOUCHLINE_SKAN_LIST=ids)
    missing = bidder.refusal("skan", "bid", request, code=2, TOUCHLINE_SKAN_LIST=f"{ids}.none")
    assert missing.endswith("cannot be read: No such file or directory.")


def test_a_bad_key_is_not_printed(bidder: Console) -> None:
    request = str(bidder.data / "request.json")
    said = bidder.refusal("skan", "bid", request, code=2, TOUCHLINE_SKAN_NETWORKS=f"{OURS}={KEY[:-8]}")
    assert OURS in said
    assert KEY[:20] not in said
