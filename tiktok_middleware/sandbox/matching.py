"""Compare the browser copy and the server copy of an event."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from tiktok_middleware.sandbox.rules import join

__all__ = ["Copy", "Difference", "Note", "cross_notes", "differences"]


class Note(msgspec.Struct, frozen=True):
    """A lint remark on one copy, or on both together.

    Attributes:
        channel: ``browser``, ``server`` or ``both``.
        level: ``error`` or ``warning``.
        path: the field that the remark is about.
        reason: what is wrong, in words.
    """

    channel: str
    level: str
    path: str
    reason: str


class Copy(msgspec.Struct, frozen=True):
    """One copy of an event as it arrived, with the Events API's field names for both channels.

    Attributes:
        channel: ``browser`` or ``server``.
        at: when it arrived, Unix seconds.
        pixel: TikTok's ``event_source_id``.
        source: ``web``, ``app``, ``offline`` or ``crm``.
        event: the event's name.
        event_id: the id that both copies share; empty if none was given.
        event_time: when it happened, Unix seconds.
        properties: as sent, without ``limited_data_use``.
        user: match keys under the server's names: ``email``, ``phone``, ``ttclid``, ``ttp`` and so on.
        page: ``url`` and ``referrer``.
        limited_data_use: as sent, False if absent.
        test_event_code: the request's code; empty if absent.
        in_app: the app whose built-in browser sent it, such as ``tiktok``; empty for any other browser.
        options: the options that the page passed to ``ttq.load``; empty for a server copy.
        notes: lint remarks.
        size: bytes on the wire, for the memory bound.
    """

    channel: str
    at: float
    pixel: str
    source: str
    event: str
    event_id: str
    event_time: int
    properties: dict[str, Any]
    user: dict[str, Any]
    page: dict[str, Any]
    limited_data_use: bool = False
    test_event_code: str = ""
    in_app: str = ""
    options: dict[str, Any] = {}
    notes: tuple[Note, ...] = ()
    size: int = 0


class Difference(msgspec.Struct, frozen=True, omit_defaults=True):
    """A field in which two copies differ; ``missing`` names the channel whose copy lacks the field."""

    path: str
    browser: Any = None
    server: Any = None
    missing: str = ""


def differences(browser: Copy, server: Copy) -> list[Difference]:
    """Return the differences of two copies in the fields that must be equal: properties and ``limited_data_use``."""
    found = list(_differ("properties", browser.properties, server.properties))
    if browser.limited_data_use != server.limited_data_use:
        found.append(Difference("limited_data_use", browser.limited_data_use, server.limited_data_use))
    return found


def _differ(path: str, browser: Any, server: Any) -> Iterator[Difference]:
    if isinstance(browser, dict) and isinstance(server, dict):
        for key in dict.fromkeys([*browser, *server]):
            inner = join(path, key)
            if key not in server:
                yield Difference(inner, browser=browser[key], missing="server")
            elif key not in browser:
                yield Difference(inner, server=server[key], missing="browser")
            else:
                yield from _differ(inner, browser[key], server[key])
    elif isinstance(browser, list) and isinstance(server, list) and len(browser) == len(server):
        for index, (left, right) in enumerate(zip(browser, server, strict=True)):
            yield from _differ(join(path, index), left, right)
    elif not _same(browser, server):
        yield Difference(path, browser, server)


def _same(browser: Any, server: Any) -> bool:
    # JSON has one type of number, and booleans are not numbers: 20 equals 20.0, but 1 does not equal true.
    if isinstance(browser, bool) or isinstance(server, bool):
        return browser is server
    return bool(browser == server)


_MUST_AGREE = ("email", "phone", "external_id", "ttclid", "ttp", "first_name", "last_name", "zip_code")


def cross_notes(browser: Copy, server: Copy) -> Iterator[Note]:
    """Warn if the two copies describe different visitors."""
    for key in _MUST_AGREE:
        left, right = _values(browser.user.get(key)), _values(server.user.get(key))
        if left and right and not left & right:
            yield Note("both", "warning", f"user.{key}", "Differs between browser and server.")


def _values(value: Any) -> frozenset[str]:
    return frozenset(str(one) for one in (value if isinstance(value, list) else [value]) if one)
