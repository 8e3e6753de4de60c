from hashlib import sha256

from tests.console.conftest import Console


def test_a_token_is_printed_once_rotated_and_revoked(console: Console) -> None:
    console.sql("INSERT INTO apps (id, title) VALUES ('shop', 'Shop')")
    made = console.facts("token", "create", "script", "--role", "manage", "--app", "shop", "--days", "30")
    assert (made["role"], made["apps"]) == ("manage", ["shop"])
    digest = "SELECT hash FROM tokens WHERE id = $1"
    assert console.sql(digest, made["id"]) == [(sha256(made["token"].encode()).hexdigest(),)]
    rotated = console.run("token", "rotate", made["id"]).stdout.split()[-1]
    assert rotated.startswith(f"tl_{made['id']}_")
    assert console.sql(digest, made["id"]) == [(sha256(rotated.encode()).hexdigest(),)]
    listed = console.run("token", "list").stdout
    assert made["id"] in listed
    assert rotated not in listed
    console.run("token", "revoke", made["id"])
    assert made["id"] not in [one["id"] for one in console.facts("token", "list")]
    assert "does not exist" in console.refusal("token", "rotate", made["id"], code=1)


def test_a_refusal_is_one_sentence(console: Console) -> None:
    said = console.refusal("token", "create", "x", "--role", "admin", "--partner", "adnet", code=2)
    assert said.startswith("touchline token create: role admin is for the whole installation")
    assert "app 'none' does not exist" in console.refusal("token", "create", "x", "--app", "none", code=1)
