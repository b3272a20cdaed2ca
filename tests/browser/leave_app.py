"""A shop that asks nobody by itself: pages and answers with an event each, for visitors who have or have not chosen yet."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

_PAGE = '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>'


def product(request: Request) -> Response:
    tiktok_from(request).track("ViewContent", value=24, currency="EUR")
    return HTMLResponse(f"{_PAGE}</head><body><h1>Shop</h1></body></html>")


def add(request: Request) -> Response:
    tiktok_from(request).track("AddToCart", value=24, currency="EUR")
    return JSONResponse({"added": True})


def ask(request: Request) -> Response:
    tiktok_from(request).track("Contact")
    return JSONResponse({})


app = Starlette(
    routes=[Route("/", product), Route("/add", add, methods=["POST"]), Route("/ask", ask, methods=["POST"])],
    middleware=[Middleware(TikTokMiddleware)],
)
