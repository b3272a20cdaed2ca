"""The shop on Litestar: `python examples/litestar_shop.py`, or any ASGI server with `examples.litestar_shop:app`.

TikTok is one line, `plugins=[TikTokPlugin()]`, and a parameter `tiktok: TikTok` (or `request.tiktok`) in the handlers.
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os
from typing import Any

from litestar import Litestar, Request, Response, get, route

from tiktok_middleware.contrib.litestar import TikTok, TikTokPlugin

if __package__:
    from .shop import views
else:  # started as a file
    from shop import views


def handler_of(method: str, path: str, view: views.View) -> Any:
    @route(path.format("{argument:str}"), http_method=method, name=view.__name__)  # type: ignore[arg-type]
    async def handler(request: Request[Any, Any, Any], tiktok: TikTok) -> Response[bytes]:
        form = await request.form() if method == "POST" else {}
        visit = views.Visit(
            tiktok, request.cookies, request.query_params, form, request.headers.get("accept", ""),
            request.path_params.get("argument", ""),
        )  # fmt: skip
        return response_of(view(visit))

    return handler


def response_of(reply: views.Reply) -> Response[bytes]:
    headers = dict(reply.headers[1:])  # each name once
    return Response(reply.body, status_code=reply.status, media_type=reply.content_type, headers=headers)


@get("/static/{name:path}", sync_to_thread=False)
def static(request: Request[Any, Any, Any], tiktok: TikTok, name: str) -> Response[bytes]:
    return response_of(views.static(views.Visit(tiktok, request.cookies, argument=name.lstrip("/"))))


def not_found(request: Request[Any, Any, Any], _error: Exception) -> Response[bytes]:
    return response_of(views.not_found(views.Visit(None, request.cookies)))


def failed(request: Request[Any, Any, Any], _error: Exception) -> Response[bytes]:
    return response_of(views.failed(views.Visit(None, request.cookies)))


app = Litestar(
    [*(handler_of(*view) for view in views.VIEWS), static],
    plugins=[TikTokPlugin()],
    exception_handlers={404: not_found, 500: failed},
    openapi_config=None,
)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
