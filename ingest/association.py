"""Which apps a host's links open on phones: the files that iOS and Android ask the host for. Pure.

Formats: https://developer.apple.com/documentation/xcode/supporting-associated-domains (with the form of iOS 12 beside
it), https://developer.android.com/training/app-links/verify-android-applinks. Both want status 200, JSON, no redirect.
"""

from collections.abc import Iterable, Sequence

from schemas.links import App

PATHS = ("/c/*", "/serve/*")
"""Of clicks: an impression opens nothing."""


def apple(apps: Iterable[App], host: str) -> dict[str, object] | None:
    """`apple-app-site-association` of a host; None when its links open no app."""
    details = [
        {"appID": app_id, "paths": PATHS, "appIDs": [app_id], "components": [{"/": path} for path in PATHS]}
        for app_id in sorted(
            f"{app.stores.apple_team}.{app.stores.bundle_id}"
            for app in _of_host(apps, host)
            if app.stores.apple_team and app.stores.bundle_id
        )
    ]
    return {"applinks": {"apps": [], "details": details}} if details else None


def android(apps: Iterable[App], host: str) -> list[dict[str, object]] | None:
    """`assetlinks.json` of a host, likewise."""
    found: list[dict[str, object]] = [
        {
            "relation": ["delegate_permission/common.handle_all_urls"],
            "target": {
                "namespace": "android_app",
                "package_name": package,
                "sha256_cert_fingerprints": fingerprints,
            },
        }
        for package, fingerprints in sorted(
            (app.stores.google_play, app.stores.android_sha256)
            for app in _of_host(apps, host)
            if app.stores.google_play and app.stores.android_sha256
        )
    ]
    return found or None


def _of_host(apps: Iterable[App], host: str) -> Sequence[App]:
    """Those that name the host; without any, those that name none."""
    name = _name(host)
    known = list(apps)
    named = [app for app in known if name in map(str.lower, app.stores.hosts)]
    return named or [app for app in known if not app.stores.hosts]


def _name(host: str) -> str:
    """Without a port, in lower case."""
    if host.startswith("["):
        return host.partition("]")[0].lower() + "]"
    return host.partition(":")[0].rstrip(".").lower()
