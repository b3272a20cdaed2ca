"""A shop with one consent platform's own code: pages, a request by script, a form that redirects."""

from __future__ import annotations

import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tests.consent_platforms.platforms import OPT_OUT, PLATFORMS, page
from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

_PLATFORM = next(one for one in (*PLATFORMS, *OPT_OUT) if one.name == os.environ["PLATFORM"])
_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>
{head}</head><body><h1>{path}</h1><div id="klaro"></div><a id="next" href="/two">next</a>
<button id="ask" onclick="fetch('/ask', {{method: 'POST'}})">ask</button><button id="call" {markup}>call</button>
<form method="post" action="/buy"><button id="buy">buy</button></form></body></html>"""
#: The platform's code comes a while after the page.
_LATE = """<template id="late">{head}</template><script>setTimeout(() => {{
  const range = document.createRange();
  range.selectNode(document.head);
  document.head.append(range.createContextualFragment(document.getElementById('late').innerHTML));
}}, {late_ms})</script>"""


def show(request: Request) -> Response:
    tiktok_from(request).track("ViewContent", content_id=request.url.path, value=5, currency="EUR")
    head = page(_PLATFORM, int(request.query_params.get("revision", "1")))
    if late_ms := request.query_params.get("late"):
        head = _LATE.format(head=head, late_ms=int(late_ms))
    markup = tiktok_from(request).markup("Contact", on="click")
    return HTMLResponse(_PAGE.format(head=head, path=request.url.path, markup=markup))


def ask(request: Request) -> Response:
    tiktok_from(request).track("Lead")
    return JSONResponse({})


def buy(request: Request) -> Response:
    tiktok_from(request).track("AddToCart", value=9, currency="EUR")
    return RedirectResponse("/thanks", 303)


app = Starlette(
    routes=[
        Route("/ask", ask, methods=["POST"]),
        Route("/buy", buy, methods=["POST"]),
        Mount("/modules", StaticFiles(directory=Path(__file__).with_name("node_modules"), follow_symlink=True)),
        Route("/{path:path}", show),
    ],
    middleware=[Middleware(TikTokMiddleware)],
)
