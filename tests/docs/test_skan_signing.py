"""docs/skan.md, "Signing ads": its commands run, its requests are understood, its table is the code's."""

import re
import shlex
import subprocess
from pathlib import Path

import msgspec
import pytest

from console.api.table import ROUTES
from schemas.skan.lists import parse_list
from schemas.skan.signed import AD_ORDER, SEPARATOR, VERSIONS, WEB_AD_ORDER
from schemas.skan.web_ads import KEPT_DAYS
from tests.console.conftest import Console
from tests.support.signing import KEY, jws_verifies, pem_of, verifies

PAGE = (Path(__file__).parents[2] / "docs" / "skan.md").read_text()
PART = PAGE.split("\n## Signing ads\n")[1].split("\n## ")[0]
SHELL = "\n".join(re.findall(r"```sh\n(.*?)```", PART, re.DOTALL)).replace("\\\n", " ")
COMMANDS = [shlex.split(line)[1:] for line in SHELL.splitlines() if line.startswith("touchline skan ")]


@pytest.fixture
def signer(tmp_path: Path) -> Console:
    """In a folder with the page's key, without Postgres."""
    (tmp_path / "example123.pem").write_bytes(pem_of())
    console = Console("postgresql://nobody@127.0.0.1:1/none", tmp_path)
    console.environment["TOUCHLINE_SKAN_NETWORKS"] = f"example123.skadnetwork={tmp_path}/example123.pem"
    return console


def test_its_commands_sign(signer: Console) -> None:
    found = [command for command in COMMANDS if command[1] == "sign"]
    assert len(found) == 3
    for command in found:
        stated = [str(signer.data / part) if part.endswith(".pem") else part for part in command if part != "--json"]
        made = signer.facts(*stated)
        if "jws" in made:
            assert jws_verifies(KEY.public_key(), made["jws"])
        else:
            assert verifies(KEY.public_key(), made["signature"], made["signed_string"])
            assert SEPARATOR in made["signed_string"]


def test_its_key_is_one_that_signs(signer: Console) -> None:
    (signer.data / "example123.pem").unlink()
    for line in [line for line in SHELL.splitlines() if line.startswith("openssl ")]:
        subprocess.run(["sh", "-c", line], cwd=signer.data, check=True, capture_output=True)
    assert signer.facts(*COMMANDS[0])["signature"]


def test_its_web_ad_is_issued(database_url: str, signer: Console) -> None:
    signer.environment["TOUCHLINE_DATABASE_URL"] = database_url
    [command] = [command for command in COMMANDS if command[1] == "web-ad"]
    made = signer.facts(*command)
    assert all(f"`{name}`" in PART for name in ("attributionDestination", "attributionSourceNonce", "html"))
    assert {"attributionDestination", "attributionSourceNonce", "html"} <= set(made)


def test_its_requests_are_understood() -> None:
    asked = re.findall(r"api/v1(/skan/\S+)\s+-d '(.*?)'", SHELL)
    bodies = {route.path: route.body for route in ROUTES}
    assert [path for path, _ in asked] == ["/skan/sign", "/skan/web-ad"]
    for path, body in asked:
        kind = bodies[path]
        assert kind is not None
        msgspec.json.decode(body, type=kind)


def test_its_table_has_what_each_version_signs() -> None:
    rows = dict(re.findall(r"^\| (\d\.\d[^|]*?) \| (.*) \|$", PART, re.MULTILINE))
    signs: list[str] = []
    for versions, said in rows.items():
        named = re.findall(r"`(\w+)`", said)
        if "in place of" in said:
            signs = [named[0] if name == named[1] else name for name in signs]
        else:
            signs += named
        order = WEB_AD_ORDER if "website" in versions else AD_ORDER
        for version in re.findall(r"\d\.\d", versions):
            signed = order if isinstance(order, tuple) else order[version]
            wanted = {name.replace("-", "_") for name in signed} - {"version", "ad_network_id"}
            assert set(signs) == wanted, versions
    assert [version for versions in rows for version in re.findall(r"\d\.\d", versions)] == [*VERSIONS, "4.0"]


def test_its_bounds_and_its_list_are_the_codes() -> None:
    assert f"a nonce for {KEPT_DAYS} days" in " ".join(PART.split())
    [content] = re.findall(r"```json\n(.*?)```", PART, re.DOTALL)
    assert parse_list(content.encode()).entries[0].skadnetwork_id == "example123.skadnetwork"
