"""All exceptions of this package.

::

    TikTokError
    ├── ConfigError          a variable or option is malformed: names it, the value and what is allowed
    │   ├── OptionError      there is no option of this name: names the most similar one
    │   └── WrapError        TikTokMiddleware cannot wrap this object: names what to write instead
    ├── EventError           an argument of track() or identify() cannot be sent: names the field
    ├── TokenError           a signed value is forged, expired or truncated
    └── OutboxError          the outbox cannot be opened or written
"""

from __future__ import annotations

from collections.abc import Iterable
from difflib import get_close_matches

__all__ = ["ConfigError", "EventError", "OptionError", "OutboxError", "TikTokError", "TokenError", "WrapError"]


class TikTokError(Exception):
    """Base of every exception of this package."""


class ConfigError(TikTokError, ValueError):
    """An option is malformed.

    Args:
        option: name of the option as the operator wrote it, such as ``TIKTOK_CONSENT``.
        found: the value; the caller masks secrets.
        allowed: what would have been right, in words.
    """

    def __init__(self, option: str, found: object, allowed: str) -> None:
        self.option = option
        self.found = found
        self.allowed = allowed
        super().__init__(f"{option} is {found!r}; allowed: {allowed}")

    def __reduce__(self) -> tuple[type[ConfigError], tuple[str, object, str]]:
        return type(self), (self.option, self.found, self.allowed)


class OptionError(ConfigError):
    """There is no option of this name. The message leaves the value out, which may be the secret of a misspelt option.

    Args:
        option: the name, as the operator wrote it.
        known: names of all options.
    """

    def __init__(self, option: str, known: Iterable[str]) -> None:
        names = sorted(known)
        super().__init__(option, "unknown", f"one of {', '.join(names)}")
        self._names = names
        nearest = get_close_matches(option.lower(), names, 1)
        hint = f"did you mean {nearest[0]}? " if nearest else ""
        self.args = (f"{option} is no option; {hint}Options: {', '.join(names)}",)

    def __reduce__(self) -> tuple[type[OptionError], tuple[str, list[str]]]:  # type: ignore[override]  # two arguments
        return type(self), (self.option, self._names)


class WrapError(ConfigError, TypeError):
    """TikTokMiddleware cannot wrap this object.

    Args:
        message: the object and what to write instead, in one sentence.
    """

    def __init__(self, message: str) -> None:
        Exception.__init__(self, message)

    def __reduce__(self) -> tuple[type[WrapError], tuple[str]]:  # type: ignore[override]  # one argument
        return type(self), (str(self),)


class EventError(TikTokError, ValueError):
    """An event, a property or an identity field cannot be sent as given.

    The message names the field, its type and what is allowed, but never the value, which may be personal.

    Args:
        field: path of the field, such as ``properties.contents[0].price``.
        found: type or shape of the value, in words.
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
    """A signed value from a browser or a database is not valid, or no longer valid.

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
