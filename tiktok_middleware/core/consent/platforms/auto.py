"""Detect the consent platforms of a request by cookie names, and combine their states."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from tiktok_middleware.core.consent.platforms._decoding import State, one_enough, pairs_of

__all__ = ["PLATFORMS", "auto"]

_IUBENDA = "_iub_cs-"  # the cookie names end in site ids

#: The platforms that need no name from the site, by the name of each cookie that may hold their record.
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
    """Return denied if any platform denies, else granted if any grants.

    Several may be present, because the cookies of a replaced platform remain for a year.

    Args:
        header: the raw ``Cookie`` header.
        readers: the readers by platform.
    """
    found = {PLATFORMS.get(name) or PLATFORMS.get(name[: len(_IUBENDA)]) for name, _ in pairs_of(header, "")}
    return one_enough({readers[name](header) for name in found if name})
