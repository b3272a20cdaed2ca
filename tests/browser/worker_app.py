"""A small app with a service worker that asks for every page itself, as many shops' do; it decides nothing about them."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route

from tiktok_middleware.contrib.starlette import TikTokMiddleware, tiktok_from

_WORKER = """
const again = {
  same: request => fetch(request),
  anew: request => fetch(request.url, {credentials: 'same-origin'}),
  kept: async request => {
    const answer = await fetch(request), pages = await caches.open('pages');
    await pages.put(request.url, answer.clone());
    return pages.match(request.url);
  },
}[new URL(location).searchParams.get('way')];
addEventListener('install', () => skipWaiting());
addEventListener('activate', event => event.waitUntil(clients.claim()));
addEventListener('fetch', event => {
  if (event.request.mode === 'navigate') event.respondWith(again(event.request));
});
"""


def page(request: Request) -> Response:
    if "event" in request.query_params:
        tiktok_from(request).track(request.query_params["event"], value=5, currency="EUR")
    asked_by = request.headers.get("sec-fetch-dest", "")
    return HTMLResponse(
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Worker</title>'
        f'</head><body data-destination="{asked_by}"><h1>Worker</h1></body></html>'
    )


def worker(_request: Request) -> Response:
    return Response(_WORKER, media_type="text/javascript")


app = Starlette(
    routes=[Route("/", page), Route("/worker.js", worker)],
    middleware=[Middleware(TikTokMiddleware)],
)
