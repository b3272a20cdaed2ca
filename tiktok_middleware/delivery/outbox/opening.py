"""Open the outbox that the options name: a file, a database shared by several hosts, or memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from tiktok_middleware.delivery.options import DeliveryOptions
from tiktok_middleware.delivery.outbox.base import Limits, Retention
from tiktok_middleware.delivery.outbox.environment import environment_of
from tiktok_middleware.delivery.outbox.fallback import FallbackOutbox
from tiktok_middleware.delivery.outbox.location import is_shared
from tiktok_middleware.delivery.outbox.memory import MEMORY_LIMITS, MemoryOutbox
from tiktok_middleware.delivery.outbox.shared import SharedStorage
from tiktok_middleware.delivery.outbox.sqlite.outbox import DISK_LIMITS, SqliteOutbox
from tiktok_middleware.delivery.outbox.sqlite.spool_file import SpoolFile
from tiktok_middleware.delivery.outbox.undecided import UndecidedPuts
from tiktok_middleware.delivery.outbox.undecided_claims import UndecidedClaims
from tiktok_middleware.delivery.process.threads import off_hub
from tiktok_middleware.errors import ConfigError

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox

__all__ = ["open_disk", "open_shared", "storage_of"]

Clock = Callable[[], float]


def open_disk(options: DeliveryOptions, clock: Clock) -> SqliteOutbox | None:
    """Return the outbox on disk, or None if the outbox is in memory."""
    if options.sync not in {"normal", "full"}:
        raise ConfigError("sync", options.sync, "normal, full")
    if options.outbox == "memory://":
        return None
    path = options.outbox.removeprefix("sqlite:///")
    if path in {"", options.outbox}:
        raise ConfigError("outbox", options.outbox, "sqlite:///path, memory://, postgresql://...")
    return SqliteOutbox(
        Path(path).absolute(),
        sync=options.sync,
        limits=_limits(options, DISK_LIMITS),
        retention=Retention(dead_s=options.dead_s, ledger_s=options.ledger_s),
        environment=_environment(options),
        pixels=options.pixels,
        sends=_sent(options),
        clock=clock,
    )


def open_shared(options: DeliveryOptions, clock: Clock) -> PostgresOutbox | None:
    """Return the outbox in a database, or None if the configuration names another one."""
    if not is_shared(options.outbox):
        return None
    try:
        from tiktok_middleware.delivery.outbox.postgres.outbox import SHARED_LIMITS, PostgresOutbox  # noqa: PLC0415
    except ImportError as error:
        allowed = f'psycopg with its extra: pip install "tiktok-middleware[postgres]" ({error})'
        raise ConfigError("TIKTOK_OUTBOX", "postgresql://...", allowed) from error
    return PostgresOutbox(
        options.outbox,
        limits=_limits(options, SHARED_LIMITS),
        retention=Retention(dead_s=options.dead_s, ledger_s=options.ledger_s),
        environment=_environment(options),
        pixels=options.pixels,
        sends=_sent(options),
        clock=None if clock is time.time else clock,
    )


def storage_of(
    options: DeliveryOptions,
    local: SqliteOutbox | None,
    shared: PostgresOutbox | None,
    *,
    clock: Clock,
    monotonic: Clock,
    keeps_thread: bool,
) -> FallbackOutbox | SharedStorage:
    """Return the outbox with what takes its place while it does not answer.

    Args:
        options: how events are stored and sent.
        local: outbox on this host's disk, if there is one.
        shared: outbox that several hosts share, if there is one.
        clock: returns Unix seconds.
        monotonic: returns seconds of a clock that is never set back.
        keeps_thread: whether a thread may be kept for the calls of the shared outbox.
    """
    if shared is None:
        limits = _limits(options, MEMORY_LIMITS)
        return FallbackOutbox(
            local and off_hub(local),
            lambda: MemoryOutbox(limits, pixels=options.pixels, sends=_sent(options), clock=clock),
            UndecidedPuts(limits, hands_out=options.once_undecided == "send"),
            monotonic=monotonic,
        )
    path = Path(options.spool).absolute() if options.spool else None
    return SharedStorage(
        shared,
        SpoolFile(path, _environment(options), clock, options.sync) if path else None,
        UndecidedClaims(MEMORY_LIMITS.claims, hands_out=options.once_undecided == "send"),
        clock,
        limit_rows=options.limit_rows or MEMORY_LIMITS.rows,
        keeps_thread=keeps_thread,
    )


def _environment(options: DeliveryOptions) -> str:
    return options.environment or environment_of(options.api_url, options.test_event_code)


def _sent(options: DeliveryOptions) -> tuple[str, ...]:
    """Return the pixels and event sets whose records this process sends; empty for all of its environment."""
    return options.sends or tuple(options.tokens)


def _limits(options: DeliveryOptions, default: Limits) -> Limits:
    return msgspec.structs.replace(
        default, rows=options.limit_rows or default.rows, bytes=options.limit_bytes or default.bytes
    )
