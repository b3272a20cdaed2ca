"""Pages with forms, links and a router, for events by rules and for route changes; no view tracks anything."""

from __future__ import annotations

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from tiktok_middleware.asgi import TikTokMiddleware

_HEAD = '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>'

_FORMS = f"""{_HEAD}</head><body>
<a id="call" href="tel:+49301234567"><b>Call us</b></a>
<a id="other" href="/forms?next">Next</a>
<form id="lead" action="/forms" onsubmit="event.preventDefault()">
<input id="name" name="matches"><input id="closest" name="closest"><button id="send">Send</button></form>
<form id="leaving" action="/thanks"><button id="go">Go</button></form>
<div id="shadow"></div>
<script>
const root = document.querySelector('#shadow').attachShadow({{mode: 'open'}});
root.innerHTML = '<a id="inner" href="tel:1">Call</a>';
document.querySelector('#call').addEventListener('click', event => event.stopPropagation());
</script></body></html>"""

_HOSTILE = f"""{_HEAD}</head><body>
<form id="tiktok"><input name="todo"><input name="seal"></form><img name="ttq">
<div data-tiktok-on="click" data-tiktok-envelope='["Purchase",{{"value":9}},"","rule.0000000000000000"]' id="fake">x</div>
<div data-tiktok-rules="#fake click Purchase" id="fake2">x</div>
<a id="call" href="tel:1">Call</a></body></html>"""

_SPA = f"""{_HEAD}</head><body><button id="to-a">A</button><button id="to-mail">Mail</button><script>
document.querySelector('#to-a').onclick = () => history.pushState({{}}, '', '/spa/a');
document.querySelector('#to-mail').onclick = () => history.pushState({{}}, '', '/spa/x?email=jane@shop.example');
</script></body></html>"""


def _page(html: str) -> Route:
    async def view(_: Request) -> HTMLResponse:
        return HTMLResponse(html)

    return view  # type: ignore[return-value]  # a view


app = TikTokMiddleware(
    Starlette(
        routes=[
            Route("/forms", _page(_FORMS)),
            Route("/thanks", _page(f"{_HEAD}</head><body>Thanks</body></html>")),
            Route("/hostile", _page(_HOSTILE)),
            Route("/spa", _page(_SPA)),
        ]
    )
)
