"""A pytest plugin: every app that Starlette's own tests hand to a client runs inside our ASGI door."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette import testclient

from tiktok_middleware.asgi import TikTokMiddleware

from . import setting
from .judge import Judge

Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


class Wrapped:
    """An app inside the middleware; what its client sees is the app's own answer, after it was compared."""

    def __init__(self, app: Any) -> None:
        self._app = app

    async def __call__(self, scope: Message, receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            await TikTokMiddleware(self._app, setting.client())(scope, receive, send)
            return
        judge = Judge(setting.LEDGER, is_head=scope["method"] == "HEAD", is_busy=setting.IS_BUSY)
        ends = _Ends(judge, send)

        async def app(scope: Message, receive: Any, send: Send) -> None:
            setting.track(scope)

            async def record(message: Message) -> None:
                await send(ends.app_message(message))

            await self._app(scope, receive, record)

        is_whole = False
        try:
            await TikTokMiddleware(app, setting.client())(scope, receive, ends.send)
            is_whole = True
        finally:
            judge.ended(is_whole=is_whole and ends.is_whole)


class _Ends:
    """What the app says and what comes out, message by message."""

    def __init__(self, judge: Judge, send: Send) -> None:
        self._judge = judge
        self._send = send
        self._headers: Any = None
        self.is_whole = False

    def app_message(self, message: Message) -> Message:
        kind = message["type"]
        if kind == "http.response.start":
            self._headers = message.get("headers", ())
            if not isinstance(self._headers, (list, tuple)):
                self._headers = list(self._headers)
            sent = self._judge.app_started(message["status"], _text(self._headers))
            return {**message, "headers": [(name.encode("latin-1"), value.encode("latin-1")) for name, value in sent]}
        if kind == "http.response.body":
            self.is_whole = not message.get("more_body", False)
            return {**message, "body": self._judge.app_sent(bytes(message.get("body", b"")))}
        return message

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind == "http.response.start":
            self._judge.ours_started(_text(message.get("headers", ())))
            message = {**message, "headers": self._headers}
        elif kind == "http.response.body":
            last = not message.get("more_body", False)
            message = {**message, "body": self._judge.ours_sent(bytes(message.get("body", b"")), last=last)}
        elif kind == "http.response.pathsend":
            self._judge.is_unseen = True
        await self._send(message)


def _text(headers: Any) -> list[tuple[str, str]]:
    return [(bytes(name).decode("latin-1"), bytes(value).decode("latin-1")) for name, value in headers]


def _wrap_argument(kind: Any) -> None:
    original = kind.__init__

    def init(self: Any, app: Any, *args: Any, **kwargs: Any) -> None:
        original(self, Wrapped(app), *args, **kwargs)

    kind.__init__ = init


def pytest_configure() -> None:
    setting.client()  # its files are read before any event loop runs
    _wrap_argument(testclient._TestClientTransport)
    _wrap_argument(testclient.httpx.ASGITransport)  # type: ignore[attr-defined]  # httpx2, which the suite brings


def pytest_sessionfinish() -> None:
    setting.close()
