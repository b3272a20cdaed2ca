"""Read from a response's headers whether a shared cache may keep it, and for how long."""

from __future__ import annotations

import re

from tiktok_middleware.core.http.response_head import Head, seconds_left
from tiktok_middleware.core.response.columns import Audience

__all__ = ["audience_of", "cache_life_s", "directives_of"]


def audience_of(head: Head, shared: bool | None, now_s: float) -> tuple[Audience, str]:
    """Return who may get a response, with the reason where others than the visitor may.

    Args:
        head: head of the response.
        shared: argument of the app's ``shared()``, which outranks the headers; None if not called.
        now_s: Unix seconds, compared with ``Expires``.
    """
    if shared is not None:
        return (Audience.SHARED, "shared_by_app") if shared else (Audience.ONE, "")
    if head.targeted and _is_kept_by(directives_of(head.targeted)):
        return Audience.SHARED, "targeted_cache_control"
    if head.x_accel_expires and not _ZERO.fullmatch(head.x_accel_expires.strip()):
        return Audience.SHARED, "x_accel_expires"
    directives = directives_of(head.cache_control)
    if _is_private(directives):
        return Audience.ONE, ""
    if _is_kept_by(directives):
        return Audience.SHARED, "cache_control"
    if head.expires and not _LIFETIMES & directives.keys() and seconds_left(head.expires, now_s) > 0:
        return Audience.SHARED, "expires"
    return Audience.ONE, ""


# Directives that outrank Expires (RFC 9111 section 5.3).
_LIFETIMES = frozenset({"max-age", "s-maxage"})
# Directives that let a cache serve stale responses (RFC 5861).
_STALE = frozenset({"stale-while-revalidate", "stale-if-error"})


def _is_private(directives: dict[str, str]) -> bool:
    """Return whether no shared cache may keep the response; ``private="Set-Cookie"`` covers that header alone."""
    return "no-store" in directives or directives.get("private") == ""


def _is_kept_by(directives: dict[str, str]) -> bool:
    """Return whether a shared cache may serve the response to other visitors (RFC 9111 section 3).

    A lifetime of zero alone does not allow that: the cache has to revalidate each time, and our pages for one visitor
    have no validator.
    """
    if _is_private(directives):
        return False
    if "public" in directives or _STALE & directives.keys():
        return True
    seconds = directives.get("s-maxage", directives.get("max-age"))
    return seconds is not None and _ZERO.fullmatch(seconds) is None


_ZERO = re.compile(r"0*|-[0-9]+")


#: Assumed lifetime, in seconds, when the response states none. Caches choose one; some keep a page for months.
_UNSAID_LIFE_S = 30 * 86_400
_NUMBER = re.compile(r"[0-9]{1,12}")


def cache_life_s(head: Head, now_s: float) -> int:
    """Return the longest time that a cache may serve this response, in seconds.

    Args:
        head: head of a shared response.
        now_s: Unix seconds, compared with ``Expires``.
    """
    said = [directives_of(head.cache_control), directives_of(head.targeted)]
    lives = [
        sum(int(life[name]) for name in (lifetime, stale) if _NUMBER.fullmatch(life.get(name, "")))
        for life in said
        for lifetime in _LIFETIMES
        for stale in _STALE
    ]
    if _NUMBER.fullmatch(head.x_accel_expires.strip()):
        lives.append(int(head.x_accel_expires))
    if head.expires:
        lives.append(int(seconds_left(head.expires, now_s)))
    return max(lives) or _UNSAID_LIFE_S


# A quoted value may hold commas.
_DIRECTIVE = re.compile(r"(?:[^,\"]|\"[^\"]*(?:\"|$))+")


def directives_of(header: str) -> dict[str, str]:
    """Return the directives of a ``Cache-Control`` header, by their names in lower case."""
    if not header:
        return {}
    found: dict[str, str] = {}
    for part in _DIRECTIVE.findall(header):
        name, _, value = part.partition("=")
        found[name.strip().lower()] = value.strip().strip('"')
    return found


# Encodings whose bytes below 0x80 are not always ASCII (https://encoding.spec.whatwg.org/).
