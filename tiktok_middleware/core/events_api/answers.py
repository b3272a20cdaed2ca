"""Classify answers of TikTok's Events API 2.0 as delivered, retry, rejected or halted."""

from __future__ import annotations

from collections.abc import Callable
from email.utils import parsedate_to_datetime

import msgspec

from tiktok_middleware._printable import printable

__all__ = [
    "MAX_RETRY_AFTER_S",
    "Delivered",
    "Halted",
    "Rejected",
    "Retry",
    "Verdict",
    "read_answer",
]


MAX_RETRY_AFTER_S = 3600.0
"""Longest accepted ``Retry-After``, in seconds. A longer one counts as a mistake and is reduced to this."""

_MAX_REASON_CHARS = 500
_MAX_REQUEST_ID_CHARS = 64


class Delivered(msgspec.Struct, frozen=True, gc=False, eq=False):
    """TikTok has accepted the event.

    Attributes:
        warning: TikTok's message if it accepted with a warning, else empty.
        request_id: TikTok's id of the request, for its support and the ledger; empty if the answer has none.
    """

    warning: str = ""
    request_id: str = ""

    def __eq__(self, other: object) -> bool:
        """Return whether both are deliveries with the same warning; ``request_id`` is not compared."""
        return isinstance(other, Delivered) and self.warning == other.warning

    def __hash__(self) -> int:
        """Return the hash of the warning."""
        return hash(self.warning)


class Retry(msgspec.Struct, frozen=True, gc=False):
    """A temporary failure: TikTok may accept the same event later.

    Attributes:
        after_s: minimum wait in seconds that the answer requests, or None if it requests none.
        reason: what happened, for logs and listings.
    """

    after_s: float | None
    reason: str


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """A permanent failure: TikTok rejects this request as invalid, and would reject it again.

    Attributes:
        reason: TikTok's own message, which names the first offending path.
    """

    reason: str


class Halted(msgspec.Struct, frozen=True, gc=False):
    """A failure of the pixel: its token, its permission or the URL is wrong, so that a retry is useless.

    Attributes:
        reason: what an operator has to fix.
    """

    reason: str


Verdict = Delivered | Retry | Rejected | Halted


class _Answer(msgspec.Struct):
    """The body of TikTok's answer; ``request_id`` is kept for requests to TikTok's support."""

    code: int
    message: str | None = None
    request_id: str | None = None


_decode = msgspec.json.Decoder(_Answer, strict=False).decode

_Maker = Callable[["str", "float | None"], Verdict]


def _retry(reason: str, after_s: float | None) -> Verdict:
    return Retry(after_s, reason)


def _rejected(reason: str, _after_s: float | None) -> Verdict:
    return Rejected(reason)


def _halted(reason: str, _after_s: float | None) -> Verdict:
    return Halted(reason)


def _delivered(_reason: str, _after_s: float | None) -> Verdict:
    return Delivered()


def _delivered_with_warning(reason: str, _after_s: float | None) -> Verdict:
    return Delivered(reason)


_BY_CODE: dict[int, _Maker] = {
    0: _delivered,
    20001: _delivered_with_warning,  # "partial success": every integration that we examined treats it as success
    40001: _halted,  # no permission for this pixel
    40002: _rejected,  # invalid parameter: the message names the first offending path
    40016: _retry,  # throttled
    40100: _retry,  # throttled, although it comes with HTTP 401
    40101: _halted,  # authentication failed
    40104: _halted,  # token missing
    40105: _halted,  # token invalid or expired
    40110: _halted,  # authentication failed
    40133: _retry,  # throttled
}

# Results for unlisted codes by their first three digits. All others, such as 402xx, 407xx and 5xxxx, are temporary.
_BY_FAMILY: dict[int, _Maker] = {
    400: _rejected,
}

# Used only if the body holds no code. Such an answer may come from a gateway, a proxy or a wrong URL instead of TikTok.
# A bare 401 or 403 does not prove a bad token, and a 200 without ``code: 0`` does not prove delivery.
_BY_STATUS: dict[int, _Maker] = {
    400: _rejected,
    404: _halted,
    405: _halted,
    410: _halted,
    413: _rejected,
    422: _rejected,
}


def read_answer(status: int, body: bytes, retry_after: str | None, now_s: float | None = None) -> Verdict:
    """Return the verdict on a whole request from TikTok's ``code``, or from the HTTP status without one (TikTok, 1.8).

    Args:
        status: HTTP status.
        body: the part of the answer's body that was read.
        retry_after: the ``Retry-After`` header, in seconds or as a date, or None.
        now_s: Unix seconds; None ignores a ``Retry-After`` date.
    """
    after_s = _read_retry_after(retry_after, now_s)
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _BY_STATUS.get(status, _retry)(f"HTTP {status} without a TikTok code", after_s)
    make = _BY_CODE.get(answer.code) or _BY_FAMILY.get(answer.code // 100, _retry)
    verdict = make(_describe(answer), after_s)
    if isinstance(verdict, Delivered) and answer.request_id:
        return Delivered(verdict.warning, answer.request_id[:_MAX_REQUEST_ID_CHARS])
    return verdict


def _describe(answer: _Answer) -> str:
    text = f"{answer.code} {(answer.message or '')[:_MAX_REASON_CHARS]}"
    return printable(f"{text} (request {answer.request_id[:_MAX_REQUEST_ID_CHARS]})" if answer.request_id else text)


def _read_retry_after(value: str | None, now_s: float | None) -> float | None:
    """Return seconds to wait, 0 to `MAX_RETRY_AFTER_S`, or None without a valid header (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        wait_s = float(value) if value.strip().isascii() and value.strip().isdigit() else _seconds_until(value, now_s)
    except (ValueError, TypeError, OverflowError):
        return None
    return None if wait_s is None else min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


def _seconds_until(date: str, now_s: float | None) -> float | None:
    return None if now_s is None else parsedate_to_datetime(date).timestamp() - now_s
