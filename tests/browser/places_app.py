"""Pages whose charset or base address only their markup tells, with the middleware and without."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tiktok_middleware.asgi import TikTokMiddleware

BODY = "<body>Schöne Grüße für 59,90 €</body></html>"
META = '<meta charset="utf-8">'
EQUIV = '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">'
TITLE = "<title>Größe</title>"
START = "<!doctype html><html><head>"

#: By name: all of them are UTF-8.
PAGES = {
    "plain": f"{START}{META}{TITLE}</head>{BODY}",
    "body-tag-first": f"{START}<div hidden></div>{META}{TITLE}</head>{BODY}",
    "http-equiv": f"{START}<img src=x>{EQUIV}{TITLE}</head>{BODY}",
    "no-head-tag": f"<!doctype html>{TITLE}<body>{META}<p>ü",
    "behind-the-head": f"{START}{TITLE}</head>{META}{BODY}",
    "in-a-comment-too": f"{START}<p><!-- {META} -->{META}{TITLE}</head>{BODY}",
    "in-a-table": f"{START}{TITLE}</head><body><table><tr>{META}<td>ü</table>",
    "in-svg": f"{START}{TITLE}</head><body><svg><desc></desc></svg><svg>{META}</svg>ü",
    "late": f"{START}{TITLE}</head><body><p>" + "x" * 990 + f"{META}ü",
}
TAG = '<base href="http://other.tidewheel.example/">'
ADDED = "let base = document.createElement('base'); base.href = 'http://other.tidewheel.example/';document.head.prepend(base)"
#: By the place of the base address.
BASES = {
    "head": f"{START}{META}{TAG}{TITLE}</head><body>b</body></html>",
    "body": f"{START}{META}{TITLE}</head><body>{TAG}b</body></html>",
    "written": f"{START}{META}{TITLE}</head><body><script>document.write('{TAG}')</script>b</body></html>",
    "added": f"{START}{META}{TITLE}</head><body><script>{ADDED}</script>b</body></html>",
}


async def page(request: Request) -> Response:
    return Response(PAGES[request.path_params["name"]].encode(), headers={"content-type": "text/html"})


async def base(request: Request) -> Response:
    return Response(BASES[request.path_params["name"]].encode(), headers={"content-type": "text/html; charset=utf-8"})


bare = Starlette(routes=[Route("/page/{name}", page), Route("/base/{name}", base)])
app = TikTokMiddleware(bare)
