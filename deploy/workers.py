"""The edge's workers: processes on one listening socket that outlives each of them.

The parent binds the socket and the workers inherit it: they share one accept queue, and a worker
that dies resets nothing in it. With a socket each (SO_REUSEPORT) its queue would die with it.
"""

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Mapping

from deploy.children import Child, end_all
from process.life import run, sleep_unless
from schemas.errors import ConfigError
from schemas.settings import Settings

log = logging.getLogger(__name__)

PORT_PATIENCE_S = 15.0


async def run_workers(settings: Settings, stop: asyncio.Event) -> None:
    """`touchline edge` with more than one worker: keeps them running until `stop`."""
    bound = await bound_socket(settings, stop)
    children = workers(settings, bound, os.environ)
    for child in children:
        child.start()
    log.info("%d workers on port %d", len(children), settings.edge_port)
    await stop.wait()
    bound.close()  # before the workers let go of it: then clients are refused, not left in a queue nobody serves
    await end_all(children)


async def bound_socket(settings: Settings, stop: asyncio.Event) -> socket.socket:
    """Bound, not listening yet; a predecessor that still holds the port gets some time to let go of it."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + PORT_PATIENCE_S
    address, port = settings.address("0.0.0.0"), settings.edge_port
    while True:
        bound = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
        try:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if bound.family == socket.AF_INET6:
                bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            bound.bind((address, port))
            return bound
        except OSError as error:
            bound.close()
            if error.errno != errno.EADDRINUSE or loop.time() > deadline or await sleep_unless(stop, 0.2):
                why = f"cannot listen on {address}:{port} ({error.strerror}); set TOUCHLINE_EDGE_PORT"
                raise ConfigError(why) from None


def workers(settings: Settings, bound: socket.socket, environment: Mapping[str, str]) -> list[Child]:
    """One child a worker; none is started yet."""
    number = bound.fileno()
    return [
        Child(f"edge --worker {worker} --listen-fd {number}", environment, pass_fds=[number])
        for worker in range(settings.workers)
    ]


if __name__ == "__main__":
    run("edge", run_workers)
