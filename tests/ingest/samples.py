"""Links, keys and requests that the edge's tests share."""

from hashlib import sha256

import msgspec

from ingest.links import Links
from schemas.links import App, AppKey, KeyKind, Link, LinkKind, Partner, Target

LINK = "1019409635088005254"
TRACKING = "600573419754384676"
PAUSED = "12345678901234567890"  # above 2^63, as the vendor's sample
PAUSED_NOWHERE = "77"
APP = "demo"
BARE_APP = "bare"
SDK_KEY = "sdk-secret"
SERVER_KEY = "server-secret"
REVOKED_KEY = "revoked-secret"

PLAY_URL = "https://play.google.com/store/apps/details?id=com.example.demo"
APPLE_URL = "https://apps.apple.com/app/id123456789?ct={campaign}"
WEB_URL = "https://example.com/get?click={click_id}"
FALLBACK_URL = "https://example.com/"
APP_FALLBACK_URL = "https://example.com/app"

ANDROID = (
    "Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A.230803.041) AppleWebKit/537.36"
    " (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36"
)
ANDROID_FIREFOX = "Mozilla/5.0 (Android 14; Mobile; rv:131.0) Gecko/131.0 Firefox/131.0"
IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/17.4 Mobile/15E148 Safari/604.1"
)
DESKTOP = "Mozilla/5.0 (X11; Linux x86_64; rv:131.0) Gecko/20100101 Firefox/131.0"
WINDOWS_PHONE = (
    "Mozilla/5.0 (Windows Phone 10.0; Android 6.0.1; Microsoft; Lumia 950) AppleWebKit/537.36"
    " (KHTML, like Gecko) Chrome/52.0.2743.116 Mobile Safari/537.36 Edge/15.14977"
)

# protocols.md §1.3, byte for byte but for the link.
VENDOR_SAMPLE = (
    f"/serve/{LINK}?click_id=123456789&device_ip=192.0.2.0/24&device_ua=Mozilla/5.0%20(Linux;%20Android%204.4.4;"
    "%205042D%20Build/KTU84P)%20AppleWebKit/537.36%20(KHTML,%20like%20Gecko)%20Version/4.0%20Chrome/33.0.0.0"
    "%20Mobile%20Safari/537.36&click_timestamp=1453895044&noredirect"
)
VENDOR_SAMPLE_UA = (
    "Mozilla/5.0 (Linux; Android 4.4.4; 5042D Build/KTU84P) AppleWebKit/537.36 (KHTML, like Gecko)"
    " Version/4.0 Chrome/33.0.0.0 Mobile Safari/537.36"
)

TARGETS = (
    Target(store="google_play", url=PLAY_URL, deep_link="demo://open?click={click_id}"),
    Target(store="app_store", url=APPLE_URL, app="demo-ios"),
)


def link(
    id: str,
    *,
    kind: LinkKind = "redirect",
    app: str = APP,
    targets: tuple[Target, ...] = TARGETS,
    fallback_url: str | None = FALLBACK_URL,
    paused: bool = False,
    partner: str | None = None,
) -> Link:
    return Link(id=id, app=app, kind=kind, targets=targets, fallback_url=fallback_url, paused=paused, partner=partner)


def put(links: Links, *rows: Link | App | AppKey | Partner) -> None:
    """As the feed does it: from the JSON of a row."""
    kinds = {Link: "link", App: "app", AppKey: "key", Partner: "partner"}
    for row in rows:
        links.put(kinds[type(row)], links.change + 1, msgspec.json.encode(row))


def key(secret: str, kind: KeyKind, *, revoked: bool = False) -> AppKey:
    return AppKey(hash=sha256(secret.encode()).hexdigest(), app=APP, kind=kind, revoked=revoked)


def some_links() -> Links:
    links = Links()
    put(
        links,
        App(id=APP, fallback_url=APP_FALLBACK_URL),
        App(id=BARE_APP),
        key(SDK_KEY, "sdk"),
        key(SERVER_KEY, "server"),
        key(REVOKED_KEY, "server", revoked=True),
        link(LINK),
        link(TRACKING, kind="tracking"),
        link(PAUSED, paused=True),
        link(PAUSED_NOWHERE, app=BARE_APP, fallback_url=None, paused=True),
    )
    return links
