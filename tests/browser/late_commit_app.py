"""A shop whose orders are committed when somebody asks for it, long after their pages have loaded."""

from __future__ import annotations

import os
from typing import Any

import psycopg
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

_HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>'
_open: dict[str, psycopg.Connection[Any]] = {}


def thank_you(request: Request) -> Response:
    order = request.path_params["order"]
    connection = _open[order] = psycopg.connect(os.environ["TIKTOK_OUTBOX"].partition("?")[0])
    connection.execute("CREATE TABLE IF NOT EXISTS late_orders (id text)")
    connection.execute("INSERT INTO late_orders VALUES (%s)", [order])
    tiktok_from(request).track("Purchase", value=30, currency="EUR", order_id=order, connection=connection)
    return HTMLResponse(f"{_HEAD}</head><body><h1>Thank you</h1></body></html>")


def commit(request: Request) -> Response:
    with _open.pop(request.path_params["order"]) as connection:
        connection.commit()
    return Response("ok")


app = Starlette(
    routes=[Route("/thank-you/{order}", thank_you), Route("/commit/{order}", commit, methods=["POST"])],
    middleware=[Middleware(TikTokMiddleware)],
)
