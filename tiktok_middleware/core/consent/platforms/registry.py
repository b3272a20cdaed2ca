"""The consent platforms by their name in ``TIKTOK_CONSENT``, and the readers for its values."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

from tiktok_middleware.core.consent.platforms import (
    auto,
    axeptio,
    borlabs,
    c15t,
    civic,
    complianz,
    cookiebot,
    cookieconsent,
    cookiefirst,
    cookieyes,
    didomi,
    django_cookie_consent,
    django_cookiebanner,
    flask_consent,
    gpp,
    iubenda,
    ketch,
    klaro,
    onetrust,
    orejime,
    osano,
    securiti,
    shopify,
    tarteaucitron,
    tcf,
    trustarc,
    usprivacy,
    vanilla_cookieconsent,
)
from tiktok_middleware.core.consent.platforms._platform import OPT_OUT, Platform, Setting
from tiktok_middleware.core.consent.state import State

__all__ = [
    "BRIDGES",
    "BROWSER_ONLY",
    "NAMED_BRIDGES",
    "READERS",
    "HeaderReader",
    "cookie_names",
    "reader_for",
    "signal_names",
    "tcf_asked",
]

#: Names allowed in ``bridge:NAME``, with their script in ``browser/bridges``.
BRIDGES: Mapping[str, str] = {
    **{name: name for name in ("usercentrics", "osano", "termly", "google")},
    "sourcepoint": "tcf",
    **{name: name for name in ("tcf", "gpp", "klaro", "cc_cookie")},
}
#: Platforms that store the choice only in the browser. Plain ``bridge`` uses the bridges of all of them.
BROWSER_ONLY = ("usercentrics", "osano", "termly", "sourcepoint", "google")

#: Bridges that require a name, like the readers of these platforms.
NAMED_BRIDGES = ("klaro", "cc_cookie")

_SIGNALS = (*usprivacy.NAMES, *gpp.NAMES)


def _auto(header: str, setting: Setting) -> State:
    """Read all platforms that need no name: denied if any denies, else granted if any grants."""
    alone = Setting(implied=setting.implied)
    names = set(auto.PLATFORMS.values())
    platforms = {name: platform for name, platform in READERS.items() if name in names} | {"osano": osano.PLATFORM}
    return auto.auto(header, {name: _with(platform, alone) for name, platform in platforms.items()})


def _with(platform: Platform, setting: Setting) -> Callable[[str], State]:
    return lambda header: platform.read(header, setting)


READERS: Mapping[str, Platform] = MappingProxyType(
    {
        "onetrust": onetrust.PLATFORM,
        "cookiebot": cookiebot.PLATFORM,
        "cookieyes": cookieyes.PLATFORM,
        "complianz": complianz.PLATFORM,
        "iubenda": iubenda.PLATFORM,
        "trustarc": trustarc.PLATFORM,
        "cookiefirst": cookiefirst.PLATFORM,
        "borlabs": borlabs.PLATFORM,
        "tarteaucitron": tarteaucitron.PLATFORM,
        "klaro": klaro.PLATFORM,
        "orejime": orejime.PLATFORM,
        "axeptio": axeptio.PLATFORM,
        "civic": civic.PLATFORM,
        "ketch": ketch.PLATFORM,
        "securiti": securiti.PLATFORM,
        "didomi": didomi.PLATFORM,
        "cc_cookie": vanilla_cookieconsent.PLATFORM,
        "cookieconsent": cookieconsent.PLATFORM,
        "c15t": c15t.PLATFORM,
        "django": django_cookie_consent.PLATFORM,
        "cookiebanner": django_cookiebanner.PLATFORM,
        "flask_consent": flask_consent.PLATFORM,
        "tcf": tcf.PLATFORM,
        "gpp": gpp.PLATFORM,
        "shopify": shopify.PLATFORM,
        "auto": Platform("auto", "", tuple(auto.PLATFORMS), _auto),
    }
)


class HeaderReader(NamedTuple):
    """Reader of one site's platform. It reads the raw ``Cookie`` header, including all copies of a cookie.

    Attributes:
        platform: the platform.
        setting: the site's setting for it.
        has_defaults: whether a grant may be the banner's default without a click.
    """

    platform: Platform
    setting: Setting
    has_defaults: bool = False

    def __call__(self, header: str) -> State:
        """Return the visitor's state; unknown for a record of another policy version, as the platform asks again."""
        state = self.platform.read(header, self.setting)
        if self.setting.revision and self.platform.revisions is not None:
            is_current = self.platform.revisions.read(header, self.setting) == {self.setting.revision}
            state = state if is_current else State.UNKNOWN
        return self.setting.implied if self.has_defaults and state is State.GRANTED else state

    def changed_at_ms(self, header: str) -> int:
        """Return the time of the record in Unix milliseconds; 0 if it has none."""
        return self.platform.changed_at_ms(header, self.setting)

    @property
    def cookies(self) -> tuple[str, ...]:
        """Names of the cookies with the record; a name that ends in a hyphen is a prefix."""
        return (self.setting.cookie,) if self.setting.cookie else self.platform.cookies


def reader_for(setting: str, *, implied: State) -> HeaderReader:
    """Return the reader for a setting.

    Args:
        setting: such as ``onetrust``, ``onetrust:C0004,C0005``, ``klaro:tiktok-pixel@choices`` or
            ``tarteaucitron:tiktok,opt-out``.
        implied: the state for a platform's default grant without a click: unknown or granted.

    Raises:
        ValueError: the setting is invalid; the message describes what is allowed, and where to find a missing name.
    """
    if implied is State.DENIED:
        raise ValueError("a default that nobody clicked counts as unknown or granted")
    name, colon, rest = setting.partition(":")
    platform = READERS.get(name)
    if platform is None:
        raise ValueError(_names_for(name))
    before, comma, last = rest.rpartition(",")
    has_defaults = last.strip() == OPT_OUT
    if has_defaults:
        colon, rest = (":", before) if comma else ("", "")
    return HeaderReader(platform, platform.setting(colon, rest, implied), has_defaults)


def cookie_names(setting: str) -> tuple[str, ...] | None:
    """Return the cookies that change when the visitor's consent changes; None if they are unknown.

    A name that ends in a hyphen is a prefix.

    Args:
        setting: the value of ``TIKTOK_CONSENT``.
    """
    kind, _, rest = setting.partition(":")
    if kind == "import":
        return None
    if kind == "cookie":
        return (rest.partition("=")[0], *_SIGNALS)
    if kind not in READERS:
        return _SIGNALS
    names = reader_for(setting, implied=State.UNKNOWN).cookies
    return tuple(dict.fromkeys((*names, *_SIGNALS)))


def signal_names() -> tuple[str, ...]:
    """Return the cookies with legal opt-outs, which are read in addition to every platform."""
    return _SIGNALS


def tcf_asked(rest: str) -> tcf.Asked:
    """Return the purposes and the vendor that a ``tcf`` setting requires.

    Args:
        rest: the text after its colon.
    """
    return tcf.asked_of(tuple(part.strip() for part in rest.split(",") if part))


def _names_for(name: str) -> str:
    known = name.strip().lower()
    if known in BROWSER_ONLY:
        return f"bridge:{known}, for this platform keeps the choice where only its page sees it"
    near = difflib.get_close_matches(known, READERS, n=1)
    usages = ", ".join(platform.usage for platform in READERS.values())
    return (f"{READERS[near[0]].usage} (the nearest name), or one of " if near else "one of ") + usages
