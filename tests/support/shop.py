"""An app whose installs are decided, and `touchline replay` on it."""

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg

from consumers.attribution.decider import Decider
from process.metrics import Meters
from schemas.events import Device, Event, Hit, Install, Revenue, TouchKind
from schemas.ids import new_id
from tests.support.attribution import nothing_to_read
from tests.support.devices import put
from tests.support.product import TOUCHLINE

HOUR_US = 3_600_000_000
SHOP = """
INSERT INTO apps (id, title) VALUES ('shop', ''), ('game', '');
INSERT INTO partners (id, title) VALUES ('net', '');
INSERT INTO campaigns (id, title, partner) VALUES ('spring', '', 'net'), ('summer', '', 'net');
INSERT INTO links (id, app, campaign) VALUES ('a', 'shop', 'spring'), ('b', 'shop', 'summer'), ('c', 'shop', NULL),
                                             ('g', 'game', NULL);
"""
LAST = """
SELECT DISTINCT ON (d.conversion) i.install_id, d.number, d.method, d.link, d.rules, d.replayed
FROM decisions d JOIN installs i ON i.id = d.conversion ORDER BY d.conversion, d.number DESC
"""


class Shop:
    """A database in which installs are decided, and the command."""

    def __init__(self, url: str, pool: asyncpg.Pool, folder: Path) -> None:
        self.pool = pool
        self.now_us = time.time_ns() // 1000
        self.rules = folder / "rules.json"
        environment = {key: value for key, value in os.environ.items() if not key.startswith("TOUCHLINE_")}
        self._environment = environment | {"TOUCHLINE_DATABASE_URL": url, "TOUCHLINE_DATA": str(folder)}

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        since = () if "--since" in arguments else ("--since", "2020-01-01")
        return subprocess.Popen(
            [sys.executable, TOUCHLINE, "replay", *since, *arguments],
            env=self._environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    async def run(self, *arguments: str, code: int = 0) -> tuple[str, str]:
        """Standard output and error."""
        process = self.start(*arguments)
        said, complaint = await asyncio.to_thread(process.communicate, timeout=60)
        assert process.returncode == code, f"exit {process.returncode}: {said}{complaint}"
        return said, complaint

    async def facts(self, *arguments: str) -> Any:
        return json.loads((await self.run("--json", *arguments))[0])

    def touch(self, name: str, link: str, hours_ago: float, kind: TouchKind = "click", app: str = "shop") -> Hit:
        at_us = self.now_us - int(hours_ago * HOUR_US)
        return Hit(
            v=1, id=new_id(at_us), kind=kind, link=link, app=app, mode="s2s", touched_us=at_us,
            query=f"google_aid={gaid(name)}",
        )  # fmt: skip

    def install(self, name: str, hours_ago: float = 0, app: str = "shop") -> Install:
        at_us = self.now_us - int(hours_ago * HOUR_US)
        return Install(
            v=1, id=new_id(at_us), app=app, install_id=name, installed_us=at_us, ids={"google_aid": gaid(name)},
            device=Device(os="Android"), ip="91.198.174.7",
        )  # fmt: skip

    def event(self, name: str, micros: int, currency: str) -> Event:
        return Event(
            v=1, id=new_id(self.now_us), app="shop", event_id=f"{name} {micros} {currency}", name="payment",
            occurred_us=self.now_us, install_id=name, revenue=Revenue(micros=micros, currency=currency),
        )  # fmt: skip

    async def store(self, *records: Hit | Install | Event) -> None:
        await put(self.pool, list(records))

    async def decide(self) -> None:
        decider = Decider(self.pool, nothing_to_read, Meters())
        while await decider.step():
            pass

    async def last(self) -> dict[str, tuple[object, ...]]:
        """install_id → (number, method, link, rules, replayed)."""
        return {row["install_id"]: tuple(row)[1:] for row in await self.pool.fetch(LAST)}


def gaid(name: str) -> str:
    return f"38400000-8cf0-41bd-b23e-{name.encode().hex():0>12}"
