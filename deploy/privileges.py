"""Runs a command as a user that PostgreSQL accepts, and ties it to the thread that started it.

PostgreSQL refuses root. When root starts it, an unprivileged user runs it instead, and that user often cannot
reach the data folder or the binaries because a folder above is 0700. Instead of opening other people's
folders, the command gets one capability: to pass them.

This file is also the script that makes the change and then becomes the command: doing that between fork and
exec (`preexec_fn`) could deadlock in a process with threads.
"""

import ctypes
import os
import pwd
import signal
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

# From linux/prctl.h, linux/capability.h and linux/securebits.h.
PR_SET_PDEATHSIG, PR_CAPBSET_READ, PR_SET_SECUREBITS, PR_CAP_AMBIENT = 1, 23, 28, 47
PR_CAP_AMBIENT_RAISE = 2
SECBIT_NO_SETUID_FIXUP = 1 << 2
CAPABILITY_VERSION_3 = 0x20080522
NO_CAPABILITY, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 0, 1, 2

NOBODY = 65534
# What the command receives when the thread that started it ends: PostgreSQL's fast shutdown.
PARENT_DEATH_SIGNAL = signal.SIGINT


@dataclass(frozen=True)
class User:
    uid: int
    gid: int
    capability: int = NO_CAPABILITY


def server_user(cluster: Path) -> User:
    """Ourselves; for root the owner of `cluster`, or nobody while there is none."""
    if os.geteuid() != 0:
        return User(os.geteuid(), os.getegid())
    if cluster.exists() and (found := cluster.stat()).st_uid != 0:
        return User(found.st_uid, found.st_gid)
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        return User(NOBODY, NOBODY)
    return User(nobody.pw_uid, nobody.pw_gid)


def capabilities() -> list[int]:
    """What can be given to a command, least first; only root can give more than nothing."""
    if os.geteuid() != 0:
        return [NO_CAPABILITY]
    wanted = (CAP_DAC_READ_SEARCH, CAP_DAC_OVERRIDE)
    return [NO_CAPABILITY, *(one for one in wanted if _prctl(PR_CAPBSET_READ, one) == 1)]


def command(user: User, folder: Path, argv: Sequence[str]) -> list[str]:
    """`argv`, run by `user` inside `folder`; it ends with the thread that starts it."""
    change = [os.getpid(), int(PARENT_DEATH_SIGNAL), user.uid, user.gid, user.capability, folder]
    return [sys.executable, "-I", "-S", __file__, *map(str, change), *argv]


def _prctl(*arguments: int) -> int:
    """prctl(2), which wants its five arguments as longs, and zeros where it has no use for them."""
    padded = [*arguments, 0, 0, 0, 0][:5]
    result: int = ctypes.CDLL(None, use_errno=True).prctl(*map(ctypes.c_ulong, padded))
    return result


def _must(result: int) -> None:
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _become(user: User) -> None:
    if user.capability:
        # Without it access(2), which PostgreSQL asks about its own binary, ignores the capability;
        # and the change of user would take the capability away before it can be handed on.
        _must(_prctl(PR_SET_SECUREBITS, SECBIT_NO_SETUID_FIXUP))
    os.setgroups([])
    os.setresgid(user.gid, user.gid, user.gid)
    os.setresuid(user.uid, user.uid, user.uid)
    if user.capability:
        bit = 1 << user.capability
        header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
        sets = (ctypes.c_uint32 * 6)(bit, bit, bit, 0, 0, 0)  # effective, permitted, inheritable; low, high
        _must(ctypes.CDLL(None, use_errno=True).capset(header, sets))
        # Ambient: it stays when the command is executed, and with what the command executes.
        _must(_prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, user.capability))


def _run(parent: int, death_signal: int, user: User, folder: str, argv: list[str]) -> None:
    if user.uid != os.geteuid():
        _become(user)
    # After the change of user: the kernel forgets the signal when credentials change.
    _must(_prctl(PR_SET_PDEATHSIG, death_signal))
    if os.getppid() != parent:
        sys.exit("The process that asked for this command has ended.")
    os.chdir(folder)
    os.execv(argv[0], argv)


if __name__ == "__main__":
    _parent, _signal, _uid, _gid, _capability = map(int, sys.argv[1:6])
    try:
        _run(_parent, _signal, User(_uid, _gid, _capability), sys.argv[6], sys.argv[7:])
    except OSError as error:
        sys.exit(f"User {_uid} cannot run {sys.argv[7]} in {sys.argv[6]}: {error}.")
