"""django-cookie-consent and wagtail-cookies-consent: the cookie ``cookie_consent``, a list ``group=version|other=-1``.

``-1`` means declined.
"""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import State, decoded, key_values, read_copies, values_of
from tiktok_middleware.core.consent.platforms._platform import Platform, Setting

__all__ = ["PLATFORM", "accepted_versions"]

_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?(?:Z|[+-]\d\d:\d\d)?", re.ASCII)


def _read(header: str, setting: Setting) -> State:
    group = setting.part()
    return read_copies(header, setting.cookie or "cookie_consent", lambda value: _answer(decoded(value), group))


def _answer(text: str, group: str) -> State:
    """Return the state of a group.

    An accepted version is the time of the group's newest cookie at acceptance, or empty for a group without cookies.
    """
    version = _versions(text).get(group)
    if version == "-1":
        return State.DENIED
    return State.GRANTED if version == "" or (version and _TIME.fullmatch(version)) else State.UNKNOWN


def _versions(text: str) -> dict[str, str]:
    """Return the version by group. wagtail-cookies-consent writes a space behind the name of a declined group."""
    if text[:1] == '"':
        if len(text) < 2 or text[-1] != '"':
            raise ValueError("quote is not closed")
        text = text[1:-1]
    return {group.rstrip(): version for group, version in key_values(text.split("|"), "=").items()}


def accepted_versions(header: str, cookie: str, group: str) -> list[str]:
    """Return the versions of a group that the visitor has accepted, one for each copy of the cookie.

    Args:
        header: the raw ``Cookie`` header.
        cookie: the cookie's name.
        group: the group's variable name.
    """
    found = []
    for value in values_of(header, cookie):
        try:
            found.append(_versions(decoded(value)).get(group, ""))
        except ValueError:  # noqa: PERF203  # nearly always one copy
            continue
    return found


PLATFORM = Platform(
    "django:GROUP",
    "GROUP is the variable name of a cookie group of django-cookie-consent or wagtail-cookies-consent, as the admin "
    "lists it",
    ("cookie_consent",),
    _read,
    least=1,
    most=1,
    has_cookie_name=True,
)
