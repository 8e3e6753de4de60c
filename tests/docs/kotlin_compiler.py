"""Kotlin for the tests: the compiler's jars, fetched by Maven, and a program compiled and run with them."""

import fcntl
import hashlib
import os
import shutil
import subprocess
from functools import cache
from pathlib import Path
from typing import NoReturn

import pytest

from tests.support.kafka_jars import JAVA_MIN, RESOLVE_TIMEOUT_S, java

PROJECT = Path(__file__).parent / "kotlin"
COMPILER = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
JVM_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")
PROGRAM_TIMEOUT_S = 60.0


def run_kotlin(source: str, folder: Path) -> str:
    """What the program prints; its `main` stands at the top level. Fails with the compiler's words."""
    needed("java", f"install a JDK {JAVA_MIN} or newer")
    lib, made = jars(), folder / "classes"
    (folder / "Example.kt").write_text(source)
    classpath = str(next(lib.glob("kotlin-stdlib-*.jar")))
    options = ("-no-stdlib", "-no-reflect", "-classpath", classpath, "-d", str(made))
    _checked([java(), *JVM_FLAGS, "-cp", f"{lib}/*", COMPILER, *options, str(folder / "Example.kt")])
    return _checked([java(), *JVM_FLAGS, "-cp", f"{made}{os.pathsep}{classpath}", "ExampleKt"])


@cache
def jars() -> Path:
    """Resolved once, and again when the pom changes."""
    target = PROJECT / "target"
    target.mkdir(exist_ok=True)
    lib, resolved = target / "lib", target / "resolved"
    wanted = hashlib.sha256((PROJECT / "pom.xml").read_bytes()).hexdigest()
    with (target / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test runs in one clone
        if not resolved.exists() or resolved.read_text() != wanted:
            maven = needed("mvn", "install Maven, it fetches the Kotlin compiler")
            shutil.rmtree(lib, ignore_errors=True)
            command = [maven, "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=target/lib"]
            _checked(command, folder=PROJECT, timeout_s=RESOLVE_TIMEOUT_S)
            resolved.write_text(wanted)
    return lib


def needed(program: str, what_to_do: str) -> str:
    """Where the program is. Without it the test skips at home, and fails in CI."""
    return shutil.which(program) or unavailable(f"no `{program}` found: {what_to_do}")


def unavailable(sentence: str) -> NoReturn:
    if os.environ.get("CI") == "true":
        pytest.fail(sentence)
    pytest.skip(sentence)


def _checked(command: list[str], *, folder: Path | None = None, timeout_s: float = PROGRAM_TIMEOUT_S) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=timeout_s, check=False)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout
