"""The shop on Falcon: `python examples/falcon_shop.py`, or any WSGI server with `examples.falcon_shop:app`.

TikTok is one line, `TikTokMiddleware(app)`, and `req.context.tiktok` in the resources (typed: `tiktok_from(req)`).
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os
from typing import Any

import falcon

from tiktok_middleware.contrib.falcon import TikTokMiddleware

if __package__:
    from .shop import views
else:  # started as a file
    from shop import views


class Resource:
    """Views of one path, by HTTP method."""

    def __init__(self) -> None:
        self.by_method: dict[str, views.View] = {}

    def on_get(self, req: falcon.Request, resp: falcon.Response, argument: str = "") -> None:
        form = req.get_media(default_when_empty={}) if req.method == "POST" else {}
        visit = views.Visit(req.context.tiktok, req.cookies, req.params, form, req.accept, argument)
        answer(resp, self.by_method[req.method](visit))

    on_post = on_get


def answer(resp: falcon.Response, reply: views.Reply) -> None:
    resp.status, resp.data = falcon.code_to_http_status(reply.status), reply.body
    for name, value in reply.headers:
        if name == "Set-Cookie":
            resp.append_header(name, value)
        else:
            resp.set_header(name, value)


def not_found(req: falcon.Request, resp: falcon.Response, _error: Any, _params: Any) -> None:
    answer(resp, views.not_found(views.Visit(None, req.cookies)))


def failed(req: falcon.Request, resp: falcon.Response, _error: Any, _params: Any) -> None:
    answer(resp, views.failed(views.Visit(None, req.cookies)))


class Static:
    def on_get(self, req: falcon.Request, resp: falcon.Response, argument: str) -> None:
        answer(resp, views.static(views.Visit(None, req.cookies, argument=argument)))


falcon_app = falcon.App()
resources: dict[str, Resource] = {}
for method, path, view in views.VIEWS:
    resources.setdefault(path, Resource()).by_method[method] = view
for path, resource in resources.items():
    falcon_app.add_route(path.format("{argument}"), resource)
falcon_app.add_route("/static/{argument:path}", Static())
falcon_app.add_error_handler(Exception, failed)
falcon_app.add_error_handler(falcon.HTTPNotFound, not_found)
app = TikTokMiddleware(falcon_app)

if __name__ == "__main__":
    from wsgiref.simple_server import make_server

    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), app).serve_forever()
