"""Select the bridge scripts, and the settings of the helper script, for the consent platform in the page."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from tiktok_middleware.core.consent.platforms import BRIDGES, BROWSER_ONLY, NAMED_BRIDGES, cookie_names, tcf_asked
from tiktok_middleware.errors import ConfigError

__all__ = ["PageSide", "bridges", "page_side"]

#: Settings whose record is in a cookie on some sites only, with the bridge that reads the record in the page if the
#: cookie is missing.
_ASKED_TOO = {"tcf": "tcf", "gpp": "gpp"}

#: Cookie of ours that ends with a refusal, in all tabs (``core/visitor/click_ids.py``).
_OURS = "_tt_fresh"


class PageSide(NamedTuple):
    """The part of a consent setting that the page needs.

    Attributes:
        bridges: names of the platforms that the page reads through a bridge script.
        settings: the scripts' settings, to be sent as JSON.
        asks_after_requests: whether the platform stores a choice in a cookie that pages cannot read, by a request.
    """

    bridges: tuple[str, ...]
    settings: Mapping[str, object]
    asks_after_requests: bool = False

    @property
    def files(self) -> tuple[str, ...]:
        """The required scripts of ``browser/bridges``, without duplicates."""
        return tuple(dict.fromkeys(BRIDGES[name] for name in self.bridges))


def page_side(setting: str, cookie_domain: str = "auto", gpc: str = "deny") -> PageSide:
    """Return the bridges and settings for the page.

    Args:
        setting: the value of ``TIKTOK_CONSENT``.
        cookie_domain: the value of ``TIKTOK_COOKIE_DOMAIN``.
        gpc: the value of ``TIKTOK_GPC``.

    Raises:
        ConfigError: the setting names a platform without a bridge, or lacks a required name.
    """
    settings: dict[str, object] = {}
    if cookie_domain != "auto":
        settings["d"] = [] if cookie_domain == "host" else [cookie_domain]
    if gpc != "deny":
        settings["g"] = {"ignore": 1, "limit": 2}[gpc]
    kind, _, rest = setting.partition(":")
    if kind not in {"implied", "required"}:
        settings["p"] = 1
    names = bridges(setting)
    platform, _, named = rest.partition(":") if kind == "bridge" else (kind, "", "")
    if platform in NAMED_BRIDGES or platform == "google":
        if named:
            settings[platform] = named
    elif platform == "tcf":
        asked = tcf_asked(rest.removeprefix("tcf").removeprefix(":") if kind == "bridge" else rest)
        settings["tcf"] = list(asked.purposes)
        if asked.vendor is not None:
            settings["tcf_vendor"] = asked.vendor
    cookies = cookie_names(setting)
    if kind == "django":
        # HttpOnly cookie: the page asks the endpoint after the platform's own request, and when another tab has ended
        # our cookies because of a refusal.
        cookies = (*(cookies or ()), _OURS)
    if cookies is not None:
        settings["m"] = _pattern_of(cookies)
    return PageSide(names, settings, asks_after_requests=kind == "django")


def _pattern_of(names: Sequence[str]) -> str:
    """Return a short pattern of cookies with these names. A name that ends in a hyphen is a prefix."""
    escaped = [re.escape(name).replace("\\-", "-") for name in names]
    whole = [name for name in escaped if not name.endswith("-")]
    prefixes = [name for name in escaped if name.endswith("-")]
    parts = [*([f"({'|'.join(whole)})="] if whole else ()), *prefixes]
    return "|".join(f"^{part}" for part in parts)


def bridges(setting: str) -> tuple[str, ...]:
    """Return the platforms that the page reads through a bridge; for plain ``bridge``, all browser-only platforms.

    Raises:
        ConfigError: the setting names a platform without a bridge, or lacks a required name.
    """
    kind, colon, rest = setting.partition(":")
    if kind in _ASKED_TOO:
        return (_ASKED_TOO[kind],)
    if kind != "bridge":
        return ()
    name, second, named = rest.partition(":")
    takes_name = name in NAMED_BRIDGES or name in {"google", "tcf"}
    is_named = bool(named) if name in NAMED_BRIDGES or second else True
    if (colon and name not in BRIDGES) or not is_named or (second and not takes_name):
        usages = ", ".join(f"{one}:NAME" if one in NAMED_BRIDGES else one for one in BRIDGES)
        raise ConfigError("TIKTOK_CONSENT", setting, f"bridge, or bridge:NAME with one of {usages}")
    return (name,) if colon else BROWSER_ONLY
