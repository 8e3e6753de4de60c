import dataclasses
from pathlib import Path

import pytest

from schemas.addresses import Network
from schemas.errors import ConfigError
from schemas.settings import PREFIX, Settings, declared, unknown


def test_everything_has_a_default() -> None:
    settings = Settings.read({})
    assert settings.data == Path("data")
    assert (settings.kafka, settings.ack, settings.database_url, settings.bind) == ("", "", "", "")
    assert (settings.edge_port, settings.metrics_port) == (8080, 9100)
    assert settings.workers == 1
    assert settings.journal_bytes_max == 20 * 10**9
    assert settings.trusted_proxies == ()
    assert settings.printed_url() == "http://localhost:8080"


def test_an_empty_value_means_the_default() -> None:
    assert Settings.read({key: "" for key, _, _ in declared()}) == Settings.read({})


def test_settings_are_read_from_the_environment_given() -> None:
    settings = Settings.read(
        {
            "TOUCHLINE_DATA": "/srv/touchline",
            "TOUCHLINE_KAFKA": "a:9092,b:9092",
            "TOUCHLINE_EDGE_PORT": "80",
            "TOUCHLINE_JOURNAL_BYTES_MAX": "1.5 gb",
            "TOUCHLINE_WORKERS": "32",
            "TOUCHLINE_PUBLIC_URL": "https://go.example/",
            "TOUCHLINE_BIND": "::1",
        }
    )
    assert settings.data == Path("/srv/touchline")
    assert settings.edge_port == 80
    assert settings.workers == 32
    assert settings.journal_bytes_max == 1_500_000_000
    assert settings.printed_url() == "https://go.example"
    assert settings.address("0.0.0.0") == "::1"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("TOUCHLINE_EDGE_PORT", "eighty"),
        ("TOUCHLINE_EDGE_PORT", "0"),
        ("TOUCHLINE_METRICS_PORT", "65536"),
        ("TOUCHLINE_ACK", "memory"),
        ("TOUCHLINE_BIND", "localhost"),
        ("TOUCHLINE_WORKERS", "0"),
        ("TOUCHLINE_WORKERS", "33"),
        ("TOUCHLINE_WORKERS", "two"),
        ("TOUCHLINE_JOURNAL_BYTES_MAX", "much"),
        ("TOUCHLINE_PUBLIC_URL", "go.example"),
        ("TOUCHLINE_TRUSTED_PROXIES", "proxy.example"),
        ("TOUCHLINE_TRUSTED_PROXIES", "10.0.0.1,10.0.0.256"),
        ("TOUCHLINE_TRUSTED_PROXIES", "10.0.0.0/33"),
        ("TOUCHLINE_TRUSTED_PROXIES", "10.0.0.1 10.0.0.2"),
        ("TOUCHLINE_TRUSTED_PROXIES", "*"),
        ("TOUCHLINE_TRUSTED_PROXIES", "0.0.0.0/0"),
        ("TOUCHLINE_TRUSTED_PROXIES", "::/0"),
        ("TOUCHLINE_POSTBACK_TARGETS", "10.0.0.256"),
        ("TOUCHLINE_POSTBACK_TARGETS", "127.1"),
        ("TOUCHLINE_POSTBACK_TARGETS", "http://hooks.internal"),
        ("TOUCHLINE_POSTBACK_TARGETS", "hooks.internal:80"),
        ("TOUCHLINE_POSTBACK_TARGETS", "*.internal"),
        ("TOUCHLINE_POSTBACK_DAYS", "0"),
    ],
)
def test_a_bad_value_names_its_key_and_itself(key: str, value: str) -> None:
    with pytest.raises(ConfigError) as caught:
        Settings.read({key: value})
    assert key in str(caught.value)
    assert repr(value) in str(caught.value)


def test_trusted_proxies_are_addresses_and_networks() -> None:
    settings = Settings.read({"TOUCHLINE_TRUSTED_PROXIES": " 10.1.2.3/8, 192.0.2.1,2001:DB8::/32 ,::ffff:192.0.2.2,"})
    assert settings.trusted_proxies == (
        Network(4, 10 << 24, 8),
        Network(4, 0xC000_0201, 32),
        Network(6, 0x2001_0DB8 << 96, 32),
        Network(4, 0xC000_0202, 32),
    )


def test_postback_targets_are_networks_and_names() -> None:
    settings = Settings.read({"TOUCHLINE_POSTBACK_TARGETS": "10.0.0.0/8, Hooks.internal,localhost , ::1"})
    assert settings.postback_targets == (Network(4, 10 << 24, 8), "hooks.internal", "localhost", Network(6, 1, 128))
    assert settings.postback_days == 90


def test_the_one_bad_proxy_of_several_is_named() -> None:
    with pytest.raises(ConfigError, match=r"'10\.0\.0\.256' is neither an address nor a network"):
        Settings.read({"TOUCHLINE_TRUSTED_PROXIES": "10.0.0.1,10.0.0.256"})


@pytest.mark.parametrize(
    ("kafka", "ack", "waits"),
    [("", "", False), ("", "kafka", False), ("a:9092", "", True), ("a:9092", "disk", False), ("a:9092", "kafka", True)],
)
def test_answers_wait_for_kafka_unless_the_disk_is_enough(kafka: str, ack: str, waits: bool) -> None:
    settings = Settings.read({"TOUCHLINE_KAFKA": kafka, "TOUCHLINE_ACK": ack})
    assert settings.acknowledges_kafka() is waits


def test_every_setting_is_declared_with_a_sentence() -> None:
    assert [key for key, _, _ in declared()] == [PREFIX + field.name.upper() for field in dataclasses.fields(Settings)]
    for key, default, sentence in declared():
        assert sentence.endswith("."), key
        assert isinstance(default, str), key


def test_a_misspelt_setting_is_noticed() -> None:
    environment = {"TOUCHLINE_EDGEPORT": "1", "TOUCHLINE_DATA": "x", "TOUCHLINE_TEST_DATA": "y", "HOME": "z"}
    assert unknown(environment) == ["TOUCHLINE_EDGEPORT"]


def test_the_own_postgres_says_where_it_is(tmp_path: Path) -> None:
    settings = Settings.read({"TOUCHLINE_DATA": str(tmp_path)})
    with pytest.raises(ConfigError, match="touchline up"):
        settings.postgres_url()
    settings.own_postgres().mkdir()
    (settings.own_postgres() / "url").write_text("postgresql://here\n")
    assert settings.postgres_url() == "postgresql://here"


def test_a_given_database_comes_first(tmp_path: Path) -> None:
    settings = Settings.read({"TOUCHLINE_DATA": str(tmp_path), "TOUCHLINE_DATABASE_URL": "postgresql://there"})
    assert settings.postgres_url() == "postgresql://there"
