"""Who is told of what: against a real Postgres, through the handlers, the decider and the outcomes."""

import itertools
import time
from typing import Any

import asyncpg
import msgspec
import pytest

from consumers.attribution.decider import Decider
from process.metrics import Meters
from schemas.events import Device, Revenue
from schemas.ids import new_id
from tests.consumers.attribution.test_decider import ends_at
from tests.consumers.postbacks.support import (
    BACK,
    URL,
    add_template,
    body,
    click,
    event,
    follow,
    install,
    outcome,
    sent,
    told,
)
from tests.support import devices
from tests.support.devices import GAID, put, visit

DAY_US = 24 * 3_600_000_000


@pytest.mark.parametrize(
    ("mode", "wanted"),
    [
        ("off", []),
        ("attributed", ["own install install?click=c-1&m=identifier", "adnet install install?click=c-1&m=identifier"]),
        (
            "all",
            [
                "own install install?click=c-1&m=identifier",
                "adnet install install?click=c-1&m=identifier",
                "rival install install?click=&m=",
            ],
        ),
    ],
)
async def test_each_mode_tells_whom_it_is_to_tell(pool: asyncpg.Pool, mode: str, wanted: list[str]) -> None:
    for partner in (None, "adnet", "rival"):
        await add_template(pool, partner=partner, mode=mode)
    await click(pool)
    await install(pool)
    await follow(pool)
    assert await told(pool, whole=True) == wanted


async def test_of_an_organic_install_only_those_hear_who_hear_of_all(pool: asyncpg.Pool) -> None:
    for partner, mode in itertools.product((None, "adnet"), ("attributed", "all")):
        await add_template(pool, partner=partner, mode=mode)
    await install(pool)
    await follow(pool)
    assert await told(pool, whole=True) == ["own install install?click=&m=", "adnet install install?click=&m="]


async def test_templates_of_others_and_deleted_ones_tell_nothing(pool: asyncpg.Pool) -> None:
    await add_template(pool, app="web")
    await add_template(pool, "re-install")
    deleted = await add_template(pool)
    await pool.execute("UPDATE postback_templates SET deleted_at = now() WHERE id = $1", deleted)
    await add_template(pool, partner="rival", mode="all")
    await pool.execute("UPDATE partners SET deleted_at = now() WHERE id = 'rival'")
    await click(pool)
    await install(pool)
    await follow(pool)
    assert await told(pool) == []


EVENTS: list[tuple[str, dict[str, Any], list[str]]] = [
    ("registration", {}, ["registration"]),
    ("level_up", {}, ["level_up"]),
    ("payment", {}, ["payment"]),
    ("payment", {"revenue": None}, ["payment"]),
    ("purchase", {}, ["payment", "purchase"]),
    ("level_up", {"revenue": Revenue(micros=1, currency="EUR")}, ["level_up", "payment"]),
    ("ad_revenue", {}, []),
    ("refund", {"revenue": Revenue(micros=-1, currency="EUR")}, []),
    ("payment", {"revenue": Revenue(micros=-1, currency="EUR")}, []),
    ("install", {}, []),
    ("re-engagement", {}, []),
    ("launch", {}, []),
    ("registration", {"flags": ["sandbox"]}, []),
]


async def test_events_are_told_by_their_name(pool: asyncpg.Pool) -> None:
    await click(pool)
    await install(pool)
    await follow(pool)
    for one in ("install", "re-engagement", "registration", "payment", "purchase", "level_up"):
        await add_template(pool, one, url="https://p.example/{mtep_seen}")
    await put(pool, [event(f"e-{n}", name, seen=n, **changes) for n, (name, changes, _) in enumerate(EVENTS)])
    await follow(pool)
    wanted = [f"adnet {one} {n}" for n, (_, _, told_as) in enumerate(EVENTS) for one in told_as]
    assert await told(pool, whole=True) == sorted(wanted, key=lambda line: line.split()[1])


