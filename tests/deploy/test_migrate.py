"""`touchline migrate` as it is run: the tables, and the first admin token."""

import os
import re
import subprocess
import sys
from hashlib import sha256

from tests.support.postgres import execute


def migrate(url: str) -> str:
    environment = {**os.environ, "TOUCHLINE_DATABASE_URL": url}
    command = [sys.executable, "-m", "deploy", "migrate"]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout


def test_the_first_admin_token_is_printed_once(empty_database_url: str) -> None:
    said = migrate(empty_database_url)
    token = re.search(r"^tl_[0-9a-f]{10}_[\w-]{43}$", said, re.MULTILINE)
    assert token is not None, said
    found = execute(empty_database_url, "SELECT hash, role, apps, partner, expires_at FROM tokens")
    assert found == [(sha256(token[0].encode()).hexdigest(), "admin", None, None, None)]
    assert execute(empty_database_url, "SELECT actor, action, kind FROM audit") == [("migrate", "create", "token")]
    assert migrate(empty_database_url) == "nothing to do\n"
    execute(empty_database_url, "UPDATE tokens SET revoked_at = now()")
    assert migrate(empty_database_url) == "nothing to do\n"
    assert execute(empty_database_url, "SELECT count(*) FROM tokens") == [(1,)]
