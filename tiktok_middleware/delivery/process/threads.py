"""Native threads and locks, where gevent has replaced threads by greenlets; check for uWSGI without threads."""

from __future__ import annotations

import _thread
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar, cast

__all__ = [
    "Lock",
    "has_greenlets",
    "native_lock",
    "native_sleep",
    "native_thread",
    "off_hub",
    "run_between_requests",
    "run_off_hub",
]

_T = TypeVar("_T")

_UWSGI_WITH_THREADS = (2, 0, 27)  # the first release that runs threads without an option


class Lock(Protocol):
    """Lock of the operating system."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...

    def release(self) -> None: ...

    def __enter__(self) -> bool: ...

    def __exit__(self, *_: object) -> None: ...


def native_lock() -> Lock:
    """Return a lock between threads of the operating system, even if gevent has patched locks."""
    return cast("Lock", _original("_thread", "allocate_lock", _thread.allocate_lock)())


def native_sleep(seconds: float) -> None:
    """Block this thread of the operating system, even if gevent has patched ``sleep``."""
    _original("time", "sleep", time.sleep)(seconds)


def native_thread(target: Callable[[], None]) -> bool:
    """Run ``target`` on a thread of the operating system; return False if the interpreter starts no more threads."""
    try:
        _original("_thread", "start_new_thread", _thread.start_new_thread)(target, ())
    except RuntimeError:  # the process ends
        return False
    return True


def has_greenlets() -> bool:
    """Return whether gevent has replaced threads by greenlets."""
    return _patched() is not None


def off_hub(target: _T) -> _T:
    """Return a proxy for ``target`` whose methods block no other greenlet; ``target`` itself without gevent.

    If gevent has replaced threads, all greenlets share one thread of the operating system, so a disk call would block
    all of them. gevent's hub has a few native threads for such calls; only the calling greenlet waits.
    """
    return target if _patched() is None else cast("_T", _OffHub(target))


def run_between_requests() -> bool:
    """Return whether threads run while the process waits for a request.

    uWSGI before 2.0.27 keeps the interpreter's lock during that wait, so threads run only with ``enable-threads`` or
    ``threads`` (https://uwsgi-docs.readthedocs.io/en/latest/ThingsToKnow.html).
    """
    uwsgi = sys.modules.get("uwsgi")
    options = getattr(uwsgi, "opt", None)
    if not isinstance(options, dict) or tuple(getattr(uwsgi, "version_info", ()))[:3] >= _UWSGI_WITH_THREADS:
        return True
    return bool({"enable-threads", "threads", b"enable-threads", b"threads"} & options.keys())


class _OffHub:
    """Calls the methods of another object on the hub's native threads."""

    def __init__(self, target: object) -> None:
        self._target = target

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._target, name)
        return partial(run_off_hub, found) if callable(found) else found


def run_off_hub(call: Callable[..., object], *args: object, **kwargs: object) -> object:
    """Return the result of a call on one of the hub's native threads."""
    import gevent  # noqa: PLC0415  # already imported: it has patched threads

    result, error = gevent.get_hub().threadpool.apply(_outcome, (call, args, kwargs))
    if error is not None:
        raise error
    return result


def _outcome(
    call: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[object, Exception | None]:
    """Return the call's result and its error as values, since the hub would print a traceback of a raised error."""
    try:
        return call(*args, **kwargs), None
    except Exception as error:  # noqa: BLE001  # `_apply` raises it again
        return None, error


def _patched() -> Any:
    """Return the module ``gevent.monkey`` if it has patched threads, else None."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey if monkey is not None and monkey.is_module_patched("threading") else None


def _original(module: str, name: str, now: Callable[..., Any]) -> Callable[..., Any]:
    monkey = _patched()
    return now if monkey is None else cast("Callable[..., Any]", monkey.get_original(module, name))
