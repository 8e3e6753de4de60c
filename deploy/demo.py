"""What `touchline up --demo` creates, and the requests it prints to try it."""

import time
from hashlib import sha256
from urllib.parse import quote

import asyncpg
import msgspec

from process.postgres import connect
from schemas.links import Target
from schemas.settings import Settings
from schemas.sql import load

LINK = "1019409635088005254"
APP = "demo"
PARTNER = "demo-network"
CAMPAIGN = "demo-campaign"
KEY = "demo-sdk-key"
TARGETS = (
    Target(
        store="google_play",
        url="https://play.google.com/store/apps/details?id=com.example.demo",
        deep_link="demo://open?click={click_id}",
    ),
    Target(
        store="app_store",
        url="https://apps.apple.com/app/id123456789",
        deep_link="demo://open?click={click_id}",
    ),
)
PHONE = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041) AppleWebKit/537.36"
    " (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
ADDRESS = "203.0.113.7"
GOOGLE_AID = "38400000-8cf0-11bd-b23e-10b96e40000d"


async def create_demo(settings: Settings) -> None:
    """The demo app with its key, partner, campaign and link; a second time changes nothing."""
    connection = await connect(settings)
    sql = load("manage")
    try:
        async with connection.transaction():
            await connection.execute(sql["put_partner"], PARTNER, "Demo network")
            await connection.execute(sql["put_campaign"], CAMPAIGN, "Demo campaign", PARTNER)
        try:
            async with connection.transaction():
                await connection.execute(sql["put_app"], APP, "Demo", "https://example.com/")
                key = sha256(KEY.encode()).hexdigest()
                await connection.execute(sql["put_key"], key, APP, "server", "demo")
                targets = msgspec.json.encode(TARGETS).decode()
                await connection.execute(
                    sql["put_link"],
                    LINK,
                    APP,
                    CAMPAIGN,
                    "Demo link",
                    "redirect",
                    targets,
                    "https://example.com/",
                    None,
                    None,
                )
        except asyncpg.UniqueViolationError:
            return
    finally:
        await connection.close()


def requests_to_try(settings: Settings) -> list[tuple[str, str]]:
    """(what it is, curl line): a browser's click, an ad server's click a minute ago, the install now."""
    now = int(time.time())
    url = settings.printed_url()
    ping = (
        f"{url}/serve/{LINK}?click_id=demo-{now}&google_aid={GOOGLE_AID}&device_ip={ADDRESS}"
        f"&device_ua={quote(PHONE, safe='')}&click_timestamp={now - 60}&noredirect"
    )
    install = msgspec.json.encode(
        {
            "installed_at": now,
            "ids": {"google_aid": GOOGLE_AID},
            "device": {
                "os": "Android",
                "os_version": "14",
                "model": "Pixel 8",
                "manufacturer": "Google",
                "locale": "en-US",
            },
            "ip": ADDRESS,
        }
    ).decode()
    return [
        ("a person's click", f"curl -i -A '{PHONE}' '{url}/serve/{LINK}?click_id=person-{now}'"),
        ("an ad server's click", f"curl -i '{ping}'"),
        (
            "the install",
            f"curl -i -H 'Authorization: Bearer {KEY}' -H 'Content-Type: application/json'"
            f" -d '{install}' '{url}/v1/installs'",
        ),
    ]
