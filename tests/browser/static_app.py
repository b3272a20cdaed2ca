"""A static frontend beside an API in Python: only the API and the endpoint pass the middleware."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tiktok_middleware.asgi import TikTokMiddleware
from tiktok_middleware.contrib.starlette import tiktok_from

__all__ = ["app"]

PAGE = """<!doctype html><html><head><meta charset="utf-8"><title>Static</title>
<script src="/_tiktok/pixel.js" async></script></head>
<body><button onclick="fetch('/api/cart', {method: 'POST'})">Buy</button>
<a href="#" onclick="tiktok.track('Search', {search_string: 'mug'}); return false">Search</a></body></html>"""


async def add(request: Request) -> Response:
    tiktok_from(request).track("AddToCart", value=24, currency="EUR")
    return JSONResponse({"count": 1})


def page(_request: Request) -> Response:
    return HTMLResponse(PAGE)


_api = TikTokMiddleware(Starlette(routes=[Route("/api/cart", add, methods=["POST"])]))
_pages = Starlette(routes=[Route("/", page)])


async def app(scope: Any, receive: Any, send: Any) -> None:
    """What a web server in front of both does."""
    is_api = scope.get("path", "").startswith(("/api/", "/_tiktok/"))
    await (_api if is_api or scope["type"] == "lifespan" else _pages)(scope, receive, send)
