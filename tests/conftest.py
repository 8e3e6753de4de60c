"""Fixtures that every test may ask for."""

import signal
from collections.abc import Callable, Mapping
from typing import Any

import uvloop

pytest_plugins = ["tests.support.postgres", "tests.support.kafka", "tests.support.mock_kafka", "tests.support.shares"]

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # a shell that starts the tests in the background has them ignore Ctrl-C, and with them whatever they start
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], Any]]:
    """Tests run on the loop that the product runs on: its transports are others than asyncio's."""
    return {"uvloop": uvloop.new_event_loop}
