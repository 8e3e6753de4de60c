import asyncio
import os
import signal
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy import children
from deploy.children import RESTART_PAUSE_S, SETTLED_S, STEADY_S, Child, Restarts, command, end_all
from deploy.workers import bound_socket, workers
from schemas.errors import ConfigError
from schemas.settings import Settings
from tests.support.product import free_ports

NOTES = "from pathlib import Path; import os, signal, sys, time; notes = Path(sys.argv[1]).open('a', buffering=1);"
ENDS_WHEN_ASKED = "signal.signal(signal.SIGTERM, lambda *_: sys.exit(0));"
IGNORES_SIGTERM = "signal.signal(signal.SIGTERM, signal.SIG_IGN);"
STAYS = "notes.write(f'{os.getpid()}\\n'); time.sleep(60)"


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Makes every child run a Python program instead of its role."""

    def runs(source: str) -> None:
        monkeypatch.setattr(
            children, "command", lambda role: [sys.executable, "-c", NOTES + source, tmp_path / "notes"]
        )

    return runs


async def notes(folder: Path, count: int) -> list[str]:
    """What the children wrote, once there are so many lines."""
    path = folder / "notes"
    async with asyncio.timeout(10):
        while not path.exists() or len(path.read_text().splitlines()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return path.read_text().splitlines()


def runs(pid: int) -> bool:
    """Whether the process lives; a zombie has no command line."""
    try:
        return bool(Path(f"/proc/{pid}/cmdline").read_bytes())
    except OSError:
        return False


def test_quick_deaths_wait_longer_and_longer() -> None:
    restarts = Restarts()
    assert [restarts.pause_s(-9, 0.1) for _ in range(5)] == [*RESTART_PAUSE_S[1:], *RESTART_PAUSE_S[-1:] * 2]
    assert restarts.pause_s(-9, STEADY_S + 1) == RESTART_PAUSE_S[0]
    assert restarts.pause_s(1, 5.0) == RESTART_PAUSE_S[1]


def test_an_orderly_end_is_followed_by_a_start_at_once() -> None:
    restarts = Restarts()
    assert [restarts.pause_s(0, SETTLED_S + 0.5) for _ in range(20)] == [0.0] * 20
    assert restarts.pause_s(-9, 5.0) == RESTART_PAUSE_S[1]


def test_a_child_that_ends_as_soon_as_it_starts_is_a_quick_death_whatever_its_code() -> None:
    restarts = Restarts()
    assert [restarts.pause_s(0, SETTLED_S / 2) for _ in range(3)] == list(RESTART_PAUSE_S[1:])


async def test_a_killed_child_is_started_again_until_the_end(tmp_path: Path, program: Callable[[str], None]) -> None:
    program(STAYS)
    child = Child("edge", os.environ)
    child.start()
    first = int((await notes(tmp_path, 1))[0])
    assert child.pid == first
    os.kill(first, signal.SIGKILL)
    second = int((await notes(tmp_path, 2))[1])
    assert second != first
    await child.end()
    await asyncio.sleep(RESTART_PAUSE_S[0] * 2)
    assert len(await notes(tmp_path, 2)) == 2
    with pytest.raises(ProcessLookupError):
        os.kill(second, 0)


async def test_a_child_that_does_not_end_is_killed(
    tmp_path: Path, program: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(children, "END_PATIENCE_S", 0.2)
    program(IGNORES_SIGTERM + STAYS)
    several = [Child("edge", os.environ) for _ in range(3)]
    for child in several:
        child.start()
    await notes(tmp_path, 3)
    started = asyncio.get_running_loop().time()
    await end_all(several)
    assert asyncio.get_running_loop().time() - started < 0.2 * 2.5  # together, not one after the other
    for line in await notes(tmp_path, 3):
        with pytest.raises(ProcessLookupError):
            os.kill(int(line), 0)


async def test_a_child_inherits_the_descriptors_it_is_given_and_no_others(
    tmp_path: Path, program: Callable[[str], None]
) -> None:
    with socket.socket() as given, socket.socket() as other:
        program(
            ENDS_WHEN_ASKED + f"notes.write(str([Path(f'/proc/self/fd/{{n}}').exists()"
            f" for n in ({given.fileno()}, {other.fileno()})]) + '\\n'); time.sleep(60)"
        )
        child = Child("edge", os.environ, pass_fds=[given.fileno()])
        child.start()
        assert await notes(tmp_path, 1) == ["[True, False]"]
        await child.end()


async def test_children_die_with_their_parent(tmp_path: Path) -> None:
    parent = (
        "import asyncio, os, sys; from deploy import children;"
        f"children.command = lambda role: [sys.executable, '-c', {NOTES + STAYS!r}, sys.argv[1]]\n"
        "async def main():\n children.Child('edge', os.environ).start(); await asyncio.sleep(60)\n"
        "asyncio.run(main())"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", parent, str(tmp_path / "notes"))
    orphan = int((await notes(tmp_path, 1))[0])
    process.kill()
    await process.wait()
    async with asyncio.timeout(10):
        while runs(orphan):  # noqa: ASYNC110
            await asyncio.sleep(0.01)


async def test_every_worker_has_its_number_and_the_socket() -> None:
    port = free_ports(1)
    values = {"TOUCHLINE_WORKERS": "3", "TOUCHLINE_EDGE_PORT": str(port), "TOUCHLINE_BIND": "127.0.0.1"}
    settings = Settings.read(values)
    with await bound_socket(settings, asyncio.Event()) as bound:
        assert bound.getsockname() == ("127.0.0.1", port)
        roles = [child.role for child in workers(settings, bound, {})]
        assert roles == [f"edge --worker {number} --listen-fd {bound.fileno()}" for number in range(3)]
        assert " ".join(command(roles[2])).endswith(f"touchline edge --worker 2 --listen-fd {bound.fileno()}")


async def test_the_socket_waits_for_a_predecessor_that_still_holds_the_port() -> None:
    predecessor = socket.create_server(("127.0.0.1", 0))
    port = predecessor.getsockname()[1]
    settings = Settings.read({"TOUCHLINE_EDGE_PORT": str(port), "TOUCHLINE_BIND": "127.0.0.1"})
    waiting = asyncio.create_task(bound_socket(settings, asyncio.Event()))
    await asyncio.sleep(0.3)
    assert not waiting.done()
    predecessor.close()
    (await waiting).close()


async def test_a_port_that_stays_taken_is_said() -> None:
    stop = asyncio.Event()
    stop.set()
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        settings = Settings.read({"TOUCHLINE_EDGE_PORT": str(port), "TOUCHLINE_BIND": "127.0.0.1"})
        with pytest.raises(ConfigError, match=f"127.0.0.1:{port}.*TOUCHLINE_EDGE_PORT"):
            await bound_socket(settings, stop)
