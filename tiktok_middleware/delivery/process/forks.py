"""Tell every delivery of a process about forks and about the process's end."""

from __future__ import annotations

import atexit
import logging
import os
import sys
import time
import weakref
from collections.abc import Iterable
from typing import Protocol

from tiktok_middleware._printable import own_logger

__all__ = ["ProcessRegistry", "alive", "close_all", "watch", "watch_child"]

log: logging.Logger = own_logger(__name__)

_EXIT_S = 2.0  # for sending, before the process goes; what is left stays on disk


class ProcessRegistry(Protocol):
    """What is to know."""

    def before_fork(self) -> None:
        """The process is about to fork."""

    def after_fork(self) -> None:
        """It has, and we are still in the parent."""

    def begin_anew(self) -> None:
        """We are in a new child: nothing of the parent's may be touched."""

    def close(self, timeout_s: float) -> bool:
        """The process ends."""


alive: weakref.WeakSet[ProcessRegistry] = weakref.WeakSet()
"""All that is watched."""


def watch(living: ProcessRegistry) -> None:
    """Tell ``living`` of forks, and of the end, for as long as it is there."""
    alive.add(living)


def watch_child() -> None:
    """Ask for word of this process's end, if it is a child that runs none of ``atexit``'s functions.

    Those of `multiprocessing` and Celery's do not. To be called in the child: it begins by forgetting what its parent
    has asked for.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize  # noqa: PLC0415  # part of what such a child runs on

        Finalize(None, close_all, exitpriority=0)  # before it waits for children of its own, as it does below zero
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        signals.worker_process_shutdown.connect(_close_celery_child, weak=False)


def _close_celery_child(**_: object) -> None:  # pragma: no cover - runs in Celery's children
    close_all()


@atexit.register
def close_all(several: Iterable[ProcessRegistry] = alive, exit_s: float = _EXIT_S) -> None:
    """Close several deliveries, by default all of this process, in ``exit_s`` seconds together."""
    deadline = time.monotonic() + exit_s
    for living in list(several):
        _close(living, max(0.0, deadline - time.monotonic()))


def _close(living: ProcessRegistry, timeout_s: float) -> None:
    try:
        living.close(timeout_s)
    except Exception:  # the others are to be closed all the same
        log.exception("A delivery could not be closed")


def _before_fork() -> None:
    for living in list(alive):
        living.before_fork()


def _after_fork() -> None:
    for living in list(alive):
        living.after_fork()


def _after_fork_in_child() -> None:  # pragma: no cover - runs in forked children
    for living in list(alive):
        living.begin_anew()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
