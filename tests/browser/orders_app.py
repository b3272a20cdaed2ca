"""A shop whose orders are paid at a bank: the bank sends the browser back by a POST, and calls a webhook. Its clock can be moved."""

from __future__ import annotations

import os
import time
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tiktok_middleware import Client
from tiktok_middleware.config import Config
from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

_HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>'
_CLOCK = Path(os.environ["SHOP_CLOCK"])


def _now_s() -> float:
    """The time, moved by as many seconds as the file says."""
    return time.time() + (float(_CLOCK.read_text()) if _CLOCK.exists() else 0.0)


def _purchase(request: Request) -> None:
    tiktok_from(request).track("Purchase", value=30, currency="EUR", order_id=request.path_params["order"])


def front(_request: Request) -> Response:
    return HTMLResponse(f"{_HEAD}</head><body><h1>Shop</h1></body></html>")


def bank(request: Request) -> Response:
    """The bank's page, on a host of its own: it sends the browser back as soon as it is there."""
    form = f'<form method="post" action="{request.query_params["to"]}"><input name="paid" value="yes"></form>'
    return HTMLResponse(f"{_HEAD}</head><body>{form}<script>document.forms[0].submit()</script></body></html>")


def bank_return(request: Request) -> Response:
    _purchase(request)
    return RedirectResponse(f"/thank-you/{request.path_params['order']}", 303)


def thank_you(request: Request) -> Response:
    if request.query_params.get("track", "yes") == "yes":
        _purchase(request)
    return HTMLResponse(f"{_HEAD}</head><body><h1>Thank you</h1></body></html>")


def webhook(request: Request) -> Response:
    _purchase(request)
    return Response("ok")


app = Starlette(
    routes=[
        Route("/", front),
        Route("/bank", bank),
        Route("/return/{order}", bank_return, methods=["POST"]),
        Route("/thank-you/{order}", thank_you),
        Route("/webhook/{order}", webhook, methods=["POST"]),
    ],
    middleware=[Middleware(TikTokMiddleware, client=Client(Config.from_env(), clock=_now_s))],
)
