"""The sandbox's switches: allowed values and validated changes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Optional

import msgspec

from tiktok_middleware.errors import ConfigError

__all__ = ["API_MODES", "PIXEL_MODES", "SLOW_MS", "Settings"]

API_MODES: dict[str, str] = {
    "ok": "answers as TikTok does",
    "500": "HTTP 500, nothing is stored",
    "503": "HTTP 503, nothing is stored",
    "429": "HTTP 429 with Retry-After: 1",
    "40100": "throttled: HTTP 200, code 40100",
    "40100_http401": "throttled as the documentation has it: HTTP 401, code 40100",
    "40105": "token expired: HTTP 401, code 40105",
    "40001": "no permission for the pixel: HTTP 200, code 40001",
    "50000": "TikTok's own error: HTTP 200, code 50000",
    "html": "a proxy's HTML page: HTTP 502",
    "garbage": "HTTP 200 whose body is no JSON",
    "lost_answer": "events are stored, then HTTP 500: the answer got lost",
    "hang": "no answer until the caller gives up",
    "drop": "the connection is closed without an answer",
}

PIXEL_MODES: dict[str, str] = {
    "ok": "arrives after the delay",
    "slow": "arrives after three seconds",
    "failing": "script and event endpoint answer HTTP 500",
    "blocked": "the connection is closed, as an ad blocker or a dead network would",
}

SLOW_MS = 3_000
"""Delay of ``events.js`` in the mode ``slow``, in milliseconds."""

Milliseconds = Annotated[int, msgspec.Meta(ge=0, le=60_000)]


class Settings(msgspec.Struct, frozen=True):
    """Current behaviour of the sandbox.

    Attributes:
        pixel_mode: a key of ``PIXEL_MODES``.
        pixel_delay_ms: delay of ``events.js``, in milliseconds; None for a random delay of 200 to 700.
        api_mode: a key of ``API_MODES``.
        api_mode_times: number of requests before ``api_mode`` returns to ``ok``; None for no limit.
        api_delay_ms: delay of the Events API's answers, in milliseconds.
        tokens: the accepted access tokens; empty accepts any.
        pixels: the known pixel codes; empty accepts any.
    """

    pixel_mode: str = "ok"
    pixel_delay_ms: int | None = None
    api_mode: str = "ok"
    api_mode_times: int | None = None
    api_delay_ms: int = 0
    tokens: tuple[str, ...] = ()
    pixels: tuple[str, ...] = ()

    def changed(self, changes: Mapping[str, Any]) -> Settings:
        """Return a copy of these settings with some replaced.

        Raises:
            ConfigError: a name or value is not allowed; then nothing is changed.
        """
        valid: dict[str, Any] = {}
        for name, value in changes.items():
            if name not in _RULES:
                raise ConfigError(name, value, "one of " + ", ".join(_RULES))
            kind, allowed = _RULES[name]
            try:
                valid[name] = msgspec.convert(value, kind)
            except msgspec.ValidationError:
                # Tokens are secrets; the message of every other option may contain its value.
                found = "(hidden)" if name == "tokens" else value
                raise ConfigError(name, found, allowed) from None
        return msgspec.structs.replace(self, **valid)


def _one_of(names: Mapping[str, str]) -> tuple[Any, str]:
    pattern = "^(" + "|".join(names) + r")\Z"
    return Annotated[str, msgspec.Meta(pattern=pattern)], "one of " + ", ".join(names)


_MILLISECONDS = "whole milliseconds from 0 to 60000"
_NAMES = "a list of texts, none of them empty"
_Names = tuple[Annotated[str, msgspec.Meta(min_length=1)], ...]

_MAYBE_MS = Optional[Milliseconds]  # noqa: UP045  # a type at run time, on Python 3.10 too
_MAYBE_TIMES = Optional[Annotated[int, msgspec.Meta(ge=1)]]  # noqa: UP045

_RULES: dict[str, tuple[Any, str]] = {
    "pixel_mode": _one_of(PIXEL_MODES),
    "pixel_delay_ms": (_MAYBE_MS, _MILLISECONDS + ", or null for a random delay"),
    "api_mode": _one_of(API_MODES),
    "api_mode_times": (_MAYBE_TIMES, "a number of requests from 1, or null for ever"),
    "api_delay_ms": (Milliseconds, _MILLISECONDS),
    "tokens": (_Names, _NAMES),
    "pixels": (_Names, _NAMES),
}
