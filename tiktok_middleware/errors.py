"""Every exception this package raises; it knows nothing of who raises them.

::

    TikTokError
    ├── ConfigError          a variable or option is malformed: names it, what was found, what is allowed
    │   └── WrapError        TikTokMiddleware was put around what it cannot wrap: says what to write instead
    ├── EventError           track() or identify() was given something that cannot be sent: names the field
    ├── TokenError           a signed value that came back is forged, expired or cut
    └── OutboxError          the outbox cannot be opened or written
"""

from __future__ import annotations

__all__ = ["ConfigError", "EventError", "OutboxError", "TikTokError", "TokenError", "WrapError"]


class TikTokError(Exception):
    """Base of every exception of this package."""


class ConfigError(TikTokError, ValueError):
    """An option is malformed.

    Args:
        option: the name as the operator wrote it, such as ``TIKTOK_CONSENT``.
        found: the value, masked by the caller where it is a secret.
        allowed: what would have been right, in words.
    """

    def __init__(self, option: str, found: object, allowed: str) -> None:
        self.option = option
        self.found = found
        self.allowed = allowed
        super().__init__(f"{option} is {found!r}; allowed: {allowed}")

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, object, str]]:
        return type(self), (self.option, self.found, self.allowed)


class WrapError(ConfigError, TypeError):
    """TikTokMiddleware was put around something that it cannot wrap.

    Args:
        message: what was given and what to write instead, in one sentence.
    """

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)

    def __reduce__(self) -> tuple[type[WrapError], tuple[str]]:  # type: ignore[override]  # one argument
        return type(self), (str(self),)


class EventError(TikTokError, ValueError):
    """An event, a property or an identity field cannot be sent as given.

    The message names the field, the type that was found and what is allowed, never the value: it may be personal.

    Args:
        field: path of the field, such as ``properties.contents[0].price``.
        found: the type or shape that was found, in words.
        allowed: what would have been right, in words.
    """

    def __init__(self, field: str, found: str, allowed: str) -> None:
        self.field = field
        self.found = found
        self.allowed = allowed
        super().__init__(f"{field} is {found}; allowed: {allowed}")

    def __reduce__(self) -> tuple[type[EventError], tuple[str, str, str]]:
        return type(self), (self.field, self.found, self.allowed)


class TokenError(TikTokError, ValueError):
    """A signed value that came back from a browser or a database is not, or no longer, ours.

    Args:
        reason: one word for the counters: ``forged``, ``expired``, ``malformed`` or ``pixels``.
    """

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(f"signed value refused: {reason}")

    def __reduce__(self) -> tuple[type[TokenError], tuple[str]]:
        return type(self), (self.reason,)


class OutboxError(TikTokError, OSError):
    """The outbox cannot be opened, read or written; the message names the file."""
