"""The client of an app whose configuration is in the style of Flask, which Quart shares."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Mapping
from typing import Any, ClassVar, Generic, NamedTuple, Protocol, TypeVar

from werkzeug.local import LocalProxy

from tiktok_middleware._printable import own_logger
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.errors import ConfigError, OptionError

__all__ = ["AppClient", "Extension"]

log = own_logger("tiktok_middleware")


class ConfiguredApp(Protocol):
    """An app of Flask or Quart."""

    config: Any
    debug: bool
    extensions: dict[str, Any]


_App = TypeVar("_App", bound=ConfiguredApp)


class AppClient:
    """The client of an app: made at once, and again if the configuration changes before the first request.

    Many apps load their configuration after their extensions, or set debug mode in ``app.run()``.

    Args:
        app: the app. ``config["TIKTOK"]`` has options that take precedence over the environment. ``SECRET_KEY`` and
            ``SECRET_KEY_FALLBACKS`` sign if ``TIKTOK_SECRET_KEY`` is not set. Debug mode makes the middleware strict.
        given: a client to use instead; it never changes.

    Raises:
        ConfigError: an option is malformed.
    """

    def __init__(self, app: ConfiguredApp, given: Client | None) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._is_settled = given is not None
        self._read = _settings(app) if given is None else None
        self._client: Client = given or _made(_settings(app))

    def current(self) -> Client:
        """Return the client of the app's configuration as it is now; after the first request, as it was then."""
        if not self._is_settled:
            with self._lock:
                self._refresh()
        return self._client

    def settled(self) -> Client:
        """Return the client that serves requests; the configuration changes it no more."""
        if not self._is_settled:
            with self._lock:  # requests that begin together wait for one client
                self._refresh()
                self._is_settled = True
        return self._client

    def _refresh(self) -> None:
        """Make the client again if the configuration has changed; one that is off if it cannot be made.

        The earlier client stays open: a job may hold it, and it sends what it was given.
        """
        if self._is_settled:
            return
        try:
            found = _settings(self._app)
            if found == self._read:
                return
            self._read, self._client = found, _made(found)
        except Exception as error:  # noqa: BLE001  # a request must not fail
            text = "responses pass untouched: app.config has changed after TikTok(app), and is malformed: %s"
            log.error(text, error)  # noqa: TRY400  # the operator needs the reason, and no traceback
            self._client = Client(Config(enabled=False))
            self._is_settled = True


class Extension(Generic[_App]):
    """What the extensions of Flask and Quart share.

    The app's configuration is read at once, and again at the first request if it has changed. A malformed one raises
    at once; one that comes later leaves all responses alone, and one ERROR says so.

    Args:
        app: the app; None to call :meth:`init_app` later.
        client: a client to use instead of the app's configuration.
    """

    _attribute: ClassVar[str]
    """Name of the app's attribute that servers call."""
    _middleware: ClassVar[type[Any]]
    """Class of the middleware, which takes what servers call and the app's client."""

    def __init__(self, app: _App | None = None, client: Client | None = None) -> None:
        self.client = client
        if app is not None:
            self.init_app(app)

    def init_app(self, app: _App) -> None:
        """Put the middleware around the app.

        Raises:
            ConfigError: an option is malformed.
        """
        made = AppClient(app, self.client)
        app.extensions["tiktok"] = LocalProxy(made.current)
        setattr(app, self._attribute, self._middleware(getattr(app, self._attribute), made))


class _Settings(NamedTuple):
    """What the client is made from."""

    options: dict[str, Any]
    keys: tuple[str, ...]
    is_debug: bool


def _settings(app: ConfiguredApp) -> _Settings:
    config = app.config
    given = config.get("TIKTOK") or {}
    if not isinstance(given, Mapping) or not all(isinstance(name, str) for name in given):
        raise ConfigError('app.config["TIKTOK"]', type(given).__name__, "a dict of option names and values")
    keys = [config.get("SECRET_KEY"), *(config.get("SECRET_KEY_FALLBACKS") or ())]
    texts = tuple(key.decode("latin-1") if isinstance(key, bytes) else str(key) for key in keys if key)
    return _Settings(dict(given), texts, bool(app.debug))


def _made(settings: _Settings) -> Client:
    for name in {"environ", "secret_keys", "is_debug"}.intersection(settings.options):
        raise OptionError(name, [option.name for option in dataclasses.fields(Config)])
    return Client.from_env(secret_keys=settings.keys, is_debug=settings.is_debug, **settings.options)
