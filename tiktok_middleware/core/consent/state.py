"""The three answers to whether we may; they know nothing of who asks."""

from __future__ import annotations

from enum import Enum

__all__ = ["State"]


class State(Enum):
    """A visitor's choice, as far as it can be read."""

    GRANTED = "granted"
    DENIED = "denied"
    UNKNOWN = "unknown"
