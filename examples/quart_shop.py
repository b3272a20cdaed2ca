"""The shop on Quart: `python examples/quart_shop.py`, or any ASGI server with `examples.quart_shop:app`.

TikTok is one line, `TikTok(app)`, and `request.tiktok` in the views (typed: `tiktok_from(request)`).
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os
from typing import Any

from quart import Quart, Response, request

from tiktok_middleware.contrib.quart import TikTok, tiktok_from

if __package__:
    from .shop import views
else:  # started as a file
    from shop import views

app = Quart("quart_shop", static_folder=None)
TikTok(app)


def handler_of(view: views.View) -> Any:
    async def handler(argument: str = "") -> Response:
        form, accept = await request.form, request.headers.get("Accept", "")
        return response_of(
            view(views.Visit(tiktok_from(request), request.cookies, request.args, form, accept, argument))
        )

    return handler


def response_of(reply: views.Reply) -> Response:
    response = Response(reply.body, reply.status)
    for name, value in reply.headers:
        if name == "Set-Cookie":
            response.headers.add(name, value)
        else:
            response.headers[name] = value
    return response


for method, path, view in [*views.VIEWS, ("GET", "/static/{}", views.static)]:
    rule = path.format("<path:argument>" if view is views.static else "<argument>")
    app.add_url_rule(rule, f"{view.__name__} {method}", handler_of(view), methods=[method])


@app.errorhandler(404)
async def not_found(_error: Exception) -> Response:
    return response_of(views.not_found(views.Visit(None, request.cookies)))


@app.errorhandler(500)
async def failed(_error: Exception) -> Response:
    return response_of(views.failed(views.Visit(None, request.cookies)))


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8000")))
