"""What a test broker runs on: a Java that is new enough, and the broker's jars, fetched by Maven."""

import fcntl
import hashlib
import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

PROJECT = Path(__file__).parents[2] / "deploy" / "kafka"
RESOLVE_TIMEOUT_S = 600.0
JAVA_MIN = 17


class BrokerFailed(Exception):
    """A broker could not be fetched or started; the message ends with the last lines of the log."""


@cache
def java() -> str:
    home = os.environ.get("JAVA_HOME")
    found = shutil.which("java", path=f"{home}/bin" if home else None)
    if found is None:
        unavailable(f"no `java` found: install a JDK {JAVA_MIN} or newer")
    version = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=30, check=False)
    number = re.search(r'version "(\d+)', version.stderr)
    if number is None or int(number[1]) < JAVA_MIN:
        unavailable(f"`{found}` is too old: install a JDK {JAVA_MIN} or newer")
    return found


@cache
def jars() -> Path:
    """The broker's jars: resolved by Maven once, and again when the pom changes."""
    target = PROJECT / "target"
    target.mkdir(exist_ok=True)
    lib, resolved = target / "lib", target / "resolved"
    wanted = hashlib.sha256((PROJECT / "pom.xml").read_bytes()).hexdigest()
    with (target / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs in one clone
        if not resolved.exists() or resolved.read_text() != wanted:
            shutil.rmtree(lib, ignore_errors=True)
            _resolve()
            resolved.write_text(wanted)
    return lib


def _resolve() -> None:
    maven = shutil.which("mvn")
    if maven is None:
        unavailable("no `mvn` found: install Maven, it fetches the broker's jars")
    command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, timeout=RESOLVE_TIMEOUT_S, check=False)
    if done.returncode:
        raise BrokerFailed(f"Maven could not fetch the broker's jars\n{done.stdout[-3000:]}")


def unavailable(why: str) -> NoReturn:
    """Skips at home; fails in CI, where a skipped Kafka test would pass for a green one."""
    sentence = f"{why}, or set TOUCHLINE_TEST_KAFKA to a running broker's host:port"
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)
