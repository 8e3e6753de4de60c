"""Rows of a device as the consumers leave them, for the tests of forgetting it."""

import time
from collections.abc import Sequence

import asyncpg
import msgspec

from consumers.attribution.handler import ConversionsHandler
from consumers.rejects.handler import RejectsHandler
from consumers.runner import Handler, Row
from consumers.sources import Record
from consumers.touches.country import open_countries
from consumers.touches.handler import TouchesHandler
from schemas.codec import encode
from schemas.events import Device, Event, Hit, Install, Reject, Revenue, Visit
from schemas.identifiers import md5, sha1
from schemas.ids import new_id

GAID = "38400000-8cf0-11bd-b23e-10b96e40000d"
OTHER = "11111111-8cf0-11bd-b23e-10b96e40000e"
ADDRESS, OTHER_ADDRESS = "198.51.100.23", "192.0.2.77"
AGENT = "Mozilla/5.0 (Linux; Android 14; Pixel 8 Pro) Hers/1.0"
USER = "alice@example.com"
BROWSER = "hers-browser"
TRACES = (GAID, sha1(GAID), md5(GAID), sha1(GAID.upper()), md5(GAID.upper()), ADDRESS, "Pixel 8", "Hers/1.0", "hers-")
"""What may stand nowhere once the device was forgotten; `hers-…` are its click, install and visitor ids."""

QUERIES = {
    "raw": f"click_id=hers-raw&google_aid={GAID.upper()}&device_locale=de_DE",
    "sha1": f"click_id=hers-sha1&google_aid_sha1={sha1(GAID)}",
    "md5": f"click_id=hers-md5&gps_adid_md5={md5(GAID.upper())}",
    "more": f"click_id=hers-more&google_aid={OTHER}&oaid={GAID}&android_id=0123456789abcdef",
}
"""The ways in which a touch can name the device; all but the last could be forgotten by `google_aid:`."""


def hit(query: str, *, app: str = "shop", ip: str = ADDRESS, ua: str = AGENT, received_us: int | None = None) -> Hit:
    at_us = received_us or now_us()
    return Hit(
        v=1, id=new_id(at_us), kind="click", link="1", app=app, mode="s2s", touched_us=at_us, ip=ip, ua=ua, query=query
    )  # fmt: skip


def install(install_id: str, gaid: str = GAID, *, ip: str = ADDRESS, user_id: str | None = USER) -> Install:
    return Install(
        v=1,
        id=new_id(now_us()),
        app="shop",
        install_id=install_id,
        installed_us=now_us(),
        user_id=user_id,
        ids={"google_aid": gaid},
        device=Device(os="Android", os_version="14", model="Pixel 8 Pro", locale="de_DE"),
        ip=ip,
        ua=AGENT,
    )


def event(event_id: str, install_id: str | None, **changes: object) -> Event:
    params = {"seen": msgspec.Raw(msgspec.json.encode(changes.pop("seen", "nothing")))}
    one = Event(
        v=1,
        id=new_id(now_us()),
        app="shop",
        event_id=event_id,
        name="payment",
        occurred_us=now_us(),
        install_id=install_id,
        revenue=Revenue(micros=4_990_000, currency="EUR"),
        params=params,
        ip=ADDRESS,
        ua=AGENT,
    )
    return msgspec.structs.replace(one, **changes)


def visit(visit_id: str, visitor_id: str = BROWSER, **changes: object) -> Visit:
    one = Visit(
        v=1,
        id=new_id(now_us()),
        app="shop",
        visit_id=visit_id,
        visitor_id=visitor_id,
        url=f"https://shop.example/shoes?mail=hers-mail&to={visitor_id}#hers-place",
        referer="https://hers-news.example/",
        occurred_us=now_us(),
        ip=ADDRESS,
        ua=AGENT,
        language="de",
    )
    return msgspec.structs.replace(one, **changes)


def reject(query: str, ip: str = ADDRESS) -> Reject:
    detail = f"{query!r} is refused."
    return Reject(v=1, id=new_id(now_us()), link="1", kind="click", reason="bad", detail=detail, ip=ip, query=query)


async def put(pool: asyncpg.Pool, records: Sequence[Hit | Install | Event | Visit | Reject]) -> None:
    """Store them as the consumers would."""
    handlers: list[tuple[Handler, type | tuple[type, ...]]] = [
        (TouchesHandler(open_countries()), Hit),
        (ConversionsHandler(open_countries()), (Install, Event, Visit)),
        (RejectsHandler(), Reject),
    ]
    for handler, kinds in handlers:
        rows: list[Row] = [handler.decode(Record(0, encode(one))) for one in records if isinstance(one, kinds)]
        if rows:
            async with pool.acquire() as connection, connection.transaction():
                await handler.store(connection, rows)


async def everything(pool: asyncpg.Pool) -> dict[str, list[str]]:
    """Table → its rows as text, records of the log readable."""
    tables = await pool.fetch(
        "SELECT c.relname AS name FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace"
        " AND c.relkind IN ('r', 'p') AND NOT c.relispartition ORDER BY 1"
    )
    dump: dict[str, list[str]] = {}
    for name in [row["name"] for row in tables]:
        more = "|| encode(record, 'escape')" if name == "rejects" else ""
        rows = await pool.fetch(f'SELECT t::text {more} AS row FROM "{name}" t ORDER BY 1')  # noqa: S608
        dump[name] = [row["row"] for row in rows]
    return dump


def traces(dump: dict[str, list[str]], *more: str) -> list[tuple[str, str]]:
    """(table, trace) of everything of the device that still stands."""
    return [
        (table, trace)
        for table, rows in dump.items()
        for trace in (*TRACES, *more)
        if any(trace.lower() in row.lower() for row in rows)
    ]


def now_us() -> int:
    return time.time_ns() // 1000
