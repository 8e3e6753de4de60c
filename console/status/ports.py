"""The processes of this host, found by their metrics ports: what /readyz says, and one metric."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from schemas.ports import PORTS, SECOND_OF_A_ROLE
from schemas.settings import Settings
from schemas.topics import READS

EDGES_MAX = 32
MEMBERS_MAX = 5
TIMEOUT_S = 2.0
ANSWER_BYTES_MAX = 4 * 2**20
EXPECTED = ("edge 0", *READS, "postbacks")
"""Without these nothing works; every other process is listed when it answers."""
COUNTRY_DATABASE = "touchline_country_database"
"""Gauge of the touches consumer that is always 1; its labels `source` and `date` name the database."""


def processes(settings: Settings) -> list[dict[str, Any]]:
    """Every process that answers, and those that should and do not."""
    ports = list(candidates(settings.metrics_port))
    host = settings.address("127.0.0.1")
    with ThreadPoolExecutor(16) as threads:
        found = threads.map(lambda one: _process(host, *one), ports)
        answering = [one for one in found if one is not None]
    there = {one["role"] for one in answering}
    missing = [
        {"role": role, "port": port, "ready": False, "says": "nothing answers"}
        for role, port in ports
        if role in EXPECTED and role not in there and port < settings.metrics_port + SECOND_OF_A_ROLE
    ]
    return sorted([*answering, *missing], key=lambda one: one["port"])


def candidates(first_port: int) -> "chain[tuple[str, int]]":
    """(role, port) of everything that might listen."""
    edges = ((f"edge {worker}", first_port + worker) for worker in range(EDGES_MAX))
    roles = (
        (role, first_port + offset + member * SECOND_OF_A_ROLE)
        for role, offset in PORTS.items()
        for member in range(MEMBERS_MAX)
    )
    return chain(edges, roles)


def _process(host: str, role: str, port: int) -> dict[str, Any] | None:
    if port > 65535:
        return None
    try:
        status, text = get(host, port, "/readyz")
    except ConnectionError:
        return None
    except (OSError, http.client.HTTPException) as error:
        return {"role": role, "port": port, "ready": False, "says": f"no answer: {error or type(error).__name__}"}
    return {"role": role, "port": port, "ready": status == 200, "says": text.strip()[:300]}


def country_database(settings: Settings) -> dict[str, str] | None:
    """Name and day of the data that the touches consumer looks countries up in."""
    try:
        _, text = get(settings.address("127.0.0.1"), settings.metrics_port + PORTS["touches"], "/metrics")
        for family in text_string_to_metric_families(text):
            if family.name == COUNTRY_DATABASE and family.samples:
                return dict(family.samples[0].labels)
    except (OSError, http.client.HTTPException, ValueError):
        pass
    return None


def get(host: str, port: int, path: str) -> tuple[int, str]:
    """Status and body; no proxy is asked, whatever the environment says."""
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read(ANSWER_BYTES_MAX).decode("utf-8", "replace")
    finally:
        connection.close()
