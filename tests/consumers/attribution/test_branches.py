"""Money is decided by these modules: no branch of them is left that their own tests do not take."""

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[3]
DECIDING = [
    *(f"consumers/attribution/{name}.py" for name in ("decide", "standing", "haste", "validity", "fingerprint")),
    *(f"consumers/attribution/{name}.py" for name in ("facts", "probes", "returns_rule", "visits_rule")),
    *(f"schemas/{name}.py" for name in ("rules", "validity", "reasons")),
]
TESTS = [
    *(f"tests/consumers/attribution/test_{name}.py" for name in ("decide", "standing", "haste", "validity")),
    *(f"tests/consumers/attribution/test_{name}.py" for name in ("fingerprint", "facts", "probes", "test_installs")),
    *(f"tests/consumers/attribution/test_{name}.py" for name in ("returns_rule", "visits_rule")),
    "tests/schemas/test_rules.py",
]


def test_every_branch_of_a_decision_is_tested(tmp_path: Path) -> None:
    """In a process of its own, by the pure tests alone: what another test happens to run is not tested by it."""
    coverage = [sys.executable, "-m", "coverage"]
    pytest = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *TESTS]
    environment = {**os.environ, "COVERAGE_FILE": str(tmp_path / "coverage")}
    run([*coverage, "run", "--branch", f"--include={','.join(DECIDING)}", *pytest], environment)
    report = run([*coverage, "report", "--show-missing", "--fail-under=100", "--precision=2"], environment)
    assert [name for name in DECIDING if name not in report] == []


def run(command: list[str], environment: dict[str, str]) -> str:
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
