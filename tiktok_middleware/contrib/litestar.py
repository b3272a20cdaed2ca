"""Litestar: ``Litestar(plugins=[TikTokPlugin()])``, then ``request.tiktok`` or a parameter ``tiktok: TikTok``.

``tiktok_from(request)`` returns the same, typed.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import unquote

from litestar import Litestar, Request, asgi, di
from litestar.concurrency import sync_to_thread
from litestar.config.app import AppConfig
from litestar.connection import ASGIConnection
from litestar.di import Provide
from litestar.middleware.base import DefineMiddleware
from litestar.plugins import InitPluginProtocol

from tiktok_middleware.asgi import TikTokMiddleware, flush_at_stop
from tiktok_middleware.attach import attach_to_requests
from tiktok_middleware.client import Client
from tiktok_middleware.core.tracking.current import tracker_of
from tiktok_middleware.core.tracking.tracker import Tracker

__all__ = ["TikTok", "TikTokPlugin", "TikTokRequest", "tiktok_from"]

attach_to_requests()

if TYPE_CHECKING:

    class TikTokRequest(Request[Any, Any, Any]):
        """Annotation for a handler's ``request``, so that ``request.tiktok`` type-checks."""

        tiktok: Tracker

else:
    TikTokRequest = Request


if TYPE_CHECKING:
    #: The tracker as a parameter of a handler: ``async def buy(tiktok: TikTok) -> ...``.
    TikTok = Annotated[Tracker, "the dependency of this name"]
elif hasattr(di, "NamedDependency"):
    TikTok = di.NamedDependency[Tracker]
else:  # before Litestar 2.23
    from litestar.params import Dependency

    TikTok = Annotated[Tracker, Dependency(skip_validation=True)]


def tiktok_from(connection: ASGIConnection[Any, Any, Any, Any]) -> Tracker:
    """Return the tracker of this request.

    Raises:
        LookupError: the plugin is not among the app's plugins.
    """
    return tracker_of(connection.scope)


def _provide_tracker(request: Request[Any, Any, Any]) -> Tracker:
    return tiktok_from(request)


class TikTokPlugin(InitPluginProtocol):
    """Litestar plugin: the middleware around the whole app, and a dependency named ``tiktok``.

    The middleware is put around Litestar's router and exception handling when the app starts, so that pages of
    unknown addresses and of errors are covered. If a server sends no lifespan messages, the first request does it.

    Args:
        options: options that take precedence over the environment, such as ``{"pixel_id": ...}``.
        client: a client to use instead of ``options`` and the environment.
        dependency: name of the dependency; empty for none.

    Raises:
        ConfigError: an option is malformed.
    """

    def __init__(
        self, options: Mapping[str, Any] | None = None, *, client: Client | None = None, dependency: str = "tiktok"
    ) -> None:
        self._options = dict(options or {})
        self._client = client
        self._dependency = dependency

    @property
    def client(self) -> Client:
        """Return the client of this app, for webhooks and jobs; it exists once the app is created.

        Raises:
            LookupError: the plugin has not been given to an app yet.
        """
        if self._client is None:
            raise LookupError("TikTokPlugin has no client yet: pass the plugin to Litestar(plugins=[...]) first")
        return self._client

    def on_app_init(self, app_config: AppConfig) -> AppConfig:
        """Prepare the app; called by Litestar."""
        if self._client is None:
            self._client = Client.from_env(
                secret_keys=_secret_keys(app_config), is_debug=app_config.debug, **self._options
            )
        client = self._client
        if self._dependency:
            provide = Provide(_provide_tracker, sync_to_thread=False)
            app_config.dependencies = {self._dependency: provide, **app_config.dependencies}
        if client.config.is_on:
            app_config.route_handlers = [*app_config.route_handlers, _endpoint(client.config.endpoint)]
        app_config.middleware = [DefineMiddleware(_FirstRequest, client=client), *app_config.middleware]
        app_config.on_startup = [self._wrap_at_start, *app_config.on_startup]
        app_config.on_shutdown = [*app_config.on_shutdown, self._flush]
        return app_config

    async def _wrap_at_start(self, app: Litestar) -> None:
        _wrap(app, self.client)
        self.client.start()

    async def _flush(self) -> None:
        await sync_to_thread(flush_at_stop, self.client)


class _FirstRequest:
    """Wrap the app on its first request if no startup message has come, and handle that request."""

    def __init__(self, app: Any, client: Client) -> None:
        self._app = app
        self._client = client

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if isinstance(scope["app"].asgi_handler, TikTokMiddleware):
            await self._app(scope, receive, send)
            return
        _wrap(scope["app"], self._client)

        async def route(asked: Any, receive: Any, send: Any) -> None:
            await self._app({**asked, "path": scope["path"]}, receive, send)

        # Litestar has removed the mount's path; the middleware needs the whole path.
        raw_path = scope.get("raw_path") or scope["path"].encode()
        whole = {**scope, "path": unquote(raw_path.decode("latin-1").partition("?")[0])}
        await TikTokMiddleware(route, self._client)(whole, receive, send)


def _wrap(app: Litestar, client: Client) -> None:
    if not isinstance(app.asgi_handler, TikTokMiddleware):
        wrapped: Any = TikTokMiddleware(app.asgi_handler, client)
        app.asgi_handler = wrapped


#: Newer Litestar versions expect each ASGI handler to set ``copy_scope``; older versions lack the argument.
_SCOPE: dict[str, Any] = {"copy_scope": True} if "copy_scope" in inspect.signature(asgi).parameters else {}


def _endpoint(path: str) -> Any:
    """Return a route for the middleware's own paths, so that Litestar's router passes them to its middleware."""

    @asgi(path, is_mount=True, opt={"exclude_from_auth": True}, **_SCOPE)
    async def tiktok_endpoint(scope: Any, receive: Any, send: Any) -> None:  # noqa: ARG001
        await send({"type": "http.response.start", "status": 404, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    return tiktok_endpoint


def _secret_keys(app_config: AppConfig) -> list[str]:
    csrf = app_config.csrf_config
    return [csrf.secret] if csrf is not None and csrf.secret else []
