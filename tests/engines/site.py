"""A site whose views track one event each, in the ways in which real sites do."""

from __future__ import annotations

from typing import Any

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from tiktok_middleware import Client
from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Engine</title>'
client = Client.from_env()
last: list[str] = []


class Secure:
    """Tell an app that its requests came by HTTPS: the proxy before it ends TLS."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app({**scope, "scheme": "https"} if scope["type"] == "http" else scope, receive, send)


def _html(body: str = "", head: str = "", **headers: str) -> Response:
    return HTMLResponse(f"{HEAD}{head}</head><body>{body}<p>done</p></body></html>", headers=headers)


def _track(request: Request) -> None:
    query = request.query_params
    if "event" not in query:
        return
    lines = [
        {"content_id": f"SKU-{number:05d}", "content_name": f"A product, number {number}", "price": 1.5}
        for number in range(60 if "large" in query else 0)
    ]
    more: dict[str, Any] = {"contents": lines} if lines else {}
    if "once" in query:
        more["once"] = query["once"]
    channels = tiktok_from(request).track(query["event"], value=5, currency="EUR", **more).channels
    last[:] = [channels.browser.reason, channels.server.reason]


def page(request: Request) -> Response:
    _track(request)
    return _html()


def shared(request: Request) -> Response:
    tiktok_from(request).track(request.path_params["event"], value=5, currency="EUR")
    return _html(**{"Cache-Control": "public, max-age=60"})


def framed(request: Request) -> Response:
    return _html(f'<iframe src="/page?event={request.query_params["event"]}"></iframe>')


def secured(request: Request) -> Response:
    _track(request)
    policy = "script-src 'nonce-bm9uY2U='; connect-src *"
    return _html("<script nonce='bm9uY2U='>0</script>", **{"Content-Security-Policy": policy})


def bare(request: Request) -> Response:
    _track(request)
    return HTMLResponse("<p>Hello</p>")


def early(request: Request) -> Response:
    return _html(head=f"<script>fetch('/answer?event={request.query_params['event']}')</script>")


def redirect(request: Request) -> Response:
    _track(request)
    return RedirectResponse("/page", 303)


def twice(request: Request) -> Response:
    _track(request)
    return RedirectResponse(f"/redirect?event={request.query_params['event']}B", 302)


def download(request: Request) -> Response:
    _track(request)
    return Response("a,b", headers={"Content-Disposition": "attachment; filename=a.csv"}, media_type="text/csv")


def answer(request: Request) -> Response:
    _track(request)
    return JSONResponse({}, int(request.query_params.get("status", "200")))


def empty(request: Request) -> Response:
    _track(request)
    return Response(None, 204)


def fragment(request: Request) -> Response:
    _track(request)
    return HTMLResponse("<li>One more")


def cached(request: Request) -> Response:
    _track(request)
    return JSONResponse({}, headers={"Cache-Control": "private, max-age=600"})


def form(request: Request) -> Response:
    """Post a form at once, as a bank's page does that returns a visitor."""
    target = request.query_params["to"]
    return _html(f'<form method="post" action="{target}"></form><script>document.forms[0].submit()</script>')


def worker(_request: Request) -> Response:
    code = """onmessage = async message => {
      const answer = await fetch(message.data);
      postMessage(answer.headers.get('TikTok-Events') || '');
    };"""
    return Response(code, media_type="text/javascript")


def counts(_request: Request) -> Response:
    """Return the counters of reasons, and the reasons that the last event's channels name."""
    return JSONResponse({"counts": client.stats()["counts"], "last": last})


ANY = ["GET", "POST"]
app = Secure(
    Starlette(
        routes=[
            Route("/page", page, methods=ANY),
            Route("/shared/{event}", shared),
            Route("/framed", framed),
            Route("/secured", secured),
            Route("/bare", bare),
            Route("/early", early),
            Route("/redirect", redirect, methods=ANY),
            Route("/twice", twice),
            Route("/download", download),
            Route("/answer", answer, methods=ANY),
            Route("/empty", empty, methods=ANY),
            Route("/fragment", fragment),
            Route("/cached", cached),
            Route("/form", form),
            Route("/worker.js", worker),
            Route("/counts", counts),
        ],
        middleware=[
            Middleware(TikTokMiddleware, client=client),
            Middleware(CORSMiddleware, allow_origin_regex=r"https://www\.shop\d+\.example", allow_credentials=True),
        ],
    )
)
