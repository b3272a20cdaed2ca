"""Check a request to the Events API as strictly as TikTok's documentation describes it.

Source: TikTok's page "Report App, Web, Offline, or CRM Events" (doc id 1771101303285761). One invalid event
makes TikTok refuse the whole request; the message names the first wrong path, ``Batch.<index>.<path>: <reason>``.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tiktok_middleware.core.events.event_aliases import FADING
from tiktok_middleware.core.events.event_catalogue import MAX_CRM_NAME_CHARS
from tiktok_middleware.sandbox.catalog import OLD_NAMES, STANDARD
from tiktok_middleware.sandbox.check_properties import check_properties
from tiktok_middleware.sandbox.check_user import check_page, check_user
from tiktok_middleware.sandbox.rules import (
    Check,
    Problem,
    boolean,
    known,
    number,
    objects,
    one_of,
    shaped,
    text,
    whole,
)

__all__ = ["EVENTS_LIMIT", "check_item", "check_name", "check_pixel", "check_root"]

EVENTS_LIMIT = 1_000
"""Maximum number of events in one request; a request with more events is refused."""

_MISSING = "Missing data for required field."
_MAX_AGE_S = 28 * 86_400
_MAX_AHEAD_S = 600
_MILLISECONDS_FROM = 100_000_000_000

_SOURCES = ("web", "app", "offline", "crm")
_NAME = shaped(
    r"[A-Za-z][A-Za-z0-9_-]{0,49}",
    "Must be at most 50 letters, digits, '_' or '-', beginning with a letter.",
)
_CRM_NAME = shaped(
    rf"[^\x00-\x1f\x7f]{{1,{MAX_CRM_NAME_CHARS}}}",
    f"Must be at most {MAX_CRM_NAME_CHARS} characters without control characters.",
)
_CODE = shaped(r"[A-Z0-9]{20}", "Is not 20 capitals and digits, as pixel codes are.")


def check_root(body: Any) -> Iterator[Problem]:
    """Check the request's fields outside its events."""
    yield from objects("body", body)
    if not isinstance(body, dict):
        return
    for key in ("event_source", "event_source_id", "data"):
        if key not in body:
            yield Problem(key, _MISSING)
    checks: dict[str, Check] = {
        "event_source": one_of(*_SOURCES),
        "event_source_id": text,
        "data": _data,
        "test_event_code": text,
        "partner_name": text,
    }
    yield from known("", body, checks)
    for key in body:
        if key not in checks:
            yield Problem(key, "Unknown key: TikTok ignores it.", refuses=False)
    if body.get("event_source") == "web" and isinstance(body.get("event_source_id"), str):
        yield from check_pixel("event_source_id", body["event_source_id"])


def _data(path: str, value: Any) -> Iterator[Problem]:
    if not isinstance(value, list):
        yield Problem(path, "Not a valid list.")
    elif not 1 <= len(value) <= EVENTS_LIMIT:
        yield Problem(path, f"Length must be between 1 and {EVENTS_LIMIT}.")


def check_pixel(path: str, code: str) -> Iterator[Problem]:
    """Warn about a code that does not have the form of a pixel code."""
    for problem in _CODE(path, code):
        yield Problem(path, problem.reason, refuses=False)


def check_name(path: str, name: Any, *, source: str = "web") -> Iterator[Problem]:
    """Check an event's name: a custom name must have the documented form; old and reserved names are warnings."""
    problems = list((_CRM_NAME if source == "crm" else _NAME)(path, name))
    yield from problems
    if problems or name in STANDARD or name == "Pageview":
        return
    if source == "crm" or (source == "offline" and name in FADING):
        return
    if name in OLD_NAMES:
        yield Problem(path, f"Is an old or reserved name; use {OLD_NAMES[name]}.", refuses=False)
    elif source == "offline":
        yield Problem(path, "Must be a standard event for offline events.")
    elif close := next((each for each in STANDARD if each.lower() == name.lower()), None):
        yield Problem(path, f"Differs from {close} in case only, so it is a custom event.", refuses=False)


def _time(value: Any, *, source: str, now: float) -> Iterator[Problem]:
    problems = list(whole("event_time", value))
    yield from problems
    if problems:
        return
    if value >= _MILLISECONDS_FROM:
        yield Problem("event_time", "Must be Unix seconds, not milliseconds.")
    elif value > now + _MAX_AHEAD_S:
        yield Problem("event_time", "Lies in the future.")
    elif value < now - _MAX_AGE_S:
        # TikTok matches nothing beyond its longest attribution window; sales from a till may be uploaded later.
        yield Problem("event_time", "Is more than 28 days old.", refuses=source in {"web", "app"})


ITEM: dict[str, Check] = {
    "event_id": text,
    "limited_data_use": boolean,
    "ad": objects,
    "app": objects,
    "lead": objects,
    "device": objects,
}
_ELSEWHERE = frozenset({"event", "event_time", "user", "page", "properties"})


def check_item(item: Any, *, source: str, now: float) -> Iterator[Problem]:
    """Check one event of ``data``.

    Args:
        item: the event as decoded from JSON.
        source: the request's ``event_source``.
        now: Unix seconds, UTC.
    """
    yield from objects("", item)
    if not isinstance(item, dict):
        return
    for key in ("event", "event_time"):
        if key not in item:
            yield Problem(key, _MISSING)
    if "event" in item:
        yield from check_name("event", item["event"], source=source)
    if "event_time" in item:
        yield from _time(item["event_time"], source=source, now=now)
    yield from known("", item, ITEM)
    if "event_id" not in item:
        yield Problem("event_id", "Missing: TikTok cannot match it with the browser's copy.", refuses=False)
    yield from check_user("user", item.get("user", {}), source=source)
    yield from check_page("page", item.get("page"), source=source)
    if "properties" in item:
        yield from check_properties("properties", item["properties"], server=True)
    yield from _by_source(item, source)
    for key in item:
        if key not in ITEM and key not in _ELSEWHERE:
            yield Problem(key, "Unknown key: TikTok ignores it.", refuses=False)


def _by_source(item: dict[str, Any], source: str) -> Iterator[Problem]:
    if source == "app":
        app = item.get("app")
        if not isinstance(app, dict) or "app_id" not in app:
            yield Problem("app.app_id", _MISSING)
    if source == "crm":
        lead = item.get("lead")
        if not isinstance(lead, dict) or "lead_id" not in lead:
            # The API's table requires lead_id; the upload of CRM files accepts an e-mail address or a phone number.
            user = item.get("user")
            is_known = isinstance(user, dict) and not user.keys().isdisjoint({"email", "phone"})
            reason = "Missing: the lead is matched by e-mail or phone alone." if is_known else _MISSING
            yield Problem("lead.lead_id", reason, refuses=not is_known)
        for key in ("lead_id", "lead_event_source"):
            if isinstance(lead, dict) and key in lead:
                yield from text(f"lead.{key}", lead[key])
    ad = item.get("ad")
    if isinstance(ad, dict) and "attribution_share" in ad:
        share = ad["attribution_share"]
        problems = list(number("ad.attribution_share", share))
        yield from problems
        if not problems and not 0 <= share <= 1:
            yield Problem("ad.attribution_share", "Must be between 0.0 and 1.0.")
