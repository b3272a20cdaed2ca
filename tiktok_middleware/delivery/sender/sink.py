"""The destination of batches: the interface of a sink, and one sink in use, whose verdicts are checked."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from math import isfinite
from typing import Protocol

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import MAX_RETRY_AFTER_S, Delivered, Halted, Rejected, Retry, Verdict
from tiktok_middleware.delivery.histogram import Histogram
from tiktok_middleware.delivery.outbox.base import LeasedRecord

__all__ = ["Sink", "SinkInUse", "fault_of"]

log: logging.Logger = own_logger(__name__)

_KINDS = (Delivered, Retry, Rejected, Halted)


class Sink(Protocol):
    """Destination of batches. The relay creates and uses it on its own thread only."""

    def send(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        """Send records of one pixel and one source; return one verdict per record, in order.

        If all records of a batch are `Rejected`, the relay assumes that the whole batch was rejected because of some
        events, and finds them by sending parts of the batch.
        """
        ...

    def close(self) -> None:
        """Close connections."""


class SinkInUse:
    """A sink that is opened by the first send.

    Args:
        open_sink: makes the sink, on the thread of the first send.

    Attributes:
        batch_records: numbers of records in a request.
        send_s: durations of requests, in seconds.
    """

    def __init__(self, open_sink: Callable[[], Sink]) -> None:
        self.batch_records: Histogram = Histogram(1, 2, 5, 10, 20, 50, 100, 200, 500, 1000)
        self.send_s: Histogram = Histogram(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
        self._open_sink = open_sink
        self._sink: Sink | None = None
        self._opening = threading.Lock()  # held during the first send
        self._is_held = False  # whether `before_fork` has acquired `_opening`, so that `after_fork` releases it

    def close(self) -> None:
        """Close the sink, if it was opened."""
        sink, self._sink = self._sink, None
        if sink is None:
            return
        try:
            sink.close()
        except Exception:  # a team's own sink may have no `close`, or it may raise; go on closing the rest
            log.exception("The sink could not be closed")

    def send(self, rows: list[LeasedRecord]) -> Sequence[Verdict]:
        """Return the sink's verdicts; if the sink fails in any way, return `Retry` for all rows."""
        self.batch_records.observe(len(rows))
        began = time.perf_counter()
        try:
            records = [row.record for row in rows]
            verdicts = self._sink.send(records) if self._sink is not None else self._send_first(records)
            reason = fault_of(verdicts, len(rows))
            if not reason:
                return verdicts
        # A `SystemExit` from a team's own sink would end this thread without a log line. The message may quote the
        # request, so only the type's name is used.
        except (Exception, SystemExit) as error:  # noqa: BLE001
            reason = f"the sink raised {type(error).__name__}"
        finally:
            self.send_s.observe(time.perf_counter() - began)
        return [Retry(None, reason)] * len(rows)

    def _send_first(self, records: list[Record]) -> Sequence[Verdict]:
        with self._opening:
            self._sink = self._open_sink()
            return self._sink.send(records)

    def before_fork(self, timeout_s: float) -> None:
        """Wait for the imports of the first send: an import that a fork interrupts stays locked in the child."""
        self._is_held = self._opening.acquire(timeout=timeout_s)

    def after_fork(self) -> None:
        """Resume in the parent."""
        if self._is_held:
            self._is_held = False
            self._opening.release()


def fault_of(verdicts: Sequence[object], count: int) -> str:
    """Return what is wrong with the verdicts on ``count`` records, as a log message; empty if they are valid.

    Args:
        verdicts: return value of the sink.
        count: number of records that the sink received.
    """
    if len(verdicts) != count:
        return f"the sink gave {len(verdicts)} verdicts on {count} records"
    last: object = None
    for verdict in verdicts:
        if verdict is not last and (fault := _fault_of(verdict)):  # most sinks repeat one verdict object
            return fault
        last = verdict
    return ""


def _fault_of(verdict: object) -> str:
    if not isinstance(verdict, _KINDS):
        return f"the sink gave a {type(verdict).__name__} for a verdict"
    if not isinstance(verdict, Delivered) and not isinstance(verdict.reason, str):
        return f"the sink gave a {type(verdict.reason).__name__} for a reason"
    if isinstance(verdict, Retry) and not _is_wait(verdict.after_s):
        return f"the sink asks for a wait that is no number of seconds up to {MAX_RETRY_AFTER_S:.0f}"
    return ""


def _is_wait(seconds: object) -> bool:
    is_number = isinstance(seconds, (int, float)) and isfinite(seconds)
    return seconds is None or (is_number and seconds <= MAX_RETRY_AFTER_S)  # type: ignore[operator]
