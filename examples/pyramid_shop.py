"""The shop on Pyramid: `python examples/pyramid_shop.py`, or any WSGI server with `examples.pyramid_shop:app`.

TikTok is two lines, `config.include(...)` and `TikTokMiddleware(...)`, and `request.tiktok` in the views.
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os
from typing import Any

from pyramid.config import Configurator
from pyramid.response import Response

from tiktok_middleware.contrib.pyramid import TikTokMiddleware

if __package__:
    from .shop import views
else:  # started as a file
    from shop import views


def view_of(view: views.View) -> Any:
    def pyramid_view(request: Any) -> Response:
        argument = request.matchdict.get("argument", "")
        argument = "/".join(argument) if isinstance(argument, tuple) else argument
        visit = views.Visit(
            request.tiktok, request.cookies, request.GET, request.POST, request.headers.get("Accept", ""), argument
        )
        return response_of(view(visit))

    return pyramid_view


def response_of(reply: views.Reply) -> Response:
    return Response(body=reply.body, status=reply.status, headerlist=reply.headers)


config = Configurator()
config.include("tiktok_middleware.contrib.pyramid")
for method, path, view in [*views.VIEWS, ("GET", "/static/{}", views.static)]:
    name = f"{method} {path}"
    pattern = path.format("*argument") if view is views.static else path.format("{argument}")
    config.add_route(name, pattern, request_method=method)
    config.add_view(view_of(view), route_name=name)
config.add_notfound_view(lambda request: response_of(views.not_found(views.Visit(None, request.cookies))))
config.add_exception_view(
    lambda request: response_of(views.failed(views.Visit(None, request.cookies))), context=Exception
)
app = TikTokMiddleware(config.make_wsgi_app())

if __name__ == "__main__":
    from wsgiref.simple_server import make_server

    make_server("127.0.0.1", int(os.environ.get("PORT", "8000")), app).serve_forever()