async def test_a_reinstall_is_told_to_whom_the_device_belongs(pool: asyncpg.Pool) -> None:
    await add_template(pool, "install")
    await add_template(pool, "re-install")
    await add_template(pool, "registration")
    await click(pool)
    await install(pool)
    await follow(pool)
    await install(pool, "j")
    await put(pool, [event("e", "registration", "j")])
    await follow(pool)
    assert await told(pool) == ["adnet install", "adnet re-install", "adnet registration"]
    await add_template(pool, "registration", "rival")
    (first,) = await pool.fetch("SELECT id FROM installs WHERE install_id = 'i'")
    await pool.execute(
        "INSERT INTO decisions (conversion, number, method, touch, link, campaign, partner, candidates, rules)"
        " VALUES ($1, 9, 'referrer', gen_random_uuid(), '2', 'summer', 'rival', '[]', '')",
        first["id"],
    )
    await outcome(pool, str(first["id"]))
    assert await told(pool) == [
        "adnet install superseded",
        "adnet re-install superseded",
        "adnet registration superseded",
        "rival registration",
    ]


async def test_a_return_is_told_to_whom_brought_the_user_back_and_money_to_whom_the_install_belongs(
    pool: asyncpg.Pool,
) -> None:
    now_us = time.time_ns() // 1000
    long_ago_us = now_us - 50 * DAY_US
    for partner, name in itertools.product(("adnet", "rival"), ("install", "re-engagement", "payment")):
        await add_template(pool, name, partner, reversal_url=BACK)
    await add_template(pool, "re-engagement", None, mode="all")
    await click(pool, "1", seconds_ago=50 * 86400 + 60)
    await install(pool, received_us=long_ago_us)
    await follow(pool)
    assert await told(pool) == [], "it came before anybody wanted to be told"
    await click(pool, "2", seconds_ago=3600)
    await put(pool, [event("back")])
    await decide_all(pool)
    assert await told(pool, whole=True) == [
        "adnet payment payment?click=c-1&m=identifier",
        "own re-engagement re-engagement?click=c-2&m=identifier",
        "rival re-engagement re-engagement?click=c-2&m=identifier",
    ]
    await sent(pool)
    early = msgspec.structs.replace(event("earlier", "launch"), id=new_id(now_us - DAY_US), occurred_us=now_us - DAY_US)
    await put(pool, [early])
    await decide_all(pool)
    assert await told(pool, whole=True) == [
        "adnet payment payment?click=c-1&m=identifier sent",
        "own re-engagement re-engagement?click=c-2&m=identifier sent",
        "rival re-engagement re-engagement?click=c-2&m=identifier sent",
        "rival re-engagement back?click=c-2 back",
    ]


async def decide_all(pool: asyncpg.Pool) -> None:
    decider = Decider(pool, ends_at({}), Meters())
    while await decider.step():
        pass
    await follow(pool)


async def test_an_event_of_a_website_is_told_to_whom_the_visit_belongs(pool: asyncpg.Pool) -> None:
    for name in ("registration", "payment"):
        await add_template(pool, name, app="web", url="https://p.example/?l={tracking_id}&m={match_type}")
    await put(pool, [visit("v", app="web", link="w")])
    signed = event("e", "registration", None, app="web", ids={"visitor_id": devices.BROWSER})
    await put(pool, [signed, event("e-2", "registration", None, app="web", ids={"visitor_id": "another"})])
    await decide_all(pool)
    assert await told(pool, whole=True) == ["adnet registration ?l=w&m="]


async def test_a_preinstalled_app_is_told_to_the_partner_of_its_label(pool: asyncpg.Pool) -> None:
    await add_template(pool, url="https://p.example/?l={tracking_id}&c={mtpc_title}")
    await install(pool, preinstall_link="1")
    await follow(pool)
    assert await told(pool, whole=True) == ["adnet install ?l=1&c=Spring%20sale"]


