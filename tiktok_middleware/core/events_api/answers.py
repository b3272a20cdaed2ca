"""Read answers of TikTok's Events API 2.0: which codes are delivered, retried, rejected or halted."""

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
"""The longest wait that an answer may ask for; what asks for more is taken for a mistake."""

_MAX_REASON_CHARS = 500
_MAX_REQUEST_ID_CHARS = 64


class Delivered(msgspec.Struct, frozen=True, gc=False, eq=False):
    """TikTok has the event.

    Attributes:
        warning: TikTok's message where it accepted with a remark, else empty.
        request_id: TikTok's id of the request, for its support and the ledger; empty where it gave none.
    """

    warning: str = ""
    request_id: str = ""

    def __eq__(self, other: object) -> bool:
        """Whether both are deliveries with the same remark, of whichever request."""
        return isinstance(other, Delivered) and self.warning == other.warning

    def __hash__(self) -> int:
        """The hash of the remark."""
        return hash(self.warning)


class Retry(msgspec.Struct, frozen=True, gc=False):
    """Not now: the same event may be accepted later.

    Attributes:
        after_s: seconds that the answer asks us to wait at least, or None where it says nothing.
        reason: what happened, for logs and listings.
    """

    after_s: float | None
    reason: str


class Rejected(msgspec.Struct, frozen=True, gc=False):
    """Never: TikTok calls this request invalid, and would again.

    Attributes:
        reason: TikTok's own message, which names the first offending path.
    """

    reason: str


class Halted(msgspec.Struct, frozen=True, gc=False):
    """Not for this pixel: its token, its permission or the address is wrong, so that asking again is useless.

    Attributes:
        reason: what an operator has to mend.
    """

    reason: str


Verdict = Delivered | Retry | Rejected | Halted


class _Answer(msgspec.Struct):
    """What TikTok answers; its ``request_id`` is kept for the support desk."""

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
    20001: _delivered_with_warning,  # "partial success": every integration seen takes it for success
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

# What a code that is not listed says by its first three digits; 402xx, 407xx, 5xxxx and all the rest pass with time.
_BY_FAMILY: dict[int, _Maker] = {
    400: _rejected,
}

# Asked only where the body holds no code, so that the answer need not be TikTok's: a gateway, a proxy, a wrong address.
# 401 and 403 alone prove no bad token, and a 200 without ``code: 0`` proves no delivery.
_BY_STATUS: dict[int, _Maker] = {
    400: _rejected,
    404: _halted,
    405: _halted,
    410: _halted,
    413: _rejected,
    422: _rejected,
}


def read_answer(status: int, body: bytes, retry_after: str | None, now_s: float | None = None) -> Verdict:
    """The verdict on a whole request: TikTok's ``code`` decides, and only without one the HTTP status (TikTok, 1.8).

    Args:
        status: HTTP status.
        body: what was read of the answer.
        retry_after: the ``Retry-After`` header, in seconds or as a date, or None.
        now_s: Unix seconds; without it a ``Retry-After`` date is ignored.
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
    """Seconds to wait, 0 to `MAX_RETRY_AFTER_S`, or None where the header says nothing (RFC 9110, 10.2.3)."""
    if not value:
        return None
    try:
        wait_s = float(value) if value.strip().isascii() and value.strip().isdigit() else _seconds_until(value, now_s)
    except (ValueError, TypeError, OverflowError):
        return None
    return None if wait_s is None else min(max(wait_s, 0.0), MAX_RETRY_AFTER_S)


def _seconds_until(date: str, now_s: float | None) -> float | None:
    return None if now_s is None else parsedate_to_datetime(date).timestamp() - now_s
