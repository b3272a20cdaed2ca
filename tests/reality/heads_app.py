"""An app with heads and cookies of any size, with the middleware and, where BARE is set, without."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from tiktok_middleware.wsgi import TikTokMiddleware

PAGE = b"<!doctype html><html><head><title>Shop</title></head><body>hello</body></html>"
CONTENTS: list[Any] = [
    {"content_id": f"SKU-{number}-{number * 7919}", "price": 9.9, "quantity": 1} for number in range(20)
]


def shop(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """``/head/N`` redirects with N bytes of a header, ``/session/N`` with N of a cookie; others are pages."""
    kind, _, size = environ["PATH_INFO"].strip("/").partition("/")
    tracker = environ.get("tiktok_middleware.tracker")
    if kind in {"head", "session"} and tracker is not None:
        tracker.track("AddToCart", value=9.9, currency="EUR", contents=CONTENTS)
    if kind == "head":
        start_response("302 Found", [("Location", "/thanks"), ("X-App", "x" * int(size))])
        return []
    if kind == "session":
        start_response("302 Found", [("Location", "/thanks"), ("Set-Cookie", f"session={'x' * int(size)}; Path=/")])
        return []
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("X-App", "x" * int(size or 0))])
    return [PAGE]


app = shop if "BARE" in os.environ else TikTokMiddleware(shop)
