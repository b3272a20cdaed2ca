"""What the servers run: one framework's app, also below the path prefix ``/prefix`` as a proxy would mount it.

``ACCEPTANCE_FRAMEWORK`` names the module of ``tests.frameworks.apps``. With ``ACCEPTANCE_WRAP=plain`` the app is wrapped
by the adapter of ``tiktok_middleware.asgi`` or ``wsgi``, with another middleware in between, and no contrib module is
imported by anything but the app's own ``/typed`` view.
"""

from __future__ import annotations

import importlib
import os
from typing import Any

from tests.frameworks.scenes import is_plain

__all__ = ["app"]

PREFIX = "/prefix"


class AsgiPrefix:
    """Sets ``root_path`` as servers do.

    Args:
        inner: the app.
        keeps_path: whether the path keeps the prefix, as ASGI has it since 2024; some frameworks still expect it to
            be cut off, and so do servers of their time.
    """

    def __init__(self, inner: Any, *, keeps_path: bool) -> None:
        self._inner = inner
        self._keeps_path = keeps_path

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope.get("path", "").startswith(PREFIX + "/"):
            scope = {**scope, "root_path": scope.get("root_path", "") + PREFIX}
            if not self._keeps_path:
                scope["path"] = scope["path"][len(PREFIX) :]
                scope["raw_path"] = scope["path"].encode()
        await self._inner(scope, receive, send)


class WsgiPrefix:
    """Moves the prefix from ``PATH_INFO`` to ``SCRIPT_NAME``."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __call__(self, environ: Any, start_response: Any) -> Any:
        path = environ.get("PATH_INFO", "")
        if path.startswith(PREFIX + "/"):
            environ["SCRIPT_NAME"] = environ.get("SCRIPT_NAME", "") + PREFIX
            environ["PATH_INFO"] = path[len(PREFIX) :]
        return self._inner(environ, start_response)


class AsgiNeighbour:
    """Middleware of somebody else, which adds a header."""

    def __init__(self, app: Any) -> None:
        self.app = app

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        async def marked(message: Any) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), (b"x-neighbour", b"1")]}
            await send(message)

        await self.app(scope, receive, marked)


class WsgiNeighbour:
    def __init__(self, app: Any) -> None:
        self.app = app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        def marked(status: str, headers: Any, *exc_info: Any) -> Any:
            return start_response(status, [*headers, ("X-Neighbour", "1")], *exc_info)

        return self.app(environ, marked)


def _build() -> Any:
    made = importlib.import_module(f"tests.frameworks.apps.{os.environ['ACCEPTANCE_FRAMEWORK']}")
    is_asgi = made.PROTOCOL == "asgi"
    if not is_plain():
        whole = made.wrapped()
    elif is_asgi:
        from tiktok_middleware.asgi import TikTokMiddleware

        whole = TikTokMiddleware(AsgiNeighbour(made.bare()))
    else:
        from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

        whole = WsgiMiddleware(WsgiNeighbour(made.bare()))
    return AsgiPrefix(whole, keeps_path=getattr(made, "KEEPS_ROOT_PATH", True)) if is_asgi else WsgiPrefix(whole)


app = _build()
