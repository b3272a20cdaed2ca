"""What an ``import:package.module:name`` setting leads to; it calls nothing."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tiktok_middleware.errors import ConfigError

__all__ = ["imported"]


def imported(option: str, setting: str, *, what: str, allowed: str) -> Callable[..., Any]:
    """The callable of that path.

    Args:
        option: name of the variable, for the error.
        setting: ``import:package.module:name``, the name perhaps dotted.
        what: ``a function`` or ``a factory``, for the error where nothing is there.
        allowed: what it must be, for the error where it is something else.

    Raises:
        ConfigError: nothing is there, or nothing that can be called.
    """
    _, module, name = setting.split(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(option, setting, f"{what} that can be imported ({error})") from error
    if not callable(found):
        raise ConfigError(option, setting, allowed)
    return found  # type: ignore[no-any-return]
