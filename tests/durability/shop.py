"""What the apps under load answer and track, and which of their events they may lose; the same for ASGI and WSGI."""

from __future__ import annotations

import os
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

from tiktok_middleware.client import Client

__all__ = ["ANSWERS", "Answer", "answer", "make_client", "note_current"]

_current_id: ContextVar[str] = ContextVar("durability_current_id")

Answer = tuple[int, list[tuple[str, str]], list[bytes]]

_HEAD = b"<!doctype html><html><head><title>Shop</title></head>"
_REST = b"<body>" + b"<p>Hello</p>" * 50 + b"</body></html>"
_HTML = ("Content-Type", "text/html; charset=utf-8")
_EMPTY = ("Content-Length", "0")
_THERE = ("Location", "/thanks")

#: Event, status, headers and pieces of the body for each path.
ANSWERS: Mapping[str, tuple[str, Answer]] = {
    "/redirect": ("Purchase", (303, [_THERE, _EMPTY], [])),
    "/shared-redirect": ("Search", (303, [_THERE, _EMPTY, ("Cache-Control", "public, max-age=60")], [])),
    "/page": ("ViewContent", (200, [_HTML, ("Content-Length", str(len(_HEAD + _REST)))], [_HEAD + _REST])),
    "/stream": ("ViewContent", (200, [_HTML], [_HEAD, _REST])),
    "/json": ("AddToCart", (200, [("Content-Type", "application/json"), ("Content-Length", "2")], [b"{}"])),
}
_NOTHING: Answer = (404, [("Content-Type", "text/plain"), _EMPTY], [])


def answer(path: str, query: str, tracker: Any) -> Answer:
    """What a path answers, after its event is tracked under the id that the visitor chose."""
    event, found = ANSWERS.get(path, ("", _NOTHING))
    event_id = parse_qs(query).get("id", [""])[0]
    if event and event_id and tracker is not None:
        note_current(event_id)
        tracker.track(event, value=1, currency="EUR", event_id=event_id)
    return found


def note_current(event_id: str) -> None:
    """Note the event of this request, for the case that it is not on disk in time."""
    _current_id.set(event_id)


class _Client(Client):
    """Writes down the id of each event that was not on disk in time, before its response leaves.

    The promise has this one exception, on purpose, and a machine under test load may come to need it.
    """

    def _undurable(self, error: Exception) -> None:
        file = os.open(os.environ["DURABILITY_EXCUSED"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
        os.write(file, f"{_current_id.get()}\n".encode())
        os.close(file)
        super()._undurable(error)


def make_client() -> Client:
    """The client that the environment describes."""
    return _Client.from_env()
