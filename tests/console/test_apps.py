import json
from hashlib import sha256
from pathlib import Path

import pytest

from schemas.reasons import SENTENCES
from schemas.rules import RuleSet
from schemas.sql import load
from schemas.validity import VERDICTS
from tests.console.conftest import Console


def test_an_app_comes_with_two_keys_that_are_stored_as_digests(console: Console) -> None:
    made = console.facts("app", "create", "com.example.shop", "--title", "Shop", "--fallback-url", "https://a.example/")
    assert (made["id"], made["title"], made["fallback_url"]) == ("com.example.shop", "Shop", "https://a.example/")
    assert [key["kind"] for key in made["keys"]] == ["sdk", "server"]
    digests = {(key["kind"], sha256(key["key"].encode()).hexdigest()) for key in made["keys"]}
    assert set(console.sql("SELECT kind, hash FROM app_keys WHERE app = 'com.example.shop'")) == digests


def test_the_keys_are_printed_once(console: Console) -> None:
    page = console.run("app", "create", "shop").stdout
    keys = [line.split()[-1] for line in page.splitlines() if line.startswith(("SDK key", "server key"))]
    assert len(set(keys)) == 2
    assert all(len(key) > 30 for key in keys)
    later = console.run("app", "show", "shop").stdout + console.run("app", "list").stdout
    assert not any(key in later for key in keys)


def test_a_key_is_added(console: Console) -> None:
    console.run("app", "create", "shop")
    made = console.facts("app", "key", "shop", "--kind", "server", "--title", "back end")
    assert (sha256(made["key"].encode()).hexdigest(),) in console.sql("SELECT hash FROM app_keys")
    shown = console.facts("app", "show", "shop")
    assert [(key["kind"], key["title"]) for key in shown["keys"]] == [
        ("sdk", ""), ("server", ""), ("server", "back end")
    ]  # fmt: skip


def test_apps_are_listed(console: Console) -> None:
    assert "No apps yet" in console.run("app", "list").stdout
    console.run("app", "create", "shop")
    console.sql("INSERT INTO apps (id, title) VALUES ('game', 'Game')")
    assert [app["id"] for app in console.facts("app", "list")] == ["game", "shop"]
    assert "sdk, server" in console.run("app", "list").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create", "shop"], 1, "touchline app create: id 'shop' is taken: `touchline app show shop`"),
        (["create", "two words"], 2, "touchline app create: id 'two words' is no app id"),
        (
            ["create", "s", "--fallback-url", "ftp://x"],
            2,
            "touchline app create: fallback-url 'ftp://x' does not start",
        ),
        (["create", "s", "--title", "\n"], 2, r"touchline app create: title '\n' is not 1 to 200 printable"),
        (["create"], 2, "touchline app create: Missing argument 'ID'"),
        (["key", "game", "--kind", "sdk"], 1, "touchline app key: app 'game' does not exist"),
        (["key", "shop", "--kind", "none"], 2, "touchline app key: Invalid value for '--kind'"),
        (["set", "game", "--title", "Game"], 1, "touchline app set: app 'game' does not exist"),
        (["set", "shop", "--coppa"], 2, "touchline app set: No such option: --coppa"),
        (["set", "shop"], 2, "touchline app set: nothing to change: --help names what can be"),
        (["set", "shop", "--origin", "https://x.example"], 1, "touchline app set: app 'shop' is no website"),
        (["key", "shop", "--kind", "web"], 1, "touchline app key: app 'shop' is no website"),
        (["create", "w", "--kind", "web"], 2, "touchline app create: origins are missing: a website needs them"),
        (
            ["create", "w", "--origin", "https://x.example"],
            2,
            "touchline app create: origins is a website's: the kind has to be web",
        ),
        (
            ["create", "w", "--kind", "web", "--origin", "https://x.example/"],
            2,
            "touchline app create: origins 'https://x.example/' is none",
        ),
        (
            ["set", "shop", "--visit-window-hours", "2161"],
            2,
            "touchline app set: Invalid value for '--visit-window-hours'",
        ),
        (["show", "game"], 1, "touchline app show: app 'game' does not exist"),
        (["rules", "game"], 1, "touchline app rules: app 'game' does not exist"),
        (
            ["rules", "shop", "--preset", "x"],
            2,
            "touchline app rules: --preset 'x' is not known; there are ",
        ),
        (["show", "shop", "--nonsense"], 2, "touchline app show: No such option: --nonsense"),
    ],
)
def test_a_refusal_is_one_sentence_that_names_the_argument(
    console: Console, arguments: list[str], code: int, said: str
) -> None:
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', 'Shop')")
    assert console.refusal("app", *arguments, code=code).startswith(said)


def test_no_postgres_is_a_sentence(console: Console) -> None:
    away = console.refusal("app", "list", code=1, TOUCHLINE_DATABASE_URL="postgresql://127.0.0.1:1/nothing")
    assert away.startswith("touchline app list: No Postgres: ")
    none = console.refusal("app", "list", code=1, TOUCHLINE_DATABASE_URL="")
    assert none.startswith("touchline app list: No Postgres: TOUCHLINE_DATABASE_URL is empty")
    wrong = console.refusal("app", "list", code=2, TOUCHLINE_DATABASE_URL="nonsense")
    assert "TOUCHLINE_DATABASE_URL is not usable" in wrong


def test_a_database_without_tables_says_what_to_run(console: Console) -> None:
    console.sql("DROP TABLE app_keys")
    assert "`touchline migrate`" in console.refusal("app", "list", code=1)


