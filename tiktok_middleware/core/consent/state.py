"""Consent states."""

from __future__ import annotations

from enum import Enum

__all__ = ["State"]


class State(Enum):
    """A visitor's choice; ``UNKNOWN`` if there is none or it cannot be read."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"
