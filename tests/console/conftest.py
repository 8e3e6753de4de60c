"""The commands as people run them, and rows as the consumers would have left them."""

import asyncio
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from schemas.ids import new_id

S2S_QUERY = "click_id=c-1&device_ip=192.0.2.7"


class Console:
    """`python -m console …` on a database and a data folder of the test's own."""

    def __init__(self, url: str, data: Path) -> None:
        self.url = url
        self.data = data
        self.environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")} | {
            "TOUCHLINE_DATABASE_URL": url,
            "TOUCHLINE_DATA": str(data),
            "TOUCHLINE_PUBLIC_URL": "https://go.example",
            "COLUMNS": "200",
        }

    def run(self, *arguments: str, code: int = 0, **settings: str) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [sys.executable, "-m", "console", *arguments],
            env=self.environment | settings,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, f"exit {done.returncode}: {done.stdout}{done.stderr}"
        return done

    def facts(self, *arguments: str, code: int = 0, **settings: str) -> Any:
        return json.loads(self.run(*arguments, "--json", code=code, **settings).stdout)

    def refusal(self, *arguments: str, code: int, **settings: str) -> str:
        """What it says when it refuses: one line on standard error, nothing on standard output."""
        done = self.run(*arguments, code=code, **settings)
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr.strip()

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "console", *arguments],
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def sql(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        async def ask() -> list[tuple[Any, ...]]:
            connection = await asyncpg.connect(self.url)
            try:
                return [tuple(row) for row in await connection.fetch(statement, *arguments)]
            finally:
                await connection.close()

        # in a thread of its own: the test's thread may have an event loop
        with ThreadPoolExecutor(1) as thread:
            return thread.submit(asyncio.run, ask()).result()

    def add_touch(self, *, received_us: int | None = None, link: str = "1", click_id: str = "c-1") -> str:
        touch_id = str(new_id(received_us if received_us is not None else now_us()))
        self.sql(
            "INSERT INTO touches (id, kind, mode, link, app, touched_at, click_id, ip, ua, os, os_version, brand,"
            " model, browser, language, query, headers, flags)"
            " VALUES ($1, 'click', 's2s', $2, 'shop', now(), $3, '192.0.2.7', '', '', '', '', '', '', '', $4,"
            " '{}', '{late}')",
            touch_id,
            link,
            click_id,
            S2S_QUERY,
        )
        return touch_id

    def add_reject(self, *, link: str = "1", consumer: str = "edge") -> str:
        reject_id = str(new_id(now_us()))
        record = json.dumps({"id": reject_id, "kind": "click", "ip": "198.51.100.1", "query": "device_ip=nonsense"})
        self.sql(
            'INSERT INTO rejects (id, consumer, subject, reason, parameter, detail, record, log, partition, "offset")'
            " VALUES ($1, $2, $3, 'bad_device_ip', 'device_ip', 'It is no address.', $4, '', 0, 0)",
            reject_id,
            consumer,
            link,
            record.encode(),
        )
        return reject_id

    def add_install(self, install_id: str, *, app: str = "shop", decided: bool = True) -> str:
        record_id = str(new_id(now_us()))
        self.sql(
            "INSERT INTO installs (app, install_id, id, installed_at, ids, os, device, app_version, ua, flags)"
            " VALUES ($1, $2, $3, now(), '{}', '', '{}', '', '', '{}')",
            app,
            install_id,
            record_id,
        )
        if not decided:
            self.sql("INSERT INTO waiting (conversion) VALUES ($1)", record_id)
        return record_id

    def add_decision(
        self, install: str, *, number: int = 1, touch: str | None, candidates: list[Any], **changes: Any
    ) -> None:
        winner = {"method": "identifier", "touch_kind": "click", "link": "77", "click_id": "c-1", "confidence": 1.0}
        winner |= {"campaign": "spring", "partner": "adnet"}
        row = {"conversion": install, "number": number, "touch": touch, "rules": "default-1"}
        row |= {"candidates": json.dumps(candidates)} | (winner if touch else {"method": "organic"}) | changes
        places = ", ".join(f"${place}" for place in range(1, len(row) + 1))
        self.sql(f"INSERT INTO decisions ({', '.join(row)}) VALUES ({places})", *row.values())  # noqa: S608


def now_us() -> int:
    return time.time_ns() // 1000


@pytest.fixture
def console(database_url: str, tmp_path: Path) -> Console:
    return Console(database_url, tmp_path / "data")
