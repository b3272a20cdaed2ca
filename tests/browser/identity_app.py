"""Pages whose addresses hold identity, and pages that are reached from them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

_PAGE = '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>'


def page(request: Request) -> Response:
    tiktok_from(request).track("ViewContent", value=24, currency="EUR")
    referrer = '<meta name="referrer" content="unsafe-url">'
    return HTMLResponse(f'{_PAGE}{referrer}</head><body><a id="next" href="/b">next</a></body></html>')


app = Starlette(routes=[Route("/{path:path}", page)], middleware=[Middleware(TikTokMiddleware)])
