"""One application for three countries, each with a host and a pixel of its own; another host has none."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from tiktok_middleware.asgi import TikTokMiddleware

#: Chromium resolves all names below `localhost` to this machine.
COUNTRIES = {
    name: {"pixels": pixel, "currency": currency}
    for name, pixel, currency in zip(
        ("de.localhost", "fr.localhost", "us.localhost"),
        os.environ.get("TIKTOK_PIXEL_ID", "A,B,C").split(","),
        ("EUR", "EUR", "USD"),
        strict=True,
    )
}


def of_host(host: str) -> object:
    return COUNTRIES.get(host)


def _document(text: str) -> str:
    head = '<meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>'
    return f"<!doctype html><html lang=en><head>{head}</head><body><h1>{text}</h1></body></html>"


async def thanks(request: Request) -> Response:
    request.scope["tiktok_middleware.tracker"].track("Purchase", order_id="1001", value=20)
    return HTMLResponse(_document("Thanks"))


async def basket(request: Request) -> Response:
    request.scope["tiktok_middleware.tracker"].track("AddToCart", value=5)
    return RedirectResponse("/page", 303)


async def page(request: Request) -> Response:
    return HTMLResponse(_document("Shop"))


app = TikTokMiddleware(Starlette(routes=[Route("/thanks", thanks), Route("/basket", basket), Route("/page", page)]))