# Order of arrival, flips


async def test_tests_and_the_forgotten_are_never_told(pool: asyncpg.Pool) -> None:
    for name in ("install", "payment"):
        await add_template(pool, name, mode="all")
    await install(pool, "sandbox", flags=["sandbox"], ids={})
    await install(pool, "forgotten", flags=["forgotten"], ids={})
    await install(pool, "real", ids={})
    await put(pool, [event("e-1", install_id="sandbox"), event("e-2", install_id="forgotten")])
    await put(pool, [event("e-3", install_id="real", flags=["forgotten"])])
    await follow(pool)
    assert await told(pool) == ["adnet install"]


async def test_postbacks_are_due_after_the_partners_hold_time(pool: asyncpg.Pool) -> None:
    await pool.execute("""UPDATE partners SET sending = '{"hold_s": 600}' WHERE id = 'adnet'""")
    await add_template(pool)
    await add_template(pool, partner=None)
    await click(pool)
    await install(pool)
    await follow(pool)
    rows = await pool.fetch(
        "SELECT partner, extract(epoch FROM due_at - created_at)::int AS s FROM postbacks ORDER BY 1"
    )
    assert [tuple(row) for row in rows] == [("adnet", 600), (None, 0)]


async def test_every_macro_says_what_is_known(pool: asyncpg.Pool) -> None:
    names = (
        *("conversion_event_json", "price", "currency", "click_ipv6", "install_ipv6", "google_aid", "mt_gaid_lc"),
        *("mt_network", "mt_sub1", "mtpc_id", "mtpp_title", "mtep_seen", "mtep_list", "mtj_list", "os_name", "utm_x"),
        *("app_package_name", "tracker_name", "touchline_id", "transaction_id", "nothing", "profile_id"),
        "device_model",
    )
    fields = ", ".join(f'"{name}": "{{{name}}}"' for name in names)
    template = f'{{"event": "{{conversion_event_name}}", "json": {{mtj_list}}, "revenue": {{price}}, {fields}}}'
    await add_template(pool, "payment", method="POST", body=template)
    touch = await click(pool, more="&utm_source=news%20letter&mt_sub1=a%22b&utm_x=%0d%0a&price=1", seconds_ago=90)
    phone = Device(os="Android", os_version="14", model="Pixel 8", locale="de_DE")
    await install(pool, ids={"google_aid": GAID.upper()}, device=phone, ip="192.0.2.1", user_id="ann")
    params = {"seen": msgspec.Raw(b'"\\u00e4"'), "list": msgspec.Raw(b'[1.50, {"a": null}]')}
    paid = event("e", params=params)
    await put(pool, [paid])
    await follow(pool)
    (row,) = await pool.fetch("SELECT method, body FROM postbacks")
    told_of = body(row["body"])
    assert body(told_of.pop("conversion_event_json")) == {"seen": "ä", "list": [1.5, {"a": None}]}
    assert told_of == {
        "event": "payment", "json": [1.5, {"a": None}], "revenue": 4.99, "price": "4.99", "currency": "EUR",
        "click_ipv6": told_of["click_ipv6"], "install_ipv6": "::ffff:192.0.2.1", "google_aid": GAID.upper(),
        "mt_gaid_lc": GAID, "utm_x": "\r\n", "mt_network": "news letter", "mt_sub1": 'a"b', "mtpc_id": "spring",
        "mtpp_title": "Ad Net", "mtep_seen": "ä", "mtep_list": '[1.50, {"a": null}]', "os_name": "android",
        "device_model": "Pixel 8", "app_package_name": "com.example.shop", "profile_id": "ann",
        "tracker_name": "Ad Net::Spring sale::Banner", "touchline_id": touch, "transaction_id": paid.id, "nothing": "",
        "mtj_list": '[1.50, {"a": null}]',
    }  # fmt: skip
    assert URL not in told_of.values()
