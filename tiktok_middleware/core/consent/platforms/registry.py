"""The platforms by the name they have in ``TIKTOK_CONSENT``, and what each needs to be told; it reads no cookie."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

from tiktok_middleware.core.consent.platforms import (
    auto,
    axeptio,
    gpp,
    iubenda,
    lists,
    onetrust,
    records,
    tcf,
    tokens,
    words,
)
from tiktok_middleware.core.consent.platforms.answers import State

__all__ = [
    "BRIDGES",
    "BROWSER_ONLY",
    "NAMED_BRIDGES",
    "READERS",
    "HeaderReader",
    "Platform",
    "cookie_names",
    "reader_for",
    "tcf_purposes",
]

#: From the raw ``Cookie`` header to the answer.
HeaderReader = Callable[[str], State]

#: What ``bridge:NAME`` may name, and the script of ``browser/bridges`` that asks it.
BRIDGES: Mapping[str, str] = {
    **{name: name for name in ("usercentrics", "osano", "termly", "google")},
    "sourcepoint": "tcf",
    **{name: name for name in ("tcf", "gpp", "klaro", "cc_cookie")},
}
#: Platforms that keep the choice where no server sees it; ``bridge`` alone asks all of them.
BROWSER_ONLY = ("usercentrics", "osano", "termly", "sourcepoint", "google")

#: Bridges that have to be told a name, as the reader of that platform has.
NAMED_BRIDGES = ("klaro", "cc_cookie")

_PART = re.compile(r"[^\s;,](?:[^;,\r\n]*[^\s;,])?")
_NUMBER = re.compile(r"[1-9][0-9]{0,4}")


_SIGNALS = ("usprivacy", "us_privacy", "__gpp", "OTGPPConsent", "IABGPP_HDR_GppString")
_COOKIES: Mapping[str, tuple[str, ...]] = {
    "onetrust": ("OptanonConsent", "OptanonAlertBoxClosed"),
    "cookiebot": ("CookieConsent",),
    "cookieyes": (
        *("cookieyes-consent", "viewed_cookie_policy", "cookielawinfo-checkbox-advertisement"),
        "cookielawinfo-checkbox-non-necessary",
    ),
    "complianz": ("cmplz_marketing", "cmplz_rt_marketing"),
    "iubenda": ("_iub_cs-",),
    "trustarc": (
        *("notice_gdpr_prefs", "notice_preferences", "cmapi_cookie_privacy", "gpcishonored", "notice_behavior"),
    ),
    "cookiefirst": ("cookiefirst-consent",),
    "borlabs": ("borlabs-cookie",),
    "tarteaucitron": ("tarteaucitron",),
    "klaro": ("klaro",),
    "axeptio": ("axeptio_cookies", "axeptio_authorized_vendors"),
    "civic": ("CookieControl",),
    "ketch": ("_ketch_consent_v1_", "gpcsignal"),
    "securiti": ("__privaci_cookie_consents", "__privaci_cookie_no_action"),
    "didomi": ("didomi_token",),
    "cc_cookie": ("cc_cookie",),
    "django": ("cookie_consent",),
    "tcf": ("euconsent-v2", "eupubconsent-v2"),
    "gpp": (),
    "shopify": ("_tracking_consent",),
    "osano": ("osano_consentmanager",),
}


def cookie_names(setting: str) -> tuple[str, ...] | None:
    """The cookies that a change of consent shows in; None where they are not known.

    A name that ends in a hyphen is the beginning of one.

    Args:
        setting: the value of ``TIKTOK_CONSENT``.
    """
    kind, _, rest = setting.partition(":")
    if kind == "import":
        return None
    if kind == "cookie":
        return (rest.partition("=")[0], *_SIGNALS)
    if kind == "auto":
        return (*(name for name in auto.PLATFORMS if name not in _SIGNALS), *_SIGNALS)
    return (*_COOKIES.get(kind, ()), *_SIGNALS)


def tcf_purposes(rest: str) -> list[int]:
    """The purposes that the setting ``tcf`` asks for.

    Args:
        rest: what stands behind its colon.
    """
    return [int(part) for part in rest.split(",") if _NUMBER.fullmatch(part)] or list(tcf.DEFAULT.purposes)


class Platform(NamedTuple):
    """What is known by one name in the setting.

    Attributes:
        usage: how the setting is written, such as ``klaro:SERVICE``.
        where: what stands in for the capitals, and where to find it.
        build: from the parts after the colon, and what a default counts as, to the reader.
        least: number of parts that have to be given.
        most: number of parts that may be given.
    """

    usage: str
    where: str
    build: Callable[[list[str], State], HeaderReader]
    least: int = 0
    most: int = 0

    def parts(self, colon: str, rest: str) -> list[str]:
        """The parts after the colon.

        Raises:
            ValueError: too few or too many, or one that is empty.
        """
        found = [part.strip() for part in rest.split(",")] if colon else []
        if not self.least <= len(found) <= self.most or not all(map(_PART.fullmatch, found)):
            raise ValueError(self.allowed)
        return found

    @property
    def allowed(self) -> str:
        """What the setting may be, in words."""
        return f"{self.usage}, where {self.where}" if self.where else f"{self.usage}, with nothing after it"


def reader_for(setting: str, *, implied: State) -> HeaderReader:
    """The reader that a setting names: from the raw ``Cookie`` header, copies and all, to the answer.

    Args:
        setting: such as ``onetrust``, ``onetrust:C0004,C0005`` or ``klaro:tiktok-pixel``.
        implied: what a platform's own default that nobody clicked counts as: unknown or granted.

    Raises:
        ValueError: the words say what is allowed, and where to find a name that is missing.
    """
    if implied is State.DENIED:
        raise ValueError("a default that nobody clicked counts as unknown or granted")
    name, colon, rest = setting.partition(":")
    platform = READERS.get(name)
    if platform is None:
        raise ValueError(_names_for(name))
    return platform.build(platform.parts(colon, rest), implied)


def _names_for(name: str) -> str:
    known = name.strip().lower()
    if known in BROWSER_ONLY:
        return f"bridge:{known}, for this platform keeps the choice where only its page sees it"
    near = difflib.get_close_matches(known, READERS, n=1)
    usages = ", ".join(platform.usage for platform in READERS.values())
    return (f"{READERS[near[0]].usage} (the nearest name), or one of " if near else "one of ") + usages


def _plain(read: HeaderReader) -> Callable[[list[str], State], HeaderReader]:
    return lambda _parts, _implied: read


def _with_default(read: Callable[[str, State], State]) -> Callable[[list[str], State], HeaderReader]:
    return lambda _parts, implied: lambda header: read(header, implied)


def _named(read: Callable[[str, str], State], otherwise: str = "") -> Callable[[list[str], State], HeaderReader]:
    return lambda parts, _implied: lambda header: read(header, parts[0] if parts else otherwise)


def _named_with_default(read: Callable[[str, str, State], State]) -> Callable[[list[str], State], HeaderReader]:
    return lambda parts, implied: lambda header: read(header, parts[0] if parts else "", implied)


def _onetrust(parts: list[str], implied: State) -> HeaderReader:
    return partial(onetrust.onetrust, ids=tuple(parts) or ("C0004",), implied=implied)


def _didomi(parts: list[str], _implied: State) -> HeaderReader:
    return partial(tokens.didomi, purpose=parts[0], vendor=parts[1] if len(parts) > 1 else "")


def _tcf(parts: list[str], _implied: State) -> HeaderReader:
    vendors = [part.partition("=")[2] for part in parts if part.startswith("vendor=")]
    purposes = [part for part in parts if not part.startswith("vendor=")]
    if len(vendors) > 1 or not all(map(_NUMBER.fullmatch, purposes + vendors)):
        raise ValueError(READERS["tcf"].allowed)
    asked = tcf.Asked(
        tuple(map(int, purposes)) or tcf.DEFAULT.purposes, int(vendors[0]) if vendors else tcf.DEFAULT.vendor
    )
    if max(asked.purposes) > 24 or (asked.vendor or 0) > 65_535:
        raise ValueError(READERS["tcf"].allowed)
    return partial(tcf.tcf, asked=asked)


def _auto(_parts: list[str], implied: State) -> HeaderReader:
    """Every platform that needs no name: a refusal by any of them wins, then one grant is enough."""
    alone = {name: READERS[name].build([], implied) for name in set(auto.PLATFORMS.values()) & READERS.keys()}
    return partial(auto.auto, readers={**alone, "osano": records.osano})


READERS: Mapping[str, Platform] = MappingProxyType(
    {
        "onetrust": Platform(
            "onetrust[:ID,ID]",
            "ID is a category id of the site's OneTrust account, listed under Categorizations (without it C0004)",
            _onetrust,
            most=16,
        ),
        "cookiebot": Platform("cookiebot", "", _with_default(lists.cookiebot)),
        "cookieyes": Platform("cookieyes", "", _with_default(lists.cookieyes)),
        "complianz": Platform("complianz", "", _plain(words.complianz)),
        "iubenda": Platform("iubenda", "", _plain(iubenda.iubenda)),
        "trustarc": Platform("trustarc", "", _with_default(words.trustarc)),
        "cookiefirst": Platform("cookiefirst", "", _plain(records.cookiefirst)),
        "borlabs": Platform(
            "borlabs[:service]",
            "service is the id of TikTok's service in the group marketing of Borlabs Cookie (without it any)",
            _named(records.borlabs),
            most=1,
        ),
        "tarteaucitron": Platform(
            "tarteaucitron[:key]",
            "key is what the page pushes to tarteaucitron.job for the pixel (without it tiktok)",
            _named(lists.tarteaucitron, "tiktok"),
            most=1,
        ),
        "klaro": Platform(
            "klaro:SERVICE",
            "SERVICE is the name of the TikTok service in the services of Klaro's configuration",
            _named(records.klaro),
            least=1,
            most=1,
        ),
        "axeptio": Platform(
            "axeptio:VENDOR",
            "VENDOR is TikTok's name in the Axeptio project, as the cookie axeptio_all_vendors lists it",
            _named(axeptio.axeptio),
            least=1,
            most=1,
        ),
        "civic": Platform(
            "civic:NAME",
            "NAME is the category's name in optionalCookies of the cookie CookieControl, after a click on accept",
            _named(records.civic),
            least=1,
            most=1,
        ),
        "ketch": Platform(
            "ketch[:CODE]",
            "CODE is the purpose's code in the Ketch account; without it the purposes that Ketch calls "
            "behavioral_advertising are read, and count as a default that nobody clicked",
            _named_with_default(tokens.ketch),
            most=1,
        ),
        "securiti": Platform(
            "securiti:ID",
            "ID is the number of the advertising category under consents in the cookie __privaci_cookie_consents",
            _named_with_default(records.securiti),
            least=1,
            most=1,
        ),
        "didomi": Platform(
            "didomi:PURPOSE[,VENDOR]",
            "PURPOSE and VENDOR are ids of the Didomi account, shown in the page by Didomi.getCurrentUserStatus()",
            _didomi,
            least=1,
            most=2,
        ),
        "cc_cookie": Platform(
            "cc_cookie:CATEGORY",
            "CATEGORY is a key of categories in the configuration of vanilla-cookieconsent, such as marketing",
            _named(records.cc_cookie),
            least=1,
            most=1,
        ),
        "django": Platform(
            "django:GROUP",
            "GROUP is the variable name of a cookie group of django-cookie-consent, as the Django admin lists it",
            _named(lists.django),
            least=1,
            most=1,
        ),
        "tcf": Platform(
            "tcf[:PURPOSE,PURPOSE][,vendor=ID]",
            "each PURPOSE is 1 to 24 (without them 1,3,4,7) and ID is a vendor of the IAB's list, 1 to 65535, as in "
            "tcf:1,7 or tcf:vendor=28",
            _tcf,
            most=25,
        ),
        "gpp": Platform("gpp", "", _with_default(gpp.gpp)),
        "shopify": Platform("shopify", "", _plain(records.shopify)),
        "auto": Platform("auto", "", _auto),
    }
)
