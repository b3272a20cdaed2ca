"""The shop on Bottle: `python examples/bottle_shop.py`, or any WSGI server with `examples.bottle_shop:app`.

TikTok is one line, `TikTokMiddleware(app)`, and `request.tiktok` in the views (typed: `tiktok_from(request)`).
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os
from typing import Any

from bottle import Bottle, HTTPResponse, request, response

from tiktok_middleware.contrib.bottle import TikTokMiddleware, tiktok_from

if __package__:
    from .shop import views
else:  # started as a file
    from shop import views

shop_app = Bottle()


def handler_of(view: views.View) -> Any:
    def handler(argument: str = "") -> HTTPResponse:
        accept = request.get_header("Accept", "")
        visit = views.Visit(tiktok_from(request), request.cookies, request.query, request.forms, accept, argument)
        reply = view(visit)
        answer = HTTPResponse(reply.body, reply.status)
        for name, value in reply.headers:
            answer.add_header(name, value)
        return answer

    return handler


for method, path, view in [*views.VIEWS, ("GET", "/static/{}", views.static)]:
    shop_app.route(path.format("<argument:path>" if view is views.static else "<argument>"), method, handler_of(view))


def error_page(view: views.View) -> Any:
    def handler(_error: Any) -> bytes:
        response.content_type = views.HTML
        return view(views.Visit(None, request.cookies)).body

    return handler


shop_app.error(404)(error_page(views.not_found))
shop_app.error(500)(error_page(views.failed))
app = TikTokMiddleware(shop_app)

if __name__ == "__main__":
    from wsgiref.simple_server import make_server

    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), app).serve_forever()
