"""Parse the arguments of one ``track()`` call. An invalid argument is dropped and reported; only a bad name raises."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import tzinfo
from typing import NamedTuple, TypeVar

from tiktok_middleware.core.events import coerce as values
from tiktok_middleware.core.events.event_names import is_offline_event, read_name
from tiktok_middleware.core.events.ids import read_event_id, read_once
from tiktok_middleware.core.events.sources import WEB, Source
from tiktok_middleware.core.events.times import MAX_AGE_S, read_event_time
from tiktok_middleware.core.events.validation import clean_properties
from tiktok_middleware.core.visitor.placeholders import is_placeholder
from tiktok_middleware.errors import EventError

__all__ = ["MAX_WEB_AGE_S", "Call", "is_true", "read_call", "read_content"]

_T = TypeVar("_T")

MAX_WEB_AGE_S = 7 * 86_400 - 3600
"""Maximum age of a web event, in seconds. Delivery stops at 7 days; this leaves one hour for sending."""

_LIMITED = "limited_data_use"
_NO = frozenset({"", "0", "false", "no", "off", "none", "null"})


class NamedParameters(NamedTuple):
    """Name and parameters of an event, without its time and id.

    Attributes:
        name: the canonical name.
        properties: plain JSON values, the same for both channels.
        limited_data_use: whether TikTok's flag is set on this event.
        problems: one error for each argument that was left out or replaced.
        notes: messages to log, each once.
    """

    name: str
    properties: dict[str, object]
    limited_data_use: bool
    problems: list[EventError]
    notes: list[str]


class Call(NamedTuple):
    """The parsed arguments of one ``track()`` call.

    Attributes:
        content: name and parameters.
        event_id: the application's own id; empty if an id has to be created.
        key: the key under which the event counts once; empty if it may be repeated.
        event_time: whole Unix seconds.
        once_per: ``visit`` if the event counts once per visit; empty otherwise.
    """

    content: NamedParameters
    event_id: str
    key: str
    event_time: int
    once_per: str


def read_call(
    event: object,
    properties: object,
    more: Mapping[str, object],
    *,
    event_id: object,
    once: object,
    once_per: object,
    event_time: object,
    limited_data_use: object,
    now_s: float,
    source: Source = WEB,
    zone: tzinfo | None = None,
    currency: str = "",
) -> Call:
    """Return the event that the arguments of ``track()`` describe.

    Args:
        event: the name.
        properties: parameters as a mapping; None if there are none.
        more: parameters by keyword; they override the mapping.
        event_id: the application's own id, or None.
        once: the key under which the event counts once, or None; a ``Purchase`` takes its ``order_id``.
        once_per: ``visit``, or None; ignored if ``once`` is given.
        event_time: the time of the event, or None for now.
        limited_data_use: TikTok's flag for this event, or None.
        now_s: Unix seconds.
        source: TikTok's event source.
        zone: time zone of times without one; None means UTC.
        currency: currency of a value without one; empty for none.

    Raises:
        EventError: the event has no usable name.
    """
    content = read_content(event, properties, more, limited_data_use, source=source, currency=currency)
    problems, notes = content.problems, content.notes
    own_id = _read("event_id", read_event_id, event_id, problems) if event_id is not None else None
    key = _read("once", read_once, once, problems) if once is not None else None
    if key is None and content.name == "Purchase":
        key = _order_key(content.properties, problems)
    happened_s = int(now_s)
    if event_time is not None:
        max_age_s = MAX_WEB_AGE_S if source.is_web else MAX_AGE_S
        moment = read_event_time(event_time, now_s, max_age_s=max_age_s, zone=zone)
        happened_s = moment.seconds
        notes += [moment.note] if moment.note else []
        problems += [moment.problem] if moment.problem is not None else []
    period = _period(once_per, problems) if once_per is not None and not key else ""
    return Call(content, own_id or "", key or "", happened_s, period)


def read_content(
    event: object,
    properties: object,
    more: Mapping[str, object],
    limited_data_use: object = None,
    *,
    source: Source = WEB,
    currency: str = "",
) -> NamedParameters:
    """Return the name and the parameters of an event; ``currency`` is that of a value without one.

    Raises:
        EventError: the event has no usable name.
    """
    named = read_name(event, source.name)
    if source.is_standard_only and not is_offline_event(named.name):
        raise EventError("event", "no standard event", f"a standard event: {source.name} takes no other")
    problems = [named.problem] if named.problem is not None else []
    given = _together(properties, more, problems)
    limited = is_true(limited_data_use, unreadable=True) or is_true(given.pop(_LIMITED, None), unreadable=True)
    cleaned = clean_properties(named.name, given, currency=currency)
    problems += cleaned.problems
    notes = [*([named.note] if named.note else []), *cleaned.warnings]
    return NamedParameters(named.name, cleaned.properties, limited, problems, notes)


def is_true(value: object, *, unreadable: bool) -> bool:
    """Return a flag of any type as a bool.

    Args:
        value: a bool, a number, a word such as ``"no"``; None is False.
        unreadable: the result for a value that cannot be read.
    """
    if value is None or type(value) is bool:
        return bool(value)
    try:
        return value.strip().lower() not in _NO if isinstance(value, str) else bool(value)
    except Exception:  # noqa: BLE001 -- the app's object may do anything when it is read
        return unreadable


def _read(field: str, read: Callable[[object], _T], value: object, problems: list[EventError]) -> _T | None:
    """Return the parsed value; if it cannot be parsed, record a problem and return None."""
    try:
        return read(value)
    except EventError as error:
        problems.append(error)
    except Exception:  # noqa: BLE001 -- the app's object may do anything when it is read
        found = f"of type {type(value).__name__[:50]}, which raised when it was read"
        problems.append(EventError(field, found, "a text, a number or a UUID"))
    return None


def _period(value: object, problems: list[EventError]) -> str:
    """Return ``visit``; for anything else record a problem and return an empty str."""
    if type(value) is str and value.strip().lower() == "visit":
        return "visit"
    problems.append(EventError("once_per", "another word" if type(value) is str else values.kind(value), "'visit'"))
    return ""


def _order_key(properties: dict[str, object], problems: list[EventError]) -> str:
    """Return the order id as the ``once`` key; drop a placeholder, which would count all purchases as one."""
    order_id = properties.get("order_id")
    if not isinstance(order_id, str):
        return ""
    if is_placeholder(order_id, may_be_zero=True):
        del properties["order_id"]
        problems.append(EventError("properties.order_id", "a word for a missing value", "the order's own id"))
        return ""
    return order_id


def _together(properties: object, more: Mapping[str, object], problems: list[EventError]) -> dict[str, object]:
    """Return the parameters of the mapping and the keywords; drop and report anything but a mapping."""
    if properties is None:
        return dict(more)
    try:
        if isinstance(properties, Mapping):
            return {**properties, **more}
        found = f"of type {type(properties).__name__[:50]}"
        problems.append(EventError("properties", found, "a mapping such as a dict"))
    except Exception:  # noqa: BLE001 -- the app's mapping may do anything when it is read
        problems.append(EventError("properties", "a mapping that raised when it was read", "a dict"))
    return dict(more)
