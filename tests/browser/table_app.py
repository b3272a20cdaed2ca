"""The pages of `combos_app` below one path for each configuration, in one process; a page's path names its combination."""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from tests.browser import combos_app
from tiktok_middleware import Client, Config
from tiktok_middleware.asgi import TikTokMiddleware

#: Options of each configuration, by the first part of the path.
SNIPPETS = {
    "pixel": {},
    "matched": {"TIKTOK_PAGE_VIEW": "matched"},
    "adopt": {"TIKTOK_SNIPPET": "adopt"},
    "gtm": {"TIKTOK_SNIPPET": "gtm"},
}
CONSENTS = ("implied", "required")


async def page(request: Request) -> Response:
    return combos_app.document(request, is_implied="-implied/" in request.url.path)


async def answer(request: Request) -> Response:
    request.scope["tiktok_middleware.tracker"].track("Search", search_string="mug")
    return JSONResponse({})


def _mounted(name: str, consent: str) -> Mount:
    options = {**SNIPPETS[name], "TIKTOK_CONSENT": consent, "TIKTOK_OUTBOX": "memory://"}
    client = Client(Config.from_env({**os.environ, **options}))
    inner = Starlette(routes=[Route("/page/{name}", page), Route("/answer", answer)])
    return Mount(f"/{name}-{consent}", TikTokMiddleware(inner, client=client))


app = Starlette(
    routes=[
        Route("/manager.js", combos_app.manager_file),
        *(_mounted(name, consent) for name in SNIPPETS for consent in CONSENTS),
    ]
)
