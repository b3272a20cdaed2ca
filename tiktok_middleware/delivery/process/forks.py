"""Notify every delivery of a process about forks and about the end of the process."""

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
from tiktok_middleware.delivery.process.stopping import STOP, StopBudget

__all__ = ["ProcessRegistry", "alive", "close_all", "watch", "watch_child"]

log: logging.Logger = own_logger(__name__)


class ProcessRegistry(Protocol):
    """Object that is notified of forks and of the end of the process."""

    def before_fork(self) -> None:
        """Prepare for a fork; called in the parent before it."""

    def after_fork(self) -> None:
        """Resume after a fork; called in the parent."""

    def begin_anew(self) -> None:
        """Start without state; called in a new child, which must not touch the parent's resources."""

    def close(self, timeout_s: float) -> bool:
        """Close within ``timeout_s`` seconds; called when the process ends."""
        ...


alive: weakref.WeakSet[ProcessRegistry] = weakref.WeakSet()
"""All objects to notify."""


def watch(living: ProcessRegistry) -> None:
    """Notify ``living`` of forks and of the end of the process, as long as it exists."""
    alive.add(living)


def watch_child() -> None:
    """Register `close_all` for the end of a child process that does not run ``atexit`` functions.

    Children of `multiprocessing` and of Celery do not run them. Call this in the child, since a child first drops what
    its parent has registered.
    """
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize  # noqa: PLC0415  # already imported in such a child

        Finalize(None, close_all, exitpriority=0)  # runs before the wait for its own children, which is below zero
    signals = sys.modules.get("celery.signals")
    if signals is not None:
        signals.worker_process_shutdown.connect(_close_celery_child, weak=False)


def _close_celery_child(**_: object) -> None:  # pragma: no cover - runs in Celery's children
    close_all()


@atexit.register
def close_all(several: Iterable[ProcessRegistry] = alive, budget: StopBudget = STOP) -> None:
    """Close several deliveries, by default all of this process, within the seconds that are left of the budget."""
    with budget.step() as left_s:
        deadline = time.monotonic() + left_s
        for living in list(several):
            _close(living, max(0.0, deadline - time.monotonic()))


def _close(living: ProcessRegistry, timeout_s: float) -> None:
    try:
        living.close(timeout_s)
    except Exception:  # go on closing the others
        log.exception("A delivery could not be closed")


def _before_fork() -> None:
    for living in list(alive):
        living.before_fork()


def _after_fork() -> None:
    for living in list(alive):
        living.after_fork()


def _after_fork_in_child() -> None:  # pragma: no cover - runs in forked children
    STOP.begin_anew()
    for living in list(alive):
        living.begin_anew()


if hasattr(os, "register_at_fork"):  # pragma: no branch - Windows has no fork
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork_in_child)