def test_the_privacy_of_an_app_is_set_and_shown(console: Console) -> None:
    made = console.facts("app", "create", "kids", "--coppa")
    assert (made["coppa"], made["truncate_addresses"]) == (True, False)
    console.run("app", "create", "shop")
    assert console.facts("app", "set", "shop", "--truncate-addresses")["truncate_addresses"] is True
    shown = console.facts("app", "show", "shop")
    assert (shown["coppa"], shown["truncate_addresses"]) == (False, True)
    assert "truncated" in console.run("app", "show", "shop").stdout
    console.run("app", "set", "kids", "--no-truncate-addresses")
    lines = console.run("app", "list").stdout.splitlines()
    assert ["coppa" in line for line in lines[1:]] == [True, False]
    rows = console.sql(load("links")["changes"], 0, 10)
    apps = {body["id"]: body for kind, _, text in rows if kind == "app" and (body := json.loads(text))}
    assert (apps["shop"]["coppa"], apps["shop"]["truncate_addresses"], apps["kids"]["coppa"]) == (False, True, True)


def test_a_website_has_origins_and_a_key_for_its_pages(console: Console) -> None:
    made = console.facts("app", "create", "shop", "--kind", "web", "--origin", "https://shop.example")
    assert (made["kind"], made["origins"]) == ("web", ["https://shop.example"])
    assert [key["kind"] for key in made["keys"]] == ["web", "server"]
    page = console.run("app", "create", "other", "--kind", "web", "--origin", "http://localhost:3000").stdout
    key = next(line.split()[-1] for line in page.splitlines() if line.startswith("web key"))
    assert f'<script async src="https://go.example/touchline.js" data-key="{key}"></script>' in page
    both = ("--origin", "https://shop.example", "--origin", "https://www.shop.example:8443")
    changed = console.facts("app", "set", "shop", *both, "--visit-window-hours", "24")
    assert (changed["origins"], changed["visit_window_hours"]) == ([*both[1::2]], 24)
    console.run("app", "set", "shop", "--truncate-addresses")
    shown = console.run("app", "show", "shop").stdout
    assert "https://shop.example, https://www.shop.example:8443" in shown
    assert "24 h" in shown
    rows = console.sql(load("links")["changes"], 0, 10)
    apps = {body["id"]: body for kind, _, text in rows if kind == "app" and (body := json.loads(text))}
    assert (apps["shop"]["kind"], apps["shop"]["origins"]) == ("web", [*both[1::2]])


def test_the_rules_of_an_app_are_versions_of_which_the_latest_holds(console: Console, tmp_path: Path) -> None:
    console.run("app", "create", "shop")
    assert console.facts("app", "rules", "shop")["name"] == "default-1"
    adjust = console.facts("app", "rules", "shop", "--preset", "adjust")
    assert (adjust["name"], adjust["preset"], len(adjust["rules"])) == ("shop-1", "adjust", 4)
    assert adjust["validity"] == VERDICTS
    own = {
        "rules": [{"method": "fingerprint", "touch_kind": "click", "window_hours": 48}],
        "confidence_min": 0.85,
        "validity": {"bot": "off", "data_centre": "reject"},
        "reattribution_days": 30,
        "reengagement_days": 0,
    }
    path = tmp_path / "rules.json"
    path.write_text(json.dumps(own))
    changed = console.facts("app", "rules", "shop", "--file", str(path))
    modes = {**VERDICTS, "bot": "off", "data_centre": "reject"}
    assert changed == {"app": "shop", "name": "shop-2", "preset": None, **own, "validity": modes}
    assert console.facts("app", "rules", "shop") == changed
    page = console.run("app", "rules", "shop").stdout
    assert "shop-2, rules of your own, since" in page
    assert "48 h" in page
    assert "A user's return is a conversion of its own: not looked for." in page
    assert "A fingerprint counts from a confidence of 85%." in page
    assert "attributed anew after 30 days" in page
    assert all(SENTENCES[verdict] in page for verdict in VERDICTS)
    assert console.sql("SELECT version, preset FROM app_rules ORDER BY version") == [(1, "adjust"), (2, None)]
    noted = console.sql("SELECT action, before IS NULL FROM audit WHERE kind = 'rules' ORDER BY id")
    assert noted == [("change", True), ("change", False)]


def test_rules_that_are_wrong_change_nothing(console: Console, tmp_path: Path) -> None:
    console.run("app", "create", "shop")
    path = tmp_path / "rules.json"
    path.write_text('{"rules": [{"method": "fingerprint", "touch_kind": "click", "window_hours": 200}]}')
    failed = console.run("app", "rules", "shop", "--file", str(path), code=2)
    assert "rules[0].window_hours is 200; fingerprint takes 1 to 168 hours" in failed.stderr
    both = console.run("app", "rules", "shop", "--file", str(path), "--preset", "adjust", code=2)
    assert "--preset and --file" in both.stderr
    assert console.sql("SELECT count(*) FROM app_rules") == [(0,)]


def test_what_is_printed_of_an_apps_rules_may_be_given_back(console: Console, tmp_path: Path) -> None:
    console.run("app", "create", "shop")
    printed = console.facts("app", "rules", "shop", "--preset", "mytracker")
    path = tmp_path / "rules.json"
    path.write_text(json.dumps({name: printed[name] for name in RuleSet.__struct_fields__}))
    again = console.facts("app", "rules", "shop", "--file", str(path))
    assert {**again, "name": "", "preset": ""} == {**printed, "name": "", "preset": ""}
