"""Import the function that a setting ``import:package.module:name`` names; nothing is called."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

from tiktok_middleware.errors import ConfigError

__all__ = ["imported"]


def imported(option: str, setting: str, *, what: str, allowed: str) -> Callable[..., Any]:
    """Return the callable of a setting.

    Args:
        option: name of the variable, for the error.
        setting: ``import:package.module:name``; the name may have dots.
        what: ``a function`` or ``a factory``, for the error where nothing is found.
        allowed: what it must be, for the error where it cannot be called.

    Raises:
        ConfigError: the module cannot be imported, has no such name, or the object cannot be called.
    """
    _, module, name = setting.split(":")
    try:
        found: Any = import_module(module)
        for part in name.split("."):
            found = getattr(found, part)
    except (ImportError, AttributeError) as error:
        raise ConfigError(option, setting, f"{what} that can be imported ({error})") from error
    except Exception as error:  # the module's own
        reason = f"{what} that can be imported (importing {module} raised {type(error).__name__}: {error})"
        raise ConfigError(option, setting, reason) from error
    if not callable(found):
        raise ConfigError(option, setting, allowed)
    return found  # type: ignore[no-any-return]
