"""Fixtures that every test may ask for."""

from collections.abc import Callable, Mapping
from typing import Any

import uvloop

pytest_plugins = ["tests.support.postgres", "tests.support.kafka", "tests.support.mock_kafka", "tests.support.shares"]


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], Any]]:
    """Tests run on the loop that the product runs on: its transports are others than asyncio's."""
    return {"uvloop": uvloop.new_event_loop}
