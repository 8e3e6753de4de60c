"""The supervisor's child processes: started with their role in the command line, restarted when they die."""

import asyncio
import ctypes
import logging
import os
import signal
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

log = logging.getLogger(__name__)

PR_SET_PDEATHSIG = 1
RESTART_PAUSE_S = (0.2, 1.0, 3.0, 10.0)
SETTLED_S = 1.0
STEADY_S = 30.0
END_PATIENCE_S = 20.0

_libc = ctypes.CDLL(None, use_errno=True)


class Restarts:
    """How long to wait before a child is started again."""

    def __init__(self) -> None:
        self._quick_deaths = 0

    def pause_s(self, code: int, lived_s: float) -> float:
        """Nothing after an orderly end: somebody asked for a restart. Else longer with every quick death."""
        if code == 0 and lived_s > SETTLED_S:
            return 0.0
        self._quick_deaths = 0 if lived_s > STEADY_S else self._quick_deaths + 1
        return RESTART_PAUSE_S[min(self._quick_deaths, len(RESTART_PAUSE_S) - 1)]


class Child:
    """One role, kept running until `end`."""

    def __init__(self, role: str, environment: Mapping[str, str], *, pass_fds: Sequence[int] = ()) -> None:
        """It inherits the descriptors `pass_fds`, under the same numbers."""
        self.role = role
        self._environment = dict(environment)
        self._pass_fds = tuple(pass_fds)
        self._process: asyncio.subprocess.Process | None = None
        self._ending = False
        self._keeper: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Start it and keep it running."""
        self._keeper = asyncio.create_task(self._keep())

    @property
    def pid(self) -> int | None:
        """Of the running process."""
        return self._process.pid if self._process else None

    async def _keep(self) -> None:
        restarts = Restarts()
        loop = asyncio.get_running_loop()
        while not self._ending:
            started_at = loop.time()
            self._process = await asyncio.create_subprocess_exec(
                *command(self.role),
                env=self._environment,
                pass_fds=self._pass_fds,
                # Ctrl-C in the terminal is for the supervisor alone, which ends its children in order
                start_new_session=True,
                preexec_fn=_die_with_parent(os.getpid()),
            )
            code = await self._process.wait()
            if self._is_ending():
                return
            pause_s = restarts.pause_s(code, loop.time() - started_at)
            log.warning("%s ended with %s, starting it again in %.1f s", self.role, _cause(code), pause_s)
            await asyncio.sleep(pause_s)

    def _is_ending(self) -> bool:
        return self._ending

    async def end(self) -> None:
        """SIGTERM, patience, SIGKILL."""
        self._ending = True
        if self._process is not None and self._process.returncode is None:
            self._process.terminate()
            try:
                async with asyncio.timeout(END_PATIENCE_S):
                    await self._process.wait()
            except TimeoutError:
                log.warning("%s did not end within %.0f s", self.role, END_PATIENCE_S)
                self._process.kill()
                await self._process.wait()
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)


async def end_all(children: Iterable[Child]) -> None:
    """End them at the same time."""
    await asyncio.gather(*(child.end() for child in children))


def command(role: str) -> list[str]:
    """The command line of a role: it names it, so that `ps` and operators find it."""
    return [sys.executable, str(Path(sys.executable).parent / "touchline"), *role.split()]


def _die_with_parent(parent: int) -> Callable[[], None]:
    def prepare() -> None:
        _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
        if os.getppid() != parent:  # it died before prctl
            os._exit(1)

    return prepare


def _cause(code: int) -> str:
    return f"signal {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
