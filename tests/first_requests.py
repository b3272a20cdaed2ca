"""The first requests of a process, as a program: it prints what they load on their own thread, as JSON."""

from __future__ import annotations

import gzip
import json
import sys
import threading
from collections.abc import Iterator
from typing import Any

from tiktok_middleware import Client, Config
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

_PAGE = b"<!doctype html><html><head><title>x</title></head><body>hello</body></html>"
#: Audit events of the interpreter for what blocks a thread.
_LOADS = {"import", "open", "sqlite3.connect", "compile", "subprocess.Popen", "socket.connect"}
_PEOPLE = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
_BOT = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)"
_HTML = ("Content-Type", "text/html; charset=utf-8")
_PERSON: dict[str, Any] = {"email": "a@shop.example", "phone": "030 1234567", "first_name": "Zoe", "city": "Köln"}
_ORDER: dict[str, Any] = {"value": "59.90", "currency": "EUR", "contents": [{"content_id": "a", "price": 59.9}]}

#: Path: status, headers and body of the answer.
_ANSWERS: dict[str, tuple[str, list[tuple[str, str]], bytes]] = {
    "/page": ("200 OK", [_HTML], _PAGE),
    "/policy": ("200 OK", [_HTML, ("Content-Security-Policy", "script-src 'self'")], _PAGE),
    "/dated": ("200 OK", [_HTML, ("Expires", "Wed, 21 Oct 2065 07:28:00 GMT"), ("Set-Cookie", "a=b")], _PAGE),
    "/small": ("200 OK", [_HTML, ("Content-Encoding", "gzip")], gzip.compress(_PAGE)),
    "/json": ("200 OK", [("Content-Type", "application/json")], b"{}"),
    "/buy": ("303 See Other", [("Location", "/thanks")], b""),
    "/thanks": ("200 OK", [_HTML], _PAGE),
}
#: Path, query, user agent and cookies of each request.
_REQUESTS = [
    ("/page", "", _PEOPLE, ""),
    ("/page", "ttclid=E.C.P.abcdefgh", _PEOPLE, ""),
    ("/page", "", _BOT, ""),
    ("/policy", "", _PEOPLE, "_tt_consent=g; _ttp=01K0ABCDEFGHJKMNPQRSTVWXYZ"),
    ("/dated", "", _PEOPLE, "_tt_consent=g; _tt_said=g.1760000000000"),
    ("/small", "", _PEOPLE, ""),
    ("/_tiktok/pixel.js", "", _PEOPLE, ""),
    ("/json", "", _PEOPLE, "usprivacy=1YYN"),
    ("/buy", "", _PEOPLE, ""),
    ("/thanks", "", _PEOPLE, "_tt_consent=d"),
    ("/thanks", "", _PEOPLE, ""),
]


def _view(raw: Any, path: str) -> tuple[str, list[tuple[str, str]], bytes]:
    if path in {"/buy", "/thanks"}:
        raw[KEY].identify(**_PERSON)
        raw[KEY].track("Purchase", order_id="A-1001", **_ORDER)
    return _ANSWERS.get(path, ("404 Not Found", [], b""))


def _environ(path: str, query: str, agent: str, cookies: str) -> dict[str, Any]:
    made = {"REQUEST_METHOD": "GET", "SCRIPT_NAME": "", "PATH_INFO": path, "QUERY_STRING": query}
    made |= {"SERVER_NAME": "shop.example.co.uk", "SERVER_PORT": "443", "wsgi.url_scheme": "https"}
    made |= {"HTTP_HOST": "shop.example.co.uk", "HTTP_USER_AGENT": agent, "HTTP_ACCEPT": "text/html"}
    made |= {"HTTP_SEC_FETCH_MODE": "navigate", "HTTP_SEC_FETCH_DEST": "document", "REMOTE_ADDR": "203.0.113.7"}
    return {**made, "HTTP_COOKIE": cookies} if cookies else made


def _through_wsgi(client: Client) -> Iterator[str]:
    def app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        status, headers, body = _view(environ, environ["PATH_INFO"])
        start_response(status, list(headers))
        return [body]

    wrapped = WsgiMiddleware(app, client)
    yield "start"
    for request in _REQUESTS:
        b"".join(wrapped(_environ(*request), lambda *_: lambda _: None))
        yield request[0]


def _through_asgi(client: Client) -> Iterator[str]:
    async def app(scope: Any, _: Any, send: Any) -> None:
        status, headers, body = _view(scope, scope["path"])
        pairs = [(name.lower().encode(), value.encode()) for name, value in headers]
        await send({"type": "http.response.start", "status": int(status[:3]), "headers": pairs})
        await send({"type": "http.response.body", "body": body})

    async def nothing(*_: Any) -> Any:
        return None

    import asyncio

    wrapped = AsgiMiddleware(app, client)
    loop = asyncio.new_event_loop()
    yield "start"
    for path, query, agent, cookies in _REQUESTS:
        headers = {"host": "shop.example.co.uk", "user-agent": agent, "accept": "text/html"}
        headers |= {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "cookie": cookies}
        scope = {"type": "http", "method": "GET", "scheme": "https", "path": path, "query_string": query.encode()}
        scope |= {"root_path": "", "client": ("203.0.113.7", 50_000), "server": ("127.0.0.1", 8000)}
        pairs = [(name.encode(), value.encode()) for name, value in headers.items() if value]
        loop.run_until_complete(wrapped({**scope, "headers": pairs}, nothing, nothing))
        yield path
    loop.close()


def loaded_by(adapter: str, options: dict[str, Any]) -> list[str]:
    """Return what the first requests load on their own thread: kind, name, and path of the request.

    Args:
        adapter: ``asgi`` or ``wsgi``.
        options: options of the client.
    """
    client = Client(
        Config(
            pixel_id="C0000000000000000000",
            access_token="t",
            secret_key="0123456789abcdef" * 2,
            phone_region="DE",
            api_url="http://127.0.0.1:9/open_api/v1.3",
            **options,
        )
    )
    through = {"asgi": _through_asgi, "wsgi": _through_wsgi}[adapter]
    loads: list[str] = []
    paths: list[str] = []
    here, watching = threading.get_ident(), [True]  # a hook cannot be removed

    def watch(event: str, args: tuple[Any, ...]) -> None:
        if paths and watching and event in _LOADS and threading.get_ident() == here:
            loads.append(f"{event} {args[0]!r} after {paths}")

    sys.addaudithook(watch)
    for path in through(client):
        paths.append(path)  # noqa: PERF402  # the hook reads it meanwhile
    watching.clear()
    client.close(0)
    return loads


if __name__ == "__main__":
    print(json.dumps(loaded_by(sys.argv[1], json.loads(sys.argv[2]))))
