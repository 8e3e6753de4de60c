"""Whatever the document allows, and more, is asked of the running console: nothing breaks, nothing is undocumented."""

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from console.manage.tokens import NewToken, create_token
from process.postgres import connect
from schemas.settings import Settings
from tests.support.product import eventually, free_ports
from tests.support.signing import NETWORK, base64_of

# what is deleted is still shown; and a title may be asked for that is not printable
EXCLUDED = "use_after_free,positive_data_acceptance"


@pytest.fixture
def console_url(database_url: str, tmp_path: Path) -> Iterator[str]:
    port = free_ports(240)
    environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")} | {
        "TOUCHLINE_DATABASE_URL": database_url,
        "TOUCHLINE_DATA": str(tmp_path),
        "TOUCHLINE_CONSOLE_PORT": str(port),
        "TOUCHLINE_METRICS_PORT": str(port + 1),
        "TOUCHLINE_SKAN_NETWORKS": f"{NETWORK}={base64_of()}",
    }
    log = tmp_path / "console.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, "-m", "console", "console"], env=environment, stdout=out, stderr=out
        )
    ready = f"http://127.0.0.1:{port + 1 + 38}/readyz"
    try:
        eventually(lambda: _answers(ready), what=log.read_text)
        yield f"http://127.0.0.1:{port}"
        assert process.poll() is None
    finally:
        process.terminate()
        assert process.wait(20) == 0
    assert "Traceback" not in log.read_text()


def _answers(url: str) -> bool:
    try:
        with urlopen(url, timeout=2) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


async def _admin(database_url: str) -> str:
    connection = await connect(Settings.read({"TOUCHLINE_DATABASE_URL": database_url}))
    try:
        made = await create_token(connection, "test", NewToken(title="test", role="admin"))
    finally:
        await connection.close()
    assert made.token is not None
    return made.token


@pytest.mark.timeout(400)  # some 1 700 questions
def test_no_question_is_answered_with_a_5xx_or_in_an_undocumented_way(
    console_url: str, database_url: str, tmp_path: Path
) -> None:
    token = asyncio.run(_admin(database_url))
    command = [sys.executable, "-m", "schemathesis.cli", "run", f"{console_url}/api/v1/openapi.json"]
    command += ["--header", f"Authorization: Bearer {token}", "--phases", "coverage,fuzzing,stateful"]
    command += ["--max-examples", "4", "--workers", "2", "--seed", "1", "--exclude-checks", EXCLUDED]
    command += ["--suppress-health-check", "all", "--generation-database", "none"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=380, check=False)
    assert done.returncode == 0, done.stdout[-8000:] + done.stderr
    cases = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert cases is not None
    assert int(cases[1]) > 500
