"""The shop on BlackSheep: `python examples/blacksheep_shop.py`, or any ASGI server with `examples.blacksheep_shop:app`.

TikTok is one line, `TikTokMiddleware(app)`, and `request.tiktok` in the handlers (typed: `tiktok_from(request)`).
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os
from typing import Any

from blacksheep import Application, Content, Request, Response
from blacksheep.exceptions import NotFound

from tiktok_middleware.contrib.blacksheep import TikTokMiddleware, tiktok_from

if __package__:
    from .shop import views
else:  # started as a file
    from shop import views

shop_app = Application()


def handler_of(view: views.View) -> Any:
    async def handler(request: Request) -> Response:
        form = await request.form() if request.method == "POST" else {}
        query = {name: values[0] for name, values in request.query.items()}
        accept = (request.get_first_header(b"accept") or b"").decode()
        argument = (request.route_values or {}).get("argument", "")
        return response_of(
            view(views.Visit(tiktok_from(request), request.cookies, query, form or {}, accept, argument))
        )

    handler.__annotations__ = {"request": Request, "return": Response}
    return handler


def response_of(reply: views.Reply) -> Response:
    headers = [(name.encode(), value.encode()) for name, value in reply.headers[1:]]
    return Response(reply.status, headers, Content(reply.content_type.encode(), reply.body))


for method, path, view in [*views.VIEWS, ("GET", "/static/{}", views.static)]:
    rule = path.format("{path:argument}" if view is views.static else "{argument}")
    shop_app.router.add(method, rule, handler_of(view))


async def not_found(_app: Application, request: Request, _error: Exception) -> Response:
    return response_of(views.not_found(views.Visit(None, request.cookies)))


async def failed(_app: Application, request: Request, _error: Exception) -> Response:
    return response_of(views.failed(views.Visit(None, request.cookies)))


shop_app.exceptions_handlers[404] = not_found
shop_app.exceptions_handlers[NotFound] = not_found
shop_app.exceptions_handlers[Exception] = failed
app = TikTokMiddleware(shop_app)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
