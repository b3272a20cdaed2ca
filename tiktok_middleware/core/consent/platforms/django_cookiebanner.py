"""django-cookiebanner: the cookie ``cookiebanner``, a comma-separated list of the accepted groups."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms._decoding import MAX_GROUPS, State, decoded, read_copies
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM"]

_COOKIE = "cookiebanner"


def _read(header: str, setting: Setting) -> State:
    group = setting.part()
    return read_copies(header, _COOKIE, lambda value: _answer(decoded(value), group))


def _answer(text: str, group: str) -> State:
    """Return denied for a list without the group. The banner asks again while the list is empty."""
    accepted = text.split(",")
    if not all(accepted) or len(accepted) > MAX_GROUPS:
        raise ValueError("no list of groups")
    return State.GRANTED if group in accepted else State.DENIED


PLATFORM = Platform(
    "cookiebanner:GROUP",
    "GROUP is the id of a group in settings.COOKIEBANNER of django-cookiebanner",
    (_COOKIE,),
    _read,
    least=1,
    most=1,
)
