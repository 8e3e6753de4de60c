"""Ending Kafka clients: aiokafka's own stop can wait for ever, or raise a cancellation that nobody asked for."""

import asyncio
import logging
from typing import Any

log = logging.getLogger(__name__)

STOP_TIMEOUT_S = 5.0


async def stop_client(client: Any) -> None:
    """Stop a producer or consumer within a deadline; never raises for what the client does."""
    stopping = asyncio.ensure_future(client.stop())
    await asyncio.wait({stopping}, timeout=STOP_TIMEOUT_S)
    if not stopping.done():
        stopping.cancel()
        log.warning("a Kafka client did not stop within %.0f s", STOP_TIMEOUT_S)
    elif not stopping.cancelled() and (error := stopping.exception()) is not None:
        log.warning("a Kafka client did not stop in order: %s", error)
