"""A small app whose answers bring events in every way a page can ask for them; it decides nothing about them."""

from __future__ import annotations

import itertools
from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Answers</title>'
)
_numbers = itertools.count(1)


def _track(request: Request) -> None:
    tiktok_from(request).track(request.query_params["event"], value=5, currency="EUR", description="<é & 'quotes'>")


def page(_request: Request) -> Response:
    return HTMLResponse(f"{_PAGE}</head><body><h1>Answers</h1></body></html>")


def early(request: Request) -> Response:
    """A page that asks before any script of ours can have come."""
    asks = f"<script>fetch('/answer?event={request.query_params['event']}')</script>"
    return HTMLResponse(f"{_PAGE}{asks}</head><body><h1>Early</h1></body></html>")


def answer(request: Request) -> Response:
    _track(request)
    return JSONResponse({"number": next(_numbers)}, int(request.query_params.get("status", "200")))


def cached(request: Request) -> Response:
    _track(request)
    return JSONResponse({"number": next(_numbers)}, headers={"Cache-Control": "private, max-age=600"})


def empty(request: Request) -> Response:
    _track(request)
    return Response(None, 204)


def fragment(request: Request) -> Response:
    _track(request)
    return HTMLResponse("<li>One more")


def redirect(request: Request) -> Response:
    _track(request)
    return RedirectResponse("/nothing", 303)


def large(request: Request) -> Response:
    """An order of sixty lines: no header of a careful proxy has room for it."""
    lines: list[Any] = [
        {
            "content_id": f"SKU-{number:05d}",
            "content_name": f"A product with a long name, number {number}",
            "price": 1.5,
        }
        for number in range(60)
    ]
    order = request.query_params["order"]
    tiktok_from(request).track("Purchase", value=90, currency="EUR", order_id=order, contents=lines)
    return RedirectResponse("/", 303) if request.method == "POST" else JSONResponse({})


def nothing(_request: Request) -> Response:
    return JSONResponse({})


app = Starlette(
    routes=[
        Route("/", page),
        Route("/early", early),
        Route("/answer", answer, methods=["GET", "POST", "PUT"]),
        Route("/cached", cached),
        Route("/empty", empty, methods=["GET", "POST"]),
        Route("/fragment", fragment),
        Route("/redirect", redirect, methods=["GET", "POST"]),
        Route("/large", large, methods=["GET", "POST"]),
        Route("/nothing", nothing),
    ],
    middleware=[
        Middleware(TikTokMiddleware),
        Middleware(CORSMiddleware, allow_origin_regex=r"http://www\.shop\.localhost:\d+", allow_credentials=True),
    ],
)
