"""The client of an app whose configuration is in the style of Flask, which Quart shares."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from tiktok_middleware._printable import own_logger
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["AppClient"]

log = own_logger("tiktok_middleware")


class ConfiguredApp(Protocol):
    """An app of Flask or Quart."""

    config: Any
    debug: bool


class AppClient:
    """The client of an app: made at once, and again at the first request if the app's configuration has changed.

    Many apps load their configuration after their extensions, or set debug mode in ``app.run()``.

    Attributes:
        client: the client that is in use.
        is_settled: whether the configuration can change no more.

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
        self.is_settled = given is not None
        self._read = _settings(app)
        self.client: Client = given if given is not None else _made(self._read)

    def settle(self, use: Callable[[Client], None]) -> None:
        """Read the app's configuration again, at its first request.

        Args:
            use: takes the new client, if the configuration has changed.
        """
        with self._lock:
            if self.is_settled:
                return
            self.is_settled = True
            found = _settings(self._app)
            if found == self._read:
                return
            early, self.client = self.client, _late(found)
            use(self.client)
        early.close(0)


class _Settings(NamedTuple):
    """What the client is made from."""

    options: dict[str, Any]
    keys: tuple[str, ...]
    is_debug: bool


def _settings(app: ConfiguredApp) -> _Settings:
    config = app.config
    keys = [config.get("SECRET_KEY"), *(config.get("SECRET_KEY_FALLBACKS") or ())]
    texts = tuple(key.decode("latin-1") if isinstance(key, bytes) else str(key) for key in keys if key)
    return _Settings(dict(config.get("TIKTOK") or {}), texts, bool(app.debug))


def _made(settings: _Settings) -> Client:
    return Client.from_env(secret_keys=settings.keys, is_debug=settings.is_debug, **settings.options)


def _late(settings: _Settings) -> Client:
    """Return the client of late settings: one that is off if they are malformed, because a request must not fail."""
    try:
        return _made(settings)
    except ConfigError as error:
        text = "responses pass untouched: app.config has changed after TikTok(app), and is malformed: %s"
        log.error(text, error)  # noqa: TRY400  # the operator needs the reason, and no traceback
        return Client(Config(enabled=False))
