"""The thank-you page of one shop in each step of docs/how-to/migrate.md, below one path for each step, with one outbox."""

from __future__ import annotations

import json
import os
from types import ModuleType

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Mount, Route

from tests.browser.combos_app import PIXEL, own_code
from tests.test_docs import blocks
from tiktok_middleware import Client, Config
from tiktok_middleware.asgi import TikTokMiddleware

PAGE = "docs/how-to/migrate.md"


def view(index: int) -> ModuleType:
    """Return the documentation's own code: a module with the view of a step."""
    module = ModuleType(f"step_{index}")
    # The page has one order; a shop has one for each visitor.
    code = blocks(PAGE, "python")[index].replace('"1001"', 'request.query_params["order"]')
    exec(code, module.__dict__)  # the documentation's own code
    return module


_ONE, _TWO = view(0), view(1)
HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>'


def _before(request: Request) -> str:
    """Return the body of step 0: the page's own call, with the order number as its id."""
    order = {"order_id": request.query_params["order"], "value": 30, "currency": "EUR"}
    return str(_ONE.TAG % (json.dumps(order), json.dumps(order["order_id"])))


def _first(request: Request) -> str:
    return str(_ONE.thanks(request))


def _second(request: Request) -> str:
    return str(_TWO.thanks(request))


def _step(name: str, *, own: bool, **options: str) -> Mount:
    body = {"0": _before, "1": _first, "2": _second, "3": _second}[name]

    async def thanks(request: Request) -> Response:
        return HTMLResponse(f"{HEAD}{own_code(PIXEL) if own else ''}</head><body>{body(request)}</body></html>")

    app = Starlette(routes=[Route("/thanks", thanks)])
    if name == "0":
        return Mount("/0", app)
    return Mount(f"/{name}", TikTokMiddleware(app, client=Client(Config.from_env({**os.environ, **options}))))


app = Starlette(
    routes=[
        _step("0", own=True),
        _step("1", own=True, TIKTOK_SNIPPET="off"),
        _step("2", own=True, TIKTOK_SNIPPET="adopt"),
        _step("3", own=False),
    ]
)
