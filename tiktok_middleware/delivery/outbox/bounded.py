"""View of an outbox whose methods end in time."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar, cast

from tiktok_middleware.delivery.process.bounded_calls import BoundedCalls, TooSlowError
from tiktok_middleware.errors import OutboxError

__all__ = ["SlowError", "bounded"]

_T = TypeVar("_T")


class SlowError(OutboxError):
    """A caller's time is over before the outbox has answered. It may be up nevertheless."""


def bounded(target: _T, calls: BoundedCalls, limit_s: Callable[[], float], **others: Callable[[], None]) -> _T:
    """Return a view of an outbox. Its methods run on the thread of ``calls``.

    They raise `SlowError` where there is no result in time. The call itself goes on.

    Args:
        target: the outbox.
        calls: runs the calls.
        limit_s: returns how long a caller may wait now, in seconds.
        others: methods to call instead of the outbox's own.
    """
    return cast("_T", _Bounded(target, calls, limit_s, others))


class _Bounded:
    def __init__(
        self, target: Any, calls: BoundedCalls, limit_s: Callable[[], float], others: dict[str, Callable[[], None]]
    ) -> None:
        self._target = target
        self._calls = calls
        self._limit_s = limit_s
        self._others = others

    def __getattr__(self, name: str) -> Any:
        if name in self._others:
            return self._others[name]
        found = getattr(self._target, name)
        return partial(self._run, found) if callable(found) else found

    def _run(self, call: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        limit_s = max(self._limit_s(), 0.0)
        try:
            return self._calls.run(partial(call, *args, **kwargs), limit_s)
        except TooSlowError:
            raise SlowError(f"outbox {self._target.name}: no answer within {limit_s:.2f} s") from None
