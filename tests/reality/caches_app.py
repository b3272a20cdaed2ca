"""An app whose pages say nothing about caches, and one whose pages are public."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tiktok_middleware.asgi import TikTokMiddleware

PAGE = "<!doctype html><html><head><title>Shop</title></head><body>hello</body></html>"


async def silent(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE)


async def public(request: Request) -> HTMLResponse:
    return HTMLResponse(PAGE, headers={"Cache-Control": "public, max-age=60"})


async def ordered(request: Request) -> HTMLResponse:
    request.scope["tiktok_middleware.tracker"].track("Download", {"description": "terms"})
    return HTMLResponse("dropped", headers={"X-Accel-Redirect": "/protected/terms.html"})


routes = [Route("/silent/{n}", silent), Route("/public/{n}", public), Route("/ordered", ordered)]
app = TikTokMiddleware(Starlette(routes=routes))
