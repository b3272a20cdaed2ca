"""Report values that TikTok accepts in a server event but cannot use or does not want; change nothing.

Problems that the application can fix are logged once. Those that depend on the visitor are only counted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from urllib.parse import unquote, urlsplit

from tiktok_middleware.core.events.event import Event
from tiktok_middleware.core.events.event_names import sensitive_word
from tiktok_middleware.core.runtime import Notices

__all__ = ["note_own_id", "note_web_copy"]

_MAX_PATH_CHARS = 2048

_NO_PAGE = (
    "a web event has no page, which TikTok asks for: give client.tracker() the visitor's snapshot, or use"
    " source='offline' or source='crm'"
)
_NOBODY = (
    "a server event tells nothing of its visitor, so that TikTok can match it with nobody: give client.tracker() a"
    " snapshot, or call identify()"
)
_REUSED = (
    "one event_id was given to two events of one request: of two with the same name TikTok drops the second as a copy"
    " of the first"
)


def note_web_copy(user: Mapping[str, object], page: Mapping[str, str], notices: Notices) -> None:
    """Count or log once the problems of a copy for ``event_source`` web.

    Args:
        user: TikTok's ``user`` object; an empty value counts as missing, and keys that may not leave are absent.
        page: TikTok's ``page`` object, as it is sent; empty without a page.
        notices: takes the counts and log lines.
    """
    is_anybody = any(value for key, value in user.items() if key != "locale")
    if "user_agent" in user and not user["user_agent"]:
        notices.count("no_user_agent")
    if not is_anybody:
        notices.count("nobody")
    url = page.get("url", "")
    if not url:  # no request: only the app's code can add what is missing
        notices.count("no_page")
        notices.once("no page", _NO_PAGE)
        if not is_anybody:
            notices.once("nobody", _NOBODY)
    elif word := _sensitive_path(url.partition("?")[0]):
        notices.once(
            f"sensitive path {word.lower()}",
            f"the address of a page holds the word {word!r}: TikTok must not be sent sensitive data, nor hints of it;"
            " TIKTOK_EXCLUDE keeps the pixel and events off such pages",
        )


def note_own_id(event_id: str, before: Sequence[Event], notices: Notices) -> None:
    """Count and log once that the app gives the same ``event_id`` to two events of one request.

    Args:
        event_id: id of the event that is tracked now.
        before: events that the request has tracked so far.
        notices: takes the count and the log line.
    """
    if any(event.event_id == event_id for event in before):
        notices.count("event_id_reused")
        notices.once("event_id reused", _REUSED)


@lru_cache(maxsize=2048)
def _sensitive_path(url: str) -> str:
    """Return the word in the path that hints at sensitive data; empty without one."""
    try:
        path = urlsplit(url[:_MAX_PATH_CHARS]).path
    except ValueError:
        return ""
    return sensitive_word(unquote(path, errors="replace"))
