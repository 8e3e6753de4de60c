"""The metrics port of a process."""

import socket

import aiohttp
import pytest

from process.health import served
from process.metrics import Meters
from schemas.errors import ConfigError
from schemas.ports import SECOND_OF_A_ROLE
from schemas.settings import Settings
from tests.support.product import free_ports


async def get(port: int, path: str) -> tuple[int, str]:
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}{path}") as answer:
        return answer.status, await answer.text()


async def test_alive_ready_and_metrics() -> None:
    settings = Settings.read({"TOUCHLINE_METRICS_PORT": str(free_ports(240))})
    state: list[str | None] = [None]
    async with served(settings, 3, Meters(), lambda: state[0]) as port:
        assert port == settings.metrics_port + 3
        assert await get(port, "/healthz") == (200, "ok\n")
        assert await get(port, "/readyz") == (200, "ok\n")
        state[0] = "ok: weaker"
        assert await get(port, "/readyz") == (200, "ok: weaker\n")
        state[0] = "the disk is full"
        assert await get(port, "/readyz") == (503, "the disk is full\n")
        assert (await get(port, "/metrics"))[0] == 200


async def test_a_second_process_of_a_role_takes_the_next_port() -> None:
    settings = Settings.read({"TOUCHLINE_METRICS_PORT": str(free_ports(240))})
    with socket.create_server(("127.0.0.1", settings.metrics_port)):
        async with served(settings, 0, Meters(), lambda: None) as port:
            assert port == settings.metrics_port + SECOND_OF_A_ROLE


async def test_an_address_that_is_not_ours_is_one_sentence() -> None:
    settings = Settings.read({"TOUCHLINE_BIND": "192.0.2.1"})
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:9100"):
        async with served(settings, 0, Meters(), lambda: None):
            pass
