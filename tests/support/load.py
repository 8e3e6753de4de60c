"""A load of S2S pings that remembers what was acknowledged."""

import asyncio
import time
from collections.abc import Callable
from urllib.parse import quote

import aiohttp

CONNECTIONS = 32
UA = quote("Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/130.0.0.0 Mobile Safari/537.36", safe="")


class Load:
    """Sends pings with unique click ids until `wanted` were acknowledged with a 204."""

    def __init__(self, url: str, link: str, wanted: int, prefix: str = "load") -> None:
        self.acknowledged: set[str] = set()
        self.statuses: dict[int, int] = {}
        self.broken = 0
        """Requests without an answer: the edge was gone."""
        self._url = url
        self._link = link
        self._wanted = wanted
        self._prefix = prefix
        self._sent = 0

    async def run(self, *, seconds: float = 120.0) -> None:
        """Send; fails when the edge does not come back in time."""
        deadline = time.monotonic() + seconds
        timeout = aiohttp.ClientTimeout(total=15)
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=CONNECTIONS), timeout=timeout) as session:
            # a GET whose connection broke is sent again in silence: recorded twice, it would look like our doing
            session._retry_connection = False
            await asyncio.gather(*(self._send(session, deadline) for _ in range(CONNECTIONS)))
        assert len(self.acknowledged) >= self._wanted, (len(self.acknowledged), self.statuses, self.broken)

    async def _send(self, session: aiohttp.ClientSession, deadline: float) -> None:
        while len(self.acknowledged) < self._wanted and time.monotonic() < deadline:
            self._sent += 1
            click_id = f"{self._prefix}-{self._sent}"
            query = f"click_id={click_id}&device_ip=198.51.100.7&device_ua={UA}&click_timestamp={int(time.time())}"
            try:
                async with session.get(f"{self._url}/serve/{self._link}?{query}&noredirect") as answer:
                    self.statuses[answer.status] = self.statuses.get(answer.status, 0) + 1
                    if answer.status == 204:
                        self.acknowledged.add(click_id)
                    elif answer.status == 503:
                        await asyncio.sleep(0.05)
            except (aiohttp.ClientError, TimeoutError, OSError):
                self.broken += 1
                await asyncio.sleep(0.05)

    async def reached(self, count: int, act: Callable[[], object]) -> None:
        """Do `act` in a thread once so many were acknowledged."""
        while len(self.acknowledged) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        await asyncio.to_thread(act)

    async def further(self, count: int) -> None:
        """Return once so many more were acknowledged."""
        await self.reached(len(self.acknowledged) + count, lambda: None)

    def enough(self) -> None:
        """Send no more."""
        self._wanted = len(self.acknowledged)
