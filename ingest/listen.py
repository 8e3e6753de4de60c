"""The listening socket of a worker, and how it lets its connections go."""

import asyncio
import contextlib
import errno
import logging
import socket
from collections.abc import Awaitable, Callable

from aiohttp import web

from schemas.errors import ConfigError
from schemas.settings import Settings

log = logging.getLogger(__name__)

BACKLOG = 4096
PORT_PATIENCE_S = 15.0
PAUSE_S = 1.0
LINGER_S = 1.0


async def listening_socket(settings: Settings, listen_fd: int | None = None) -> socket.socket:
    """The inherited one, else its own; a predecessor that is still draining gets some time to let go of the port.

    The inherited one was bound by the parent and listens from the first worker's call on: until a
    worker can serve, clients are refused and go elsewhere instead of waiting in a queue.
    """
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PORT_PATIENCE_S
    address, port = settings.address("0.0.0.0"), settings.edge_port
    inherited = None if listen_fd is None else socket.socket(fileno=listen_fd)
    while True:
        try:
            if inherited is None:
                family = socket.AF_INET6 if ":" in address else socket.AF_INET
                return _unpaced(socket.create_server((address, port), family=family, backlog=BACKLOG))
            inherited.set_inheritable(False)
            inherited.listen(BACKLOG)
            return _unpaced(inherited)
        except OSError as error:
            if error.errno != errno.EADDRINUSE or loop.time() > deadline:
                where = f"{address}:{port}"
                raise ConfigError(f"cannot listen on {where} ({error.strerror}); set TOUCHLINE_EDGE_PORT") from None
            await asyncio.sleep(0.2)


def _unpaced(listening: socket.socket) -> socket.socket:
    """Its connections without BBR, many hosts' default: an answer is one segment, and BBR sets a timer for each."""
    if hasattr(socket, "TCP_CONGESTION"):
        with contextlib.suppress(OSError):  # a kernel that forbids the choice keeps its own
            listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, b"reno")
    return listening


def last_answers(stop: asyncio.Event) -> Callable[[web.Request, web.StreamResponse], Awaitable[None]]:
    """For `on_response_prepare`: once `stop` is set, every answer is the last of its connection and says so."""

    async def close_after(_: web.Request, response: web.StreamResponse) -> None:
        if stop.is_set():
            response.force_close()
            response.headers["Connection"] = "close"  # aiohttp has decided on this header already

    return close_after


class Listener:
    """Takes connections off the queue that the workers share, and lets them go in the end."""

    def __init__(
        self, listening: socket.socket, make_protocol: Callable[[], asyncio.Protocol], connections: Callable[[], int]
    ) -> None:
        """`connections` says how many are open."""
        self._listening = listening
        self._make_protocol = make_protocol
        self._connections = connections
        self._loop = asyncio.get_running_loop()
        self._beginning: set[asyncio.Task[None]] = set()
        self._resume: asyncio.TimerHandle | None = None

    def open(self) -> None:
        """Accept from now on."""
        self._listening.setblocking(False)
        self._loop.add_reader(self._listening.fileno(), self._accept)

    def _accept(self) -> None:
        # asyncio's own server empties the queue at each wake-up: one worker would get a whole burst, and keep it.
        # A busy worker wakes up less often and takes more at a time.
        for _ in range(1 + self._connections() // 16):
            try:
                connection, _ = self._listening.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                log.error("no connection can be accepted for a moment: %s", error.strerror)
                self._loop.remove_reader(self._listening.fileno())
                self._resume = self._loop.call_later(PAUSE_S, self.open)
                return
            beginning = self._loop.create_task(self._begin(connection))
            self._beginning.add(beginning)
            beginning.add_done_callback(self._beginning.discard)

    async def _begin(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        try:
            await self._loop.connect_accepted_socket(self._make_protocol, connection)
        except OSError:  # the client is gone already
            connection.close()

    async def close(self) -> None:
        """Accept no more; wait until every client had its last answer, for a moment at most.

        Clients that keep connections are about to use them, and what was accepted just now has not
        been read: to close at once would break requests that are on their way.
        """
        if self._resume is not None:
            self._resume.cancel()
        self._loop.remove_reader(self._listening.fileno())
        self._listening.close()
        deadline = self._loop.time() + LINGER_S
        await asyncio.gather(*self._beginning, return_exceptions=True)
        while self._connections() and self._loop.time() < deadline:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
