"""What tests need of Java and Maven: a Java that is new enough, and a project's jars, fetched once."""

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

RESOLVE_TIMEOUT_S = 600.0
JAVA_MIN = 17


class MavenFailed(Exception):
    """The jars could not be fetched; the message ends with Maven's last words."""


def needed(program: str, what_to_do: str) -> str:
    """Where the program is. Without it the test skips at home, and fails in CI."""
    home = os.environ.get("JAVA_HOME")
    path = f"{home}/bin" if home and program == "java" else None
    return shutil.which(program, path=path) or unavailable(f"no `{program}` found: {what_to_do}")


def unavailable(sentence: str) -> NoReturn:
    """Skips at home; fails in CI, where a skipped test would pass for a green one."""
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


@cache
def java(what_else: str = "") -> str:
    """A Java that is new enough."""
    advice = f"install a JDK {JAVA_MIN} or newer{what_else}"
    found = needed("java", advice)
    version = subprocess.run([found, "-version"], capture_output=True, text=True, timeout=30, check=False)
    number = re.search(r'version "(\d+)', version.stderr)
    if number is None or int(number[1]) < JAVA_MIN:
        unavailable(f"`{found}` is too old: {advice}")
    return found


@cache
def jars(project: Path, what_else: str = "") -> Path:
    """The jars of the project's pom: resolved once into its `target/lib`, and again when the pom changes."""
    target = project / "target"
    target.mkdir(exist_ok=True)
    lib, resolved = target / "lib", target / "resolved"
    wanted = hashlib.sha256((project / "pom.xml").read_bytes()).hexdigest()
    with (target / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs in one clone
        if not resolved.exists() or resolved.read_text() != wanted:
            maven = needed("mvn", f"install Maven, it fetches the jars{what_else}")
            shutil.rmtree(lib, ignore_errors=True)
            _resolve(maven, project)
            resolved.write_text(wanted)
    return lib


def _resolve(maven: str, project: Path) -> None:
    command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"]
    done = subprocess.run(command, cwd=project, capture_output=True, text=True, timeout=RESOLVE_TIMEOUT_S, check=False)
    if done.returncode:
        raise MavenFailed(f"Maven could not fetch the jars of {project.name}\n{done.stdout[-3000:]}")
