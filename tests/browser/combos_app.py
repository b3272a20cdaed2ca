"""Pages that hold a pixel of their own, or Tag Manager, beside ours; the query says which.

``own``: where the page's own base code stands (``before``, ``after``, ``late``) and for which pixel it is.
``manager``: ``container`` or ``template``, how the stand-in for Tag Manager handles events; ``at``: where it is loaded.
``code``: a script at the beginning of the body. ``shared``: whether a shared cache may keep the page. ``layer``: what the page does to its ``dataLayer``.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from tiktok_middleware.asgi import TikTokMiddleware

ROOT = Path(__file__).parents[2]
PIXEL, URL = os.environ["TIKTOK_PIXEL_ID"], os.environ["TIKTOK_PIXEL_URL"]
OTHER = "C9999999999999999999"
ITEM = {"content_id": "A", "content_name": "Mug", "price": 15, "quantity": 2, "content_type": "product"}

# The page's own tag respects a refusal, as a site's consent platform makes it do, and waits for a choice where one is needed.
_OWN = """<script>if (!/_tt_consent=d/.test(document.cookie) && (IMPLIED || /_tt_consent=g/.test(document.cookie))) (function (w, d) {
var q = w.ttq = w.ttq || [];
w.TiktokAnalyticsObject = 'ttq';
q.methods = 'page track identify instances debug on off once ready alias group enableCookie disableCookie holdConsent revokeConsent grantConsent'.split(' ');
q.setAndDefer = function (target, name) { target[name] = function () { target.push([name].concat([].slice.call(arguments))); }; };
q.methods.forEach(function (name) { q.setAndDefer(q, name); });
q.instance = function (id) { var one = q._i[id] || []; q.methods.forEach(function (name) { q.setAndDefer(one, name); }); return one; };
q.load = function (id) {
  q._i = q._i || {}; q._i[id] = []; q._i[id]._u = URL; q._t = q._t || {}; q._t[id] = +new Date(); q._o = q._o || {}; q._o[id] = {};
  var s = d.createElement('script'); s.async = true; s.src = URL + '?sdkid=' + id + '&lib=ttq';
  var first = d.getElementsByTagName('script')[0]; first.parentNode.insertBefore(s, first);
};
q.load('PIXEL');
q.page();
})(window, document);</script>"""

_LAYERS = {
    "": "",
    "replaced": "<script>window.dataLayer = [];</script>",
    "frozen": "<script>window.dataLayer = Object.freeze([]);</script>",
    "number": "<script>window.dataLayer = 5;</script>",
    "used": "<script>dataLayer = [{user_data: {email_address: 'x'}, ecommerce: {value: 1, items: [{item_id: 'own'}]}}];</script>",
}


def own_code(pixel: str, *, is_implied: bool = True) -> str:
    """Return the page's own base code.

    Args:
        pixel: the pixel that it loads.
        is_implied: whether it runs without a choice of the visitor's.
    """
    return _OWN.replace("IMPLIED", str(is_implied).lower()).replace("URL", json.dumps(URL)).replace("PIXEL", pixel)


def own_script(code: str) -> str:
    """Return the text of the base code's script element."""
    return code.removeprefix("<script>").removesuffix("</script>")


async def page(request: Request) -> Response:
    return document(request, is_implied=os.environ.get("TIKTOK_CONSENT") != "required")


def document(request: Request, *, is_implied: bool) -> Response:
    """Return the page that the query asks for, and track one event in it."""
    query = request.query_params
    own, kind, at = query.get("own", ""), query.get("manager", ""), query.get("at", "before")
    code = own_code(OTHER if own.endswith("other") else PIXEL, is_implied=is_implied) if own else ""
    tags = f'<script src="/manager.js?{kind}"></script>' if kind else ""
    before = _LAYERS[query.get("layer", "")] if query.get("layer") != "replaced" else ""
    before += (code if own.startswith("before") else "") + (tags if at == "before" else "")
    after = _LAYERS["replaced"] if query.get("layer") == "replaced" else ""
    after += (code if own.startswith("after") else "") + (tags if at == "after" else "")
    after += f"<script>{query.get('code', '')}</script>"
    if own == "late":  # as a tag manager brings it, after the page is complete
        after += f"<script>addEventListener('load', () => setTimeout(() => {{ {own_script(code)} window.cameLate = 1; }}, 300));</script>"
    request.scope["tiktok_middleware.tracker"].track("AddToCart", contents=[ITEM], value=30, currency="EUR")
    if query.get("shared") != "1":
        request.scope["tiktok_middleware.tracker"].identify(email="jane@shop.example", external_id="7")
    head = '<meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>'
    html = f"<!doctype html><html lang=en><head>{head}{before}</head><body>{after}<h1>Shop</h1></body></html>"
    cached = {"cache-control": "public, max-age=600"} if query.get("shared") == "1" else {}
    return HTMLResponse(html, headers=cached)


async def manager_file(request: Request) -> Response:
    container = json.loads((ROOT / "docs" / "gtm-container.json").read_text())["containerVersion"]
    settings = {"template": request.url.query == "template", "constants": {"TikTok - script address": URL}}
    code = (ROOT / "tests" / "browser" / "tag_manager.js").read_text()
    text = f"(() => {{ const container = {json.dumps(container)}, settings = {json.dumps(settings)};\n{code} }})();"
    return Response(text, media_type="text/javascript")


async def own_file(_: Request) -> Response:
    return Response(own_script(own_code(PIXEL)), media_type="text/javascript")


async def order(request: Request) -> Response:
    request.scope["tiktok_middleware.tracker"].track(
        "Purchase", order_id="77", contents=[ITEM], value=30, currency="EUR"
    )
    return RedirectResponse(f"/page?{request.url.query}", 303)


async def answer(request: Request) -> Response:
    request.scope["tiktok_middleware.tracker"].track("Search", search_string="mug")
    return JSONResponse({})


app = TikTokMiddleware(
    Starlette(
        routes=[
            Route("/page", page),
            Route("/manager.js", manager_file),
            Route("/order", order),
            Route("/answer", answer),
            Route("/own", own_file),
        ]
    )
)
