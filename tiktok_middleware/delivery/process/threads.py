"""What threads there are in this process: gevent may have put its own in their place, uWSGI may let none run.

It knows no outbox and sends nothing.
"""

from __future__ import annotations

import _thread
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any, Protocol, TypeVar, cast

__all__ = ["Lock", "native_lock", "native_sleep", "native_thread", "off_hub", "run_between_requests"]

_T = TypeVar("_T")

_UWSGI_WITH_THREADS = (2, 0, 27)  # the release from which threads run without being asked for


class Lock(Protocol):
    """A lock of the operating system."""

    def acquire(self, blocking: bool = True, timeout: float = -1) -> bool: ...

    def release(self) -> None: ...

    def __enter__(self) -> bool: ...

    def __exit__(self, *_: object) -> None: ...


def native_lock() -> Lock:
    """A lock between threads of the operating system, whatever has been patched."""
    return cast("Lock", _original("_thread", "allocate_lock", _thread.allocate_lock)())


def native_sleep(seconds: float) -> None:
    """Hold up this thread of the operating system, whatever has been patched."""
    _original("time", "sleep", time.sleep)(seconds)


def native_thread(target: Callable[[], None]) -> bool:
    """Run ``target`` on a thread of the operating system; False where the interpreter starts no more threads."""
    try:
        _original("_thread", "start_new_thread", _thread.start_new_thread)(target, ())
    except RuntimeError:  # the process ends
        return False
    return True


def off_hub(target: _T) -> _T:
    """Something with the methods of ``target``, which hold up no other greenlet; itself where there are none.

    Where gevent has replaced threads, all of them share one thread of the operating system, so that a disk holds up
    each. Its hub keeps a few native threads for such calls; who calls waits as a greenlet does.
    """
    return target if _patched() is None else cast("_T", _OffHub(target))


def run_between_requests() -> bool:
    """Whether a thread gets its turn while its process waits for a request.

    Under uWSGI before 2.0.27 it does not unless asked for, since the interpreter's lock is kept meanwhile
    (https://uwsgi-docs.readthedocs.io/en/latest/ThingsToKnow.html).
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
        return partial(_apply, found) if callable(found) else found


def _apply(call: Callable[..., object], *args: object, **kwargs: object) -> object:
    import gevent  # noqa: PLC0415  # it is there: it has patched our threads

    result, error = gevent.get_hub().threadpool.apply(_outcome, (call, args, kwargs))
    if error is not None:
        raise error
    return result


def _outcome(
    call: Callable[..., object], args: tuple[object, ...], kwargs: dict[str, object]
) -> tuple[object, Exception | None]:
    """What the call returns or raises, as a value: the hub would print a traceback of what is raised."""
    try:
        return call(*args, **kwargs), None
    except Exception as error:  # noqa: BLE001  # raised again where it belongs
        return None, error


def _patched() -> Any:
    """Gevent's own record of what it has replaced, where threads are among it."""
    monkey = sys.modules.get("gevent.monkey")
    return monkey if monkey is not None and monkey.is_module_patched("threading") else None


def _original(module: str, name: str, now: Callable[..., Any]) -> Callable[..., Any]:
    monkey = _patched()
    return now if monkey is None else cast("Callable[..., Any]", monkey.get_original(module, name))
