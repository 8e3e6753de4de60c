"""Kotlin for the tests: the compiler's jars, fetched by Maven, and a program compiled and run with them."""

import os
import subprocess
from pathlib import Path

from tests.support.maven import jars, java

PROJECT = Path(__file__).parent / "kotlin"
COMPILER = "org.jetbrains.kotlin.cli.jvm.K2JVMCompiler"
JVM_FLAGS = ("-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-XX:-UsePerfData")
PROGRAM_TIMEOUT_S = 60.0


def run_kotlin(source: str, folder: Path) -> str:
    """What the program prints; its `main` stands at the top level. Fails with the compiler's words."""
    program = java()
    lib, made = jars(PROJECT), folder / "classes"
    (folder / "Example.kt").write_text(source)
    classpath = str(next(lib.glob("kotlin-stdlib-*.jar")))
    options = ("-no-stdlib", "-no-reflect", "-classpath", classpath, "-d", str(made))
    _checked([program, *JVM_FLAGS, "-cp", f"{lib}/*", COMPILER, *options, str(folder / "Example.kt")])
    return _checked([program, *JVM_FLAGS, "-cp", f"{made}{os.pathsep}{classpath}", "ExampleKt"])


def _checked(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, timeout=PROGRAM_TIMEOUT_S, check=False)
    assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout[-3000:]}{done.stderr[-3000:]}"
    return done.stdout
