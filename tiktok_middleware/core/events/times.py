"""Parse the time of an event from dates, texts and numbers of any usual form."""

from __future__ import annotations

import math
import re
from datetime import date, datetime, timedelta, timezone, tzinfo
from decimal import Decimal
from enum import Enum
from typing import NamedTuple

from tiktok_middleware.core.events.coerce import is_promise
from tiktok_middleware.errors import EventError

__all__ = ["MAX_AGE_S", "MAX_AHEAD_S", "Moment", "read_event_time"]

MAX_AGE_S = 28 * 24 * 3600
"""TikTok neither matches nor reports older events: 28 days is the longest click window of its attribution."""

MAX_AHEAD_S = 5 * 60
"""Tolerated difference between the clocks of two servers, in seconds. A later time counts as a mistake."""

_ALLOWED = "Unix seconds, ISO 8601 text or a datetime"

# For times between 2001 and 5138 the size of a number shows whether it counts seconds, milli-, micro- or nanoseconds.
_UNITS = ((1e9, 1e11, 1.0), (1e12, 1e14, 1e3), (1e15, 1e17, 1e6), (1e18, 1e20, 1e9))

_NUMBER = re.compile(r"[0-9]{1,20}(?:\.[0-9]{1,9})?")
_ISO = re.compile(
    r"(\d{4})(?:[-/.]?)(\d\d)(?:[-/.]?)(\d\d)"
    r"(?:[Tt ]\s?(\d\d):?(\d\d)(?::?(\d\d)(?:[.,](\d{1,12}))?)?)?"
    r"\s?(?:(Z|z|UTC|GMT)|([+-])(\d\d):?(\d\d)?)?",
    re.ASCII,
)
_MOST_CHARS = 60

# Dates of HTTP and e-mail ("Sun, 06 Nov 1994 08:49:37 GMT"), and of C's ctime ("Sun Nov  6 08:49:37 1994").
_MAIL_DATE = re.compile(
    r"(?:[A-Za-z]{3,9},? )?(?P<day>\d{1,2})[ -](?P<month>[A-Za-z]{3})[ -](?P<year>\d{4}) "
    r"(?P<time>\d\d:\d\d(?::\d\d)?)(?: (?P<zone>GMT|UTC|Z|[+-]\d{4}))?",
    re.ASCII,
)
_CTIME = re.compile(
    r"[A-Za-z]{3} (?P<month>[A-Za-z]{3})  ?(?P<day>\d{1,2}) (?P<time>\d\d:\d\d:\d\d) (?P<year>\d{4})(?P<zone>)",
    re.ASCII,
)
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class Moment(NamedTuple):
    """The time of an event.

    Attributes:
        seconds: whole Unix seconds, not in the future and not older than TikTok can use.
        note: a message to log once; empty if the time is sent unchanged.
        problem: why the given time could not be parsed, so that the current time is used; None if it was parsed.
    """

    seconds: int
    note: str = ""
    problem: EventError | None = None


def read_event_time(value: object, now_s: float, *, max_age_s: float = MAX_AGE_S, zone: tzinfo | None = None) -> Moment:
    """Return the time that the value holds; the current time if it holds none.

    Args:
        value: Unix seconds, milli-, micro- or nanoseconds as a number or text; a datetime, a date or ISO 8601 text.
        now_s: Unix seconds.
        max_age_s: maximum age in seconds; an older time is replaced by now minus this age.
        zone: time zone of datetimes and texts without one; None means UTC.
    """
    now = math.floor(now_s)
    try:
        seconds = _seconds(value, zone or timezone.utc)
    except EventError as error:
        return Moment(now, problem=error)
    except Exception:  # noqa: BLE001 -- the app's object may do anything when it is read
        found = f"of type {type(value).__name__[:50]}, which raised when it was read"
        return Moment(now, problem=EventError("event_time", found, _ALLOWED))
    if seconds > now_s + MAX_AHEAD_S:
        return Moment(now, "event_time is in the future: the event is sent as one of now; is its time zone missing?")
    if seconds < now_s - max_age_s:
        days = round(max_age_s / 86_400)
        return Moment(
            math.ceil(now_s - max_age_s),
            f"event_time is more than {days} days ago: the event is sent as {days} days old",
        )
    return Moment(math.floor(seconds))


def _seconds(value: object, zone: tzinfo) -> float:
    """Return Unix seconds.

    Raises:
        EventError: the value is not an unambiguous time.
    """
    if isinstance(value, Enum):
        value = value.value
    if isinstance(value, datetime):
        return _stamp(value if value.utcoffset() is not None else value.replace(tzinfo=zone))
    if isinstance(value, date):
        return _stamp(datetime(value.year, value.month, value.day, tzinfo=zone))
    if isinstance(value, str):
        return _of_text(str.__str__(value), zone)
    if is_promise(value):
        return _of_text(str(value), zone)
    if isinstance(value, bool):
        raise EventError("event_time", "of type bool", _ALLOWED)
    if isinstance(value, (int, Decimal)) or hasattr(type(value), "__index__") or hasattr(type(value), "__float__"):
        return _of_number(value)
    raise EventError("event_time", f"of type {type(value).__name__[:50]}", _ALLOWED)


def _stamp(moment: datetime) -> float:
    """Return Unix seconds, also for times that ``timestamp()`` does not support."""
    return (moment - datetime(1970, 1, 1, tzinfo=timezone.utc)) / timedelta(seconds=1)


def _of_text(text: str, zone: tzinfo) -> float:
    stripped = text.strip()
    if len(stripped) > _MOST_CHARS:
        raise EventError("event_time", f"a str of {len(text)} characters", _ALLOWED)
    found = _ISO.fullmatch(_iso_text(stripped))
    if found is not None and (len(stripped) != 8 or stripped[:2] in {"19", "20"}):
        try:
            return _stamp(_of_iso(found, zone))
        except (ValueError, OverflowError):
            raise EventError("event_time", "a str with a date that does not exist", _ALLOWED) from None
    if _NUMBER.fullmatch(stripped) is not None:
        return _of_number(Decimal(stripped))
    raise EventError("event_time", "a str that is no ISO 8601 time", _ALLOWED)


def _iso_text(text: str) -> str:
    """Return a date of HTTP, e-mail or ctime as ISO 8601 text; any other text unchanged."""
    found = _MAIL_DATE.fullmatch(text) or _CTIME.fullmatch(text)
    if found is None or found["month"].lower() not in _MONTHS:
        return text
    month = _MONTHS.index(found["month"].lower()) + 1
    return f"{found['year']}-{month:02}-{int(found['day']):02}T{found['time']}{found['zone'] or ''}"


def _of_iso(found: re.Match[str], zone: tzinfo) -> datetime:
    year, month, day, hour, minute, second, fraction, utc, sign, hours, minutes = found.groups()
    if utc:
        zone = timezone.utc
    elif sign:
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0))
        zone = timezone(-offset if sign == "-" else offset)
    made = datetime(int(year), int(month), int(day), int(hour or 0), int(minute or 0), int(second or 0), tzinfo=zone)
    return made + timedelta(microseconds=int((fraction or "0")[:6].ljust(6, "0")))


def _of_number(value: object) -> float:
    try:
        number = float(value)  # type: ignore[arg-type]  # has __float__ or __index__
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise EventError("event_time", "not a finite number", _ALLOWED)
    for least, most, per_second in _UNITS:
        if least <= number < most:
            return number / per_second
    raise EventError("event_time", "a number that is no time since 2001", _ALLOWED)
