"""Check the verdicts that a sink returns, since a team's own sink may return anything."""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite

from tiktok_middleware.core.events_api.answers import MAX_RETRY_AFTER_S, Delivered, Halted, Rejected, Retry

__all__ = ["fault_of"]

_KINDS = (Delivered, Retry, Rejected, Halted)


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
