"""A small app in the style of htmx and Turbo, with streams; parts of its pages come later, and bring events with them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

_ICON = '<link rel="icon" href="data:,">'
_MODULES = Path(__file__).with_name("node_modules")
_LIBRARIES = {
    "htmx2": "htmx2/dist/htmx.min.js",
    "htmx4": "htmx4/dist/htmx.min.js",
    "turbo": "@hotwired/turbo/dist/turbo.es2017-umd.js",
}


def _page(
    library: str, title: str, body: str, *, more: str = '<meta name="turbo-prefetch" content="false">'
) -> Response:
    script = f'<script src="/modules/{_LIBRARIES[library]}" defer></script>'
    head = f'<meta charset="utf-8">{_ICON}<title>{title}</title>{more}{script}'
    return HTMLResponse(f'<!doctype html><html lang="en"><head>{head}</head><body><h1>{title}</h1>{body}</body></html>')


def _track(request: Request, event: str) -> None:
    tiktok_from(request).track(event, value=5, currency="EUR")


def htmx(request: Request) -> Response:
    boosted = f'<a id="boost" hx-boost="true" href="/{request.path_params["library"]}/next">Next</a>'
    buttons = (
        '<button id="get" hx-get="/part?event=Search" hx-target="#list">Get</button>'
        '<button id="post" hx-post="/part?event=AddToCart" hx-target="#list">Post</button>'
        '<form id="redirect" hx-post="/redirect?event=AddToWishlist" hx-target="#list"><button>Redirect</button></form>'
    )
    return _page(request.path_params["library"], "Shelf", f"{buttons}{boosted}<ul id='list'></ul>")


def htmx_next(request: Request) -> Response:
    _track(request, "ViewContent")
    return _page(request.path_params["library"], "Next", "<p>Boosted</p>")


def part(request: Request) -> Response:
    _track(request, request.query_params["event"])
    return HTMLResponse(f"<li>{request.query_params['event']}")


def redirect(request: Request) -> Response:
    _track(request, request.query_params["event"])
    return RedirectResponse("/plain", 303)


def plain(_request: Request) -> Response:
    return HTMLResponse("<li>Plain")


def turbo(request: Request) -> Response:
    number = int(request.path_params["number"])
    _track(request, "ViewContent")
    frame = f'<turbo-frame id="box"><a id="into-frame" href="/turbo/frame/{number}">Open the box</a></turbo-frame>'
    form = '<form id="order" method="post" action="/turbo/order"><button>Order</button></form>'
    return _page("turbo", f"Page {number}", f'<a id="next" href="/turbo/{number + 1}">Next</a>{frame}{form}')


def turbo_frame(request: Request) -> Response:
    _track(request, "Search")
    return HTMLResponse('<turbo-frame id="box"><p id="opened">Opened</p></turbo-frame>')


def turbo_order(request: Request) -> Response:
    tiktok_from(request).track("Purchase", value=5, currency="EUR", order_id="turbo-1")
    return RedirectResponse("/turbo/99", 303)


def turbo_stream(request: Request) -> Response:
    _track(request, "Contact")
    body = (
        '<turbo-stream action="append" targets="body"><template><p id="streamed">Streamed</p></template></turbo-stream>'
    )
    return HTMLResponse(body, media_type="text/vnd.turbo-stream.html")


def ahead(request: Request) -> Response:
    """A page that has the next one fetched before anybody asks for it: by Turbo, under the pointer, or by the browser."""
    kind = request.path_params["kind"]
    if kind == "turbo":
        return _page("turbo", "Ahead", '<a id="next" href="/turbo/7">Next</a>', more="")
    rules = f'{{"{kind}": [{{"source": "list", "urls": ["/plain-page"], "eagerness": "immediate"}}]}}'
    script = f'<script type="speculationrules">{rules}</script>'
    return HTMLResponse(
        f'<!doctype html><title>Ahead</title>{_ICON}<h1>Ahead</h1><a id="next" href="/plain-page">Next</a>{script}'
    )


def plain_page(request: Request) -> Response:
    _track(request, "ViewContent")
    return HTMLResponse(f"<!doctype html><title>Page 7</title>{_ICON}<h1>Page 7</h1>")


def stream(request: Request) -> Response:
    """Pieces with time between them; it ends when the reader leaves."""
    _track(request, request.query_params["event"])

    async def pieces() -> AsyncIterator[str]:
        for number in range(int(request.query_params.get("pieces", "3"))):
            yield f'{{"piece": {number}}}\n'
            await asyncio.sleep(0.05)

    return StreamingResponse(pieces(), media_type="application/x-ndjson")


app = Starlette(
    routes=[
        Route("/{library:str}/next", htmx_next),
        Route("/part", part, methods=["GET", "POST"]),
        Route("/redirect", redirect, methods=["POST"]),
        Route("/plain", plain),
        Route("/plain-page", plain_page),
        Route("/ahead/{kind}", ahead),
        Route("/stream", stream),
        Route("/turbo/frame/{number:int}", turbo_frame),
        Route("/turbo/order", turbo_order, methods=["POST"]),
        Route("/turbo/stream", turbo_stream, methods=["POST"]),
        Route("/turbo/{number:int}", turbo),
        Mount("/modules", StaticFiles(directory=_MODULES)),
        Route("/{library:str}", htmx),
    ],
    middleware=[Middleware(TikTokMiddleware)],
)
