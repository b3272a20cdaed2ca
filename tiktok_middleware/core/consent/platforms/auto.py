"""Whatever platform is there: each cookie's name leads to its reader; it knows no value."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tiktok_middleware.core.consent.platforms._decoding import State, one_enough, pairs_of

__all__ = ["PLATFORMS", "auto"]

_IUBENDA = "_iub_cs-"  # its cookies are named by site ids

#: The platforms that need no name from the site, by each cookie that may hold an answer of theirs.
PLATFORMS: Mapping[str, str] = {
    "OptanonConsent": "onetrust",
    "CookieConsent": "cookiebot",
    "cookieyes-consent": "cookieyes",
    "viewed_cookie_policy": "cookieyes",
    "cmplz_marketing": "complianz",
    "cmplz_rt_marketing": "complianz",
    _IUBENDA: "iubenda",
    "notice_gdpr_prefs": "trustarc",
    "notice_preferences": "trustarc",
    "cmapi_cookie_privacy": "trustarc",
    "gpcishonored": "trustarc",
    "cookiefirst-consent": "cookiefirst",
    "borlabs-cookie": "borlabs",
    "tarteaucitron": "tarteaucitron",
    "_ketch_consent_v1_": "ketch",
    "euconsent-v2": "tcf",
    "eupubconsent-v2": "tcf",
    "__gpp": "gpp",
    "OTGPPConsent": "gpp",
    "IABGPP_HDR_GppString": "gpp",
    "_tracking_consent": "shopify",
    "osano_consentmanager": "osano",
}


def auto(header: str, readers: Mapping[str, Callable[[str], State]]) -> State:
    """Denied where any platform says so, else granted where any does: leftovers of a replaced one stay for a year.

    Args:
        header: the raw ``Cookie`` header.
        readers: by platform.
    """
    found = {PLATFORMS.get(name) or PLATFORMS.get(name[: len(_IUBENDA)]) for name, _ in pairs_of(header, "")}
    return one_enough({readers[name](header) for name in found if name})
