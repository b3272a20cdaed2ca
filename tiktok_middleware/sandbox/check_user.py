"""Check the ``user`` of a server event and the URLs of its page."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit

from tiktok_middleware.core.events.event_catalogue import USER_KEYS
from tiktok_middleware.sandbox.catalog import USER_TYPOS
from tiktok_middleware.sandbox.rules import Check, Problem, each, join, known, objects, shaped, text

__all__ = ["EMPTY_HASH", "HASH", "check_page", "check_user"]

HASH = re.compile(r"[0-9a-f]{64}")
EMPTY_HASH = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of an empty string: it shows that an empty field was hashed."""

_EMAIL = re.compile(r"[^@\s/?&=#]+@[^@\s/?&=#]+\.[A-Za-z]{2,}")


def hashed(path: str, value: Any) -> Iterator[Problem]:
    """Check a SHA-256 hash in lower-case hex; the hash of an empty value is refused."""
    problems = list(text(path, value))
    yield from problems
    if problems:
        return
    if value == EMPTY_HASH:
        yield Problem(path, "Is the hash of an empty value; leave the key out.")
    elif _EMAIL.fullmatch(value.strip()):
        yield Problem(path, "Looks like a raw e-mail address; must be its SHA-256.")
    elif HASH.fullmatch(value.lower()) and value != value.lower():
        yield Problem(path, "Must be lower-case hex.")
    elif not HASH.fullmatch(value):
        yield Problem(path, "Must be a SHA-256 of 64 lower-case hex digits.")


def hashed_list(path: str, value: Any) -> Iterator[Problem]:
    """Check one hash, or a list of hashes."""
    if isinstance(value, list):
        if not value:
            yield Problem(path, "Must not be an empty list; leave the key out.")
        yield from each(path, value, hashed)
    else:
        yield from hashed(path, value)


def address(path: str, value: Any) -> Iterator[Problem]:
    """Check an IPv4 or IPv6 address without port; an address that is not public is a warning.

    Loopback passes without a warning: in development the visitor uses the same machine.
    """
    try:
        found = ipaddress.ip_address(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None:
        yield Problem(path, "Not a valid IP address.")
    elif not (found.is_global or found.is_loopback):
        yield Problem(path, "Is not a public address; TikTok cannot match it.", refuses=False)


def place(path: str, value: Any) -> Iterator[Problem]:
    """Check a city, state or country: plain lower-case text, not hashed."""
    yield from text(path, value)
    if not isinstance(value, str):
        return
    if HASH.fullmatch(value):
        yield Problem(path, "Is hashed; TikTok takes it as plain text.", refuses=False)
    elif value != value.lower():
        yield Problem(path, "Should be lower-case.", refuses=False)


USER: dict[str, Check] = {
    "email": hashed_list,
    "phone": hashed_list,
    "external_id": hashed_list,
    "first_name": hashed,
    "last_name": hashed,
    "zip_code": hashed,
    "ttclid": shaped(r"[A-Za-z0-9._~-]{1,1000}", "Must be 1 to 1000 URL-safe characters."),
    "ttp": shaped(r"[A-Za-z0-9._-]{16,128}", "Must be 16 to 128 of letters, digits, '.', '_' and '-'."),
    "ip": address,
    "user_agent": text,
    "locale": shaped(r"[A-Za-z]{2,3}([-_][A-Za-z0-9]{2,8})*", "Must be a BCP 47 language tag."),
    "city": place,
    "state": place,
    "country": place,
    "idfa": text,
    "idfv": text,
    "gaid": text,
    "att_status": text,
}


def check_user(path: str, user: Any, *, source: str) -> Iterator[Problem]:
    """Check ``user``; unknown keys are warnings, because TikTok drops them without an error."""
    yield from objects(path, user)
    if not isinstance(user, dict):
        return
    yield from known(path, user, USER)
    for key in user:
        if key not in USER:
            meant = f" Did you mean {USER_TYPOS[key]!r}?" if key in USER_TYPOS else ""
            yield Problem(join(path, key), "Unknown key: TikTok ignores it." + meant, refuses=False)
    for key in user:
        if key in USER_KEYS and source not in USER_KEYS[key]:
            yield Problem(join(path, key), f"Is not read for the event source {source!r}.", refuses=False)
    if source == "web":
        for key in ("ip", "user_agent"):
            if key not in user:
                yield Problem(join(path, key), "Missing: TikTok matches far fewer visitors without it.", refuses=False)


def absolute(path: str, value: Any) -> Iterator[Problem]:
    """Check an absolute http or https URL; an e-mail address in it is a warning."""
    problems = list(text(path, value))
    yield from problems
    if problems:
        return
    try:
        parts = urlsplit(value)
    except ValueError:
        parts = urlsplit("")
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        yield Problem(path, "Not a valid absolute URL.")
    elif _EMAIL.search(unquote(parts.path + "?" + parts.query + "#" + parts.fragment)):
        yield Problem(path, "Holds an e-mail address.", refuses=False)


def check_page(path: str, page: Any, *, source: str) -> Iterator[Problem]:
    """Check ``page``; a web event without it is a warning."""
    if page is None:
        if source == "web":
            # TikTok's table requires a page, but TikTok's own example of a web event has none.
            yield Problem(join(path, "url"), "Missing: a web event should name its page.", refuses=False)
        return
    yield from objects(path, page)
    if not isinstance(page, dict):
        return
    if "url" not in page:
        yield Problem(join(path, "url"), "Missing data for required field.")
    yield from known(path, page, {"url": absolute, "referrer": absolute})
    for key in page.keys() - {"url", "referrer"}:
        yield Problem(join(path, key), "Unknown key: TikTok ignores it.", refuses=False)
