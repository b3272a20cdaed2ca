"""Old import paths that keep working for one release, with a ``DeprecationWarning``."""

from __future__ import annotations

import importlib
import sys
import types
import warnings
from typing import Any

__all__ = ["move", "moved_name"]


def move(old: str, homes: dict[str, str]) -> None:
    """Register a module path that no longer exists.

    Args:
        old: dotted path of the module.
        homes: for each documented name its new location, ``module`` or ``module:new_name``.
    """
    sys.modules[old] = _MovedModule(old, homes)


def moved_name(module: str, name: str, homes: dict[str, str]) -> Any:
    """Return ``name`` from its new module and warn about the old path.

    Raises:
        AttributeError: the name was never documented under ``module``.
    """
    if name not in homes:
        raise AttributeError(f"module {module!r} has no attribute {name!r}")
    home, _, new_name = homes[name].partition(":")
    new_name = new_name or name
    warnings.warn(
        f"{module}.{name} is now {home}.{new_name}; the old path goes away in the next release",
        DeprecationWarning,
        stacklevel=3,
    )
    return getattr(importlib.import_module(home), new_name)


class _MovedModule(types.ModuleType):
    """Module without content: each documented name is imported from its new module."""

    def __init__(self, name: str, homes: dict[str, str]) -> None:
        super().__init__(name, "Moved; see the names' new modules.")
        self._homes = homes

    def __getattr__(self, name: str) -> Any:
        return moved_name(self.__name__, name, self._homes)
