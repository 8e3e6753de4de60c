"""Operating systems: what an SDK, a hint or a user agent calls one, as the families that match keys hold."""

import re
from functools import lru_cache
from typing import Final

OTHER: Final = "other"

# Every name a family goes by, letters and digits only. An unlisted one is `other`: no key holds free text.
_FAMILIES: Final = {
    "android": "android androidos androidgo androidtv googletv chromecastandroid fireos",
    "ios": "ios iphoneos ipados iphone ipad ipod ipodtouch",
    "windows": "windows windowsnt win win32 win64 microsoftwindows",
    "windowsphone": "windowsphone windowsphoneos windowsmobile windowsce",
    "macos": "macos macosx osx macintosh mac",
    "linux": "linux gnulinux ubuntu debian fedora redhat redhatenterpriselinux centos suse opensuse gentoo"
    " mandriva archlinux linuxmint kubuntu xubuntu slackware raspbian chromecastlinux",
    "chromeos": "chromeos chromiumos cros",
    "harmonyos": "harmonyos harmonyosnext openharmony harmony",
    "tvos": "tvos appletvos atvosx",
    "watchos": "watchos",
    "visionos": "visionos xros",
    "tizen": "tizen",
    "kaios": "kaios",
    "webos": "webos webostv web0s",
    "roku": "roku rokuos",
    "bsd": "bsd freebsd openbsd netbsd dragonfly dragonflybsd",
}
_FAMILY_OF: Final = {name: family for family, names in _FAMILIES.items() for name in names.split()}
_VERSION_STARTS: Final = re.compile(r"[\d(]")
_NAME_CHARS_MAX: Final = 64


def normal_os(text: str) -> str:
    """The family of a system's name: `iPhone OS` → `ios`, `Android 14` → `android`, unknown → `other`."""
    return _family(text[:_NAME_CHARS_MAX])


@lru_cache(maxsize=4096)
def _family(text: str) -> str:
    name = text.strip().lower()
    unversioned = _VERSION_STARTS.split(name, maxsplit=1)[0]
    first_word = name.partition(" ")[0]  # `Linux x86_64`, `Windows Server`
    for candidate in (unversioned, first_word):
        family = _FAMILY_OF.get("".join(filter(str.isalnum, candidate)))
        if family is not None:
            return family
    return OTHER
