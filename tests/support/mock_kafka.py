"""librdkafka's mock cluster: brokers in this process that fail on command.

For producers only: it has no CreateTopics, removes no duplicates and keeps
about 5 MB per partition.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Iterator, Sequence
from pathlib import Path

import confluent_kafka
import pytest

_PRODUCER = 0
_ERROR_TEXT_BYTES = 512


class MockKafka:
    """A mock cluster; broker ids start at 1."""

    def __init__(self, brokers: int = 1) -> None:
        self._rdkafka = _library()
        error = ctypes.create_string_buffer(_ERROR_TEXT_BYTES)
        # The mock lives inside a client that connects to nothing, which it should not complain about.
        quiet = self._rdkafka.rd_kafka_conf_new()
        self._rdkafka.rd_kafka_conf_set(quiet, b"log_level", b"0", error, len(error))
        self._client = self._rdkafka.rd_kafka_new(_PRODUCER, quiet, error, len(error))
        if not self._client:
            raise RuntimeError(f"librdkafka made no client: {error.value.decode()}")
        self._cluster = self._rdkafka.rd_kafka_mock_cluster_new(self._client, brokers)
        if not self._cluster:
            raise RuntimeError(f"librdkafka made no mock cluster of {brokers} brokers")

    @property
    def bootstrap(self) -> str:
        addresses: bytes = self._rdkafka.rd_kafka_mock_cluster_bootstraps(self._cluster)
        return addresses.decode()

    def create_topic(self, name: str, partitions: int) -> None:
        """With one replica: the mock copies nothing."""
        self._check(self._rdkafka.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, 1))

    def down(self, broker: int) -> None:
        """Closes the broker's connections and refuses new ones."""
        self._check(self._rdkafka.rd_kafka_mock_broker_set_down(self._cluster, broker))

    def up(self, broker: int) -> None:
        self._check(self._rdkafka.rd_kafka_mock_broker_set_up(self._cluster, broker))

    def round_trip_ms(self, broker: int, ms: int) -> None:
        self._check(self._rdkafka.rd_kafka_mock_broker_set_rtt(self._cluster, broker, ms))

    def fail_requests(self, api_key: int, errors: Sequence[int]) -> None:
        """Answers the next requests of this kind (Produce is 0) with these error codes, one each."""
        codes = (ctypes.c_int * len(errors))(*errors)
        self._rdkafka.rd_kafka_mock_push_request_errors_array(self._cluster, api_key, len(errors), codes)

    def close(self) -> None:
        if self._cluster:
            self._rdkafka.rd_kafka_mock_cluster_destroy(self._cluster)
            self._rdkafka.rd_kafka_destroy(self._client)
            self._cluster = None

    def _check(self, code: int) -> None:
        if code:
            name: bytes = self._rdkafka.rd_kafka_err2name(code)
            raise ValueError(f"the mock cluster refused: {name.decode()}")


def _library() -> ctypes.CDLL:
    wheel = Path(confluent_kafka.__file__).parent
    bundled = sorted((wheel.parent / "confluent_kafka.libs").glob("librdkafka-*"))
    bundled += sorted((wheel / ".dylibs").glob("librdkafka*"))
    name = str(bundled[0]) if bundled else ctypes.util.find_library("rdkafka")
    if name is None:
        raise RuntimeError("no librdkafka: confluent-kafka was installed without its wheel")
    library = ctypes.CDLL(name)
    pointer, text, number = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
    for function, result, arguments in (
        ("rd_kafka_conf_new", pointer, ()),
        ("rd_kafka_conf_set", number, (pointer, text, text, pointer, ctypes.c_size_t)),
        ("rd_kafka_new", pointer, (number, pointer, text, ctypes.c_size_t)),
        ("rd_kafka_destroy", None, (pointer,)),
        ("rd_kafka_err2name", text, (number,)),
        ("rd_kafka_mock_cluster_new", pointer, (pointer, number)),
        ("rd_kafka_mock_cluster_destroy", None, (pointer,)),
        ("rd_kafka_mock_cluster_bootstraps", text, (pointer,)),
        ("rd_kafka_mock_topic_create", number, (pointer, text, number, number)),
        ("rd_kafka_mock_broker_set_down", number, (pointer, ctypes.c_int32)),
        ("rd_kafka_mock_broker_set_up", number, (pointer, ctypes.c_int32)),
        ("rd_kafka_mock_broker_set_rtt", number, (pointer, ctypes.c_int32, number)),
        ("rd_kafka_mock_push_request_errors_array", None,
         (pointer, ctypes.c_int16, ctypes.c_size_t, ctypes.POINTER(number))),
    ):  # fmt: skip
        declared = getattr(library, function)
        declared.restype, declared.argtypes = result, arguments
    return library


@pytest.fixture
def mock_kafka() -> Iterator[MockKafka]:
    """One mock broker, its id is 1."""
    cluster = MockKafka()
    yield cluster
    cluster.close()
