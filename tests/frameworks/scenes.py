"""What the acceptance app of every framework answers; it imports no framework and no test package."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import tiktok_middleware

__all__ = ["ERROR_PAGE", "NOT_FOUND_PAGE", "PAGE", "SCENES", "Scene", "is_plain", "say", "track"]

PAGE = "<!doctype html><html><head><title>Shop</title></head><body><p>Hello</p></body></html>"
ERROR_PAGE = "<!doctype html><html><head><title>Sorry</title></head><body><p>It broke</p></body></html>"
NOT_FOUND_PAGE = "<!doctype html><html><head><title>Gone</title></head><body><p>Not here</p></body></html>"
PIECES = (PAGE[:20], PAGE[20:60], PAGE[60:])
HTML = "text/html; charset=utf-8"

PURCHASE = ("Purchase", {"value": 59.9, "currency": "EUR", "order_id": "A-1001"})
VIEW = ("ViewContent", {"value": 24.5, "currency": "EUR"})
LEAD: tuple[str, Mapping[str, Any]] = ("Lead", {})


@dataclass(frozen=True)
class Scene:
    """One route.

    Attributes:
        events: what its view tracks.
        method: of the route.
        status: of its response.
        headers: of its response, without the content type.
        body: the response's; a tuple is streamed in these pieces.
        reach: how the view reaches the tracker: ``request``, ``typed`` (``tiktok_from``), ``current`` or ``key`` (of
            the raw scope or environ).
        fails: whether the view raises after it has tracked.
        refuses: whether the view revokes the visitor's consent.
    """

    events: tuple[tuple[str, Mapping[str, Any]], ...] = (VIEW,)
    method: str = "GET"
    status: int = 200
    content_type: str = HTML
    headers: Mapping[str, str] = field(default_factory=dict)
    body: str | tuple[str, ...] = PAGE
    reach: str = "request"
    fails: bool = False
    refuses: bool = False


JSON = "application/json"
SCENES: Mapping[str, Scene] = {
    "/": Scene(),
    "/typed": Scene(reach="typed"),
    "/current": Scene(reach="current"),
    "/key": Scene(reach="key"),
    "/add": Scene(
        (("AddToCart", {"value": 3, "currency": "EUR"}),), method="POST", content_type=JSON, body='{"count": 1}'
    ),
    "/pay": Scene((PURCHASE,), method="POST", status=303, headers={"Location": "thanks"}, body=""),
    "/thanks": Scene((PURCHASE,)),
    "/stream": Scene(body=PIECES),
    "/cached": Scene(headers={"Cache-Control": "public, max-age=600"}),
    "/fails": Scene((LEAD,), fails=True),
    "/refuse": Scene((LEAD,), refuses=True),
    # Answers whether the app's start-up hook has run.
    "/started": Scene((), content_type=JSON),
}


class ViewError(RuntimeError):
    """What the failing view raises."""


def track(path: str, tracker: Any) -> None:
    """Do what the view of this path does with its tracker.

    Raises:
        ViewError: the view of this path fails.
    """
    scene = SCENES[path]
    if scene.refuses:
        tracker.revoke_consent()
    for event, properties in scene.events:
        tracker.track(event, properties)
    if scene.fails:
        raise ViewError("the view failed")


def reached(scene: Scene, request: Any, tiktok_from: Any, raw: Mapping[str, Any]) -> Any:
    """The tracker, reached in the way that the scene asks for.

    Args:
        scene: of the route.
        request: the framework's request, or what carries ``tiktok`` in its place (``req.context``).
        tiktok_from: returns the tracker of the framework's request.
        raw: the ASGI scope or WSGI environ.
    """
    if scene.reach == "typed":
        return tiktok_from()
    if scene.reach == "current":
        return tiktok_middleware.current()
    if scene.reach == "key":
        return raw["tiktok_middleware.tracker"]
    return request.tiktok


def is_plain() -> bool:
    """Whether this run wraps the app by the plain adapter, with other middleware in between."""
    return os.environ.get("ACCEPTANCE_WRAP") == "plain"


def say(word: str) -> None:
    """Write a line into the server's log."""
    print(f"acceptance: {word}", flush=True)
