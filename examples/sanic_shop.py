"""The shop on Sanic as an ASGI app: `python examples/sanic_shop.py`, or any ASGI server with `examples.sanic_shop:app`.

TikTok is one line, `TikTokMiddleware(app)`, and `request.ctx.tiktok` in the handlers (typed: `tiktok_from(request)`).
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os
from typing import Any

from sanic import Sanic
from sanic.exceptions import NotFound
from sanic.request import Request
from sanic.response import HTTPResponse

from tiktok_middleware.contrib.sanic import TikTokMiddleware, tiktok_from

if __package__:
    from .shop import views
else:  # started as a file
    from shop import views

shop_app: Any = Sanic("tidewheel")


def handler_of(view: views.View) -> Any:
    async def handler(request: Request, argument: str = "") -> HTTPResponse:
        form = {name: values[0] for name, values in (request.form or {}).items()}
        query = {name: values[0] for name, values in request.args.items()}
        cookies = cookies_of(request)
        visit = views.Visit(tiktok_from(request), cookies, query, form, request.headers.get("accept", ""), argument)
        return response_of(view(visit))

    return handler


def cookies_of(request: Request) -> dict[str, str]:
    return {name: str(request.cookies.get(name)) for name in request.cookies}


def response_of(reply: views.Reply) -> HTTPResponse:
    response = HTTPResponse(reply.body, reply.status, content_type=reply.content_type)
    for name, value in reply.headers[1:]:
        response.headers.add(name, value)
    return response


for method, path, view in [*views.VIEWS, ("GET", "/static/{}", views.static)]:
    route = path.format("<argument:path>" if view is views.static else "<argument:str>")
    shop_app.add_route(handler_of(view), route, methods=[method], name=f"{view.__name__}_{method}")


@shop_app.exception(NotFound)
async def not_found(request: Request, _error: Exception) -> HTTPResponse:
    return response_of(views.not_found(views.Visit(None, cookies_of(request))))


@shop_app.exception(Exception)
async def failed(request: Request, _error: Exception) -> HTTPResponse:
    return response_of(views.failed(views.Visit(None, cookies_of(request))))


app = TikTokMiddleware(shop_app)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
