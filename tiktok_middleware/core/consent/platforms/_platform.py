"""What a consent platform's file provides: how its setting is written, which cookies it reads, and the reader."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from tiktok_middleware.core.consent.state import State

__all__ = ["OPT_OUT", "Platform", "Setting", "no_time"]

#: A last part of a setting: the site's banner grants before anybody clicks, so that a grant counts as a default.
OPT_OUT = "opt-out"

_PART = re.compile(r"[^\s;,](?:[^;,\r\n]*[^\s;,])?")
_COOKIE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Setting(NamedTuple):
    """What a site says of its platform.

    Attributes:
        parts: what stands between commas behind the colon.
        cookie: the cookie's name, where the site has changed it; else empty.
        implied: what a default that nobody clicked counts as, unknown or granted.
    """

    parts: tuple[str, ...] = ()
    cookie: str = ""
    implied: State = State.UNKNOWN

    def part(self, otherwise: str = "") -> str:
        """The first part, or what it is without one."""
        return self.parts[0] if self.parts else otherwise


def no_time(_header: str, _setting: Setting) -> int:
    """0: the record does not tell when it was written."""
    return 0


def _any_parts(_parts: tuple[str, ...]) -> bool:
    return True


class Platform(NamedTuple):
    """One platform.

    Attributes:
        usage: how the setting is written, such as ``klaro:SERVICE``.
        where: what stands in for the capitals, and where to find it; empty where nothing does.
        cookies: names of the cookies that hold its record; one that ends in a hyphen is the beginning of names.
        read: from the raw ``Cookie`` header and the setting to the visitor's state.
        changed_at_ms: from the same to the time of the record, Unix milliseconds; 0 without one.
        least, most: how many parts have to and may be given.
        has_cookie_name: whether ``@NAME`` may follow, for a site that has renamed the cookie.
        accepts: whether parts of the right number are right.
    """

    usage: str
    where: str
    cookies: tuple[str, ...]
    read: Callable[[str, Setting], State]
    changed_at_ms: Callable[[str, Setting], int] = no_time
    least: int = 0
    most: int = 0
    has_cookie_name: bool = False
    accepts: Callable[[tuple[str, ...]], bool] = _any_parts

    def setting(self, colon: str, rest: str, implied: State) -> Setting:
        """The setting that stands behind the platform's name.

        Raises:
            ValueError: the words say what is allowed.
        """
        text, at, cookie = rest.rpartition("@") if self.has_cookie_name and "@" in rest else (rest, "", "")
        if at and not _COOKIE.fullmatch(cookie):
            raise ValueError(self.allowed)
        parts = tuple(part.strip() for part in text.split(",")) if colon and (text or not at) else ()
        if not self.least <= len(parts) <= self.most or not all(map(_PART.fullmatch, parts)) or not self.accepts(parts):
            raise ValueError(self.allowed)
        return Setting(parts, cookie, implied)

    @property
    def allowed(self) -> str:
        """What the setting may be, in words."""
        return f"{self.usage}, where {self.where}" if self.where else f"{self.usage}, with nothing after it"
