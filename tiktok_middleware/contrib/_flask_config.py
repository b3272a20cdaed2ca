"""The client from a configuration in the style of Flask, which Quart shares."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tiktok_middleware.client import Client

__all__ = ["client_from_config"]


def client_from_config(config: Mapping[str, Any], *, is_debug: bool) -> Client:
    """Return a client with the options of ``config["TIKTOK"]``, which take precedence over the environment.

    Args:
        config: ``app.config``. ``SECRET_KEY`` and ``SECRET_KEY_FALLBACKS`` sign if ``TIKTOK_SECRET_KEY`` is not set.
        is_debug: the app's debug mode makes the middleware strict.

    Raises:
        ConfigError: an option is malformed.
    """
    options: dict[str, Any] = config.get("TIKTOK") or {}
    keys = [config.get("SECRET_KEY"), *(config.get("SECRET_KEY_FALLBACKS") or ())]
    texts = [key.decode("latin-1") if isinstance(key, bytes) else str(key) for key in keys if key]
    return Client.from_env(secret_keys=texts, is_debug=is_debug, **options)
