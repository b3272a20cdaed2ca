"""Description of a consent platform: the form of its setting, the cookies that it uses, and its reader."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

from tiktok_middleware.core.consent.state import State

__all__ = ["OPT_OUT", "Platform", "Revisions", "Setting", "no_time"]

#: Optional last part of a setting: the site's banner grants before any click, so a grant counts as a default.
OPT_OUT = "opt-out"
#: Begins the part with the only policy version whose records count.
_REVISION = "revision="

_PART = re.compile(r"[^\s;,](?:[^;,\r\n]*[^\s;,])?")
_COOKIE = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Setting(NamedTuple):
    """A site's setting for its platform.

    Attributes:
        parts: the comma-separated parts after the colon.
        cookie: the cookie's name if the site has changed it; else empty.
        implied: the state for a default grant without a click: unknown or granted.
        revision: the only policy version whose records count; empty if all count.
    """

    parts: tuple[str, ...] = ()
    cookie: str = ""
    implied: State = State.UNKNOWN
    revision: str = ""

    def part(self, otherwise: str = "") -> str:
        """Return the first part, or ``otherwise`` if there is none."""
        return self.parts[0] if self.parts else otherwise


def no_time(_header: str, _setting: Setting) -> int:
    """Return 0, because the platform's record has no time."""
    return 0


def _any_parts(_parts: tuple[str, ...]) -> bool:
    return True


class Revisions(NamedTuple):
    """The versions of a site's policy in the records of a platform that asks again for a new one.

    Attributes:
        read: returns the versions in all copies of the record, from the raw ``Cookie`` header and the setting.
        form: pattern of a version in the setting; without it a whole number.
    """

    read: Callable[[str, Setting], frozenset[str]]
    form: re.Pattern[str] = re.compile(r"[0-9]{1,14}", re.ASCII)


class Platform(NamedTuple):
    """One consent platform.

    Attributes:
        usage: the form of the setting, such as ``klaro:SERVICE``.
        where: meaning of the words in capitals, and where to find them; empty if there are none.
        cookies: names of the cookies with the platform's record; a name that ends in a hyphen is a prefix.
        read: returns the visitor's state from the raw ``Cookie`` header and the setting.
        changed_at_ms: returns the time of the record from the same, in Unix milliseconds; 0 if it has none.
        least, most: minimum and maximum number of parts.
        has_cookie_name: whether ``@NAME`` may follow, for a site that has renamed the cookie.
        accepts: returns whether the parts are valid, given that their number is.
        revisions: the policy versions in records; None if records have none.
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
    revisions: Revisions | None = None

    def setting(self, colon: str, rest: str, implied: State) -> Setting:
        """Parse the text after the platform's name.

        Raises:
            ValueError: the setting is invalid; the message describes what is allowed.
        """
        text, at, cookie = rest.rpartition("@") if self.has_cookie_name and "@" in rest else (rest, "", "")
        if at and not _COOKIE.fullmatch(cookie):
            raise ValueError(self.allowed)
        parts = tuple(part.strip() for part in text.split(",")) if colon and (text or not at) else ()
        revision = ""
        if self.revisions is not None and parts and parts[-1].startswith(_REVISION):
            *before, last = parts
            parts, revision = tuple(before), last.removeprefix(_REVISION)
            if not self.revisions.form.fullmatch(revision):
                raise ValueError(self.allowed)
        if not self.least <= len(parts) <= self.most or not all(map(_PART.fullmatch, parts)) or not self.accepts(parts):
            raise ValueError(self.allowed)
        return Setting(parts, cookie, implied, revision)

    @property
    def allowed(self) -> str:
        """The allowed settings, in words."""
        return f"{self.usage}, where {self.where}" if self.where else f"{self.usage}, with nothing after it"
