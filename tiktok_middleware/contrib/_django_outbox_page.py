"""What the admin page of the outbox shows: counts, filters and rows, without identity."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from django.utils import timezone

from tiktok_middleware.contrib._django_outbox_query import STATES, Query
from tiktok_middleware.delivery.outbox.dead_letters import DEAD, DELIVERED, IN_FLIGHT, WAITING, Group, OutboxRow
from tiktok_middleware.delivery.outbox.expiry import reason_code
from tiktok_middleware.delivery.outbox.location import in_words

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.operator import Admin

__all__ = ["confirmation", "listing"]

PAGE_ROWS = 100
_SHOWN_ROWS = 20
_MAX_LINKS = 15
_LABELS = {WAITING: "Waiting", IN_FLIGHT: "Being sent", DEAD: "Dead", DELIVERED: "Delivered"}
_COLUMNS = ("Event", "Order", "Value", "State", "Reason", "Happened")
_AT = {WAITING: "due", IN_FLIGHT: "lease ends", DEAD: "died", DELIVERED: "delivered"}


class Link(NamedTuple):
    """An entry of a filter; ``href`` is the value that it filters by, until the query string is made."""

    label: str
    href: str
    is_selected: bool


class Filter(NamedTuple):
    """A filter of the page."""

    title: str
    links: list[Link]


class Row(NamedTuple):
    """A row of the page.

    Attributes:
        row_id: state and number, as the forms name it.
        label: its state in words.
        code: code of its reason.
        text: the reason, where it says more than its code.
        order: number of the order; empty without one.
        value: value and currency; empty without a value.
        happened: time of the event.
        at_word: what `at` is the time of.
        at: time when the event is due, died, or was delivered.
        row: the row.
    """

    row_id: str
    label: str
    code: str
    text: str
    order: str
    value: str
    happened: datetime | None
    at_word: str
    at: datetime | None
    row: OutboxRow


def listing(outbox: Admin, query: Query) -> dict[str, Any]:
    """Return what the list shows of an outbox."""
    summary = outbox.summary()
    rows = outbox.newest(query.choice(), PAGE_ROWS + 1, query.first_row())
    shown = rows[:PAGE_ROWS]
    has_pixels = bool(query.pixel) or len({row.pixel for row in shown}) > 1
    environments = sorted({row.environment for row in shown} | {group.environment for group in summary.groups})
    has_environments = bool(query.environment) or len(environments) > 1
    return {
        "name": outbox.name,
        "claims": summary.claims,
        "switches": in_words(outbox.switches()),
        "on_this_host": outbox.on_this_host(),
        "drafts": outbox.drafts(),
        "filters": _filters(query, summary.groups, environments if has_environments else []),
        "has_pixels": has_pixels,
        "has_environments": has_environments,
        "columns": [*_COLUMNS, *(["Pixel"] if has_pixels else []), *(["Environment"] if has_environments else [])],
        "kept": [(name, value) for name, value in query._asdict().items() if value and name not in {"q", "after"}],
        "rows": [_shown(row) for row in shown],
        # The ledger may hold millions of delivered events, which take seconds to count.
        "total": outbox.count(query.choice()) if query.state not in {"", DELIVERED} else None,
        "next": query.link(after=f"{shown[-1].state}:{shown[-1].id}") if len(rows) > len(shown) else "",
        "first": query.link() if query.after else "",
    }


def confirmation(rows: Sequence[OutboxRow]) -> dict[str, Any]:
    """Return what is shown of selected rows before an action."""
    return {
        "rows": [_shown(row) for row in rows[:_SHOWN_ROWS]],
        "count": len(rows),
        "more": max(len(rows) - _SHOWN_ROWS, 0),
        "has_dead": any(row.state == DEAD for row in rows),
    }


def _filters(query: Query, groups: Sequence[Group], environments: Sequence[str]) -> list[Filter]:
    counts = {state: sum(group.count for group in groups if group.state == state) for state in STATES}
    states = [
        Link(label if state == DELIVERED else f"{label} ({counts[state]:,})", state, query.state == state)
        for state, label in _LABELS.items()
    ]
    events = sorted({group.event for group in groups})
    reasons = {_words(group): group.code for group in groups if _words(group)}
    found = [
        _filter(query, "state", "state", states),
        _filter(query, "event", "event", [Link(event, event, query.event == event) for event in events]),
        _filter(
            query,
            "reason",
            "reason",
            [Link(code, words, query.reason == words) for words, code in sorted(reasons.items())],
        ),
    ]
    if environments:
        links = [Link(one, one, query.environment == one) for one in environments]
        found.append(_filter(query, "environment", "environment", links))
    if query.pixel:
        found.append(_filter(query, "pixel", "pixel", []))
    return [one for one in found if len(one.links) > 1]


def _filter(query: Query, title: str, field: str, links: Iterable[Link]) -> Filter:
    value = getattr(query, field)
    shown = [link._replace(href=query.link(**{field: link.href})) for link in links]
    if value and not any(link.is_selected for link in shown):
        shown.append(Link(value, query.link(), is_selected=True))
    return Filter(title, [Link("All", query.link(**{field: ""}), not value), *shown[:_MAX_LINKS]])


def _words(group: Group) -> str:
    """Return the part of a group's reason that the reasons of all its rows contain."""
    return group.code if group.code in group.reason else re.split(r"\d", group.reason)[0].strip()


def _shown(row: OutboxRow) -> Row:
    order, value, currency = (row.properties.get(name) for name in ("order_id", "value", "currency"))
    code = reason_code(row.reason)
    return Row(
        row_id=f"{row.state}:{row.id}",
        label=_LABELS[row.state],
        code=code,
        text="" if code == row.reason else row.reason.removeprefix(code).strip(),
        order="" if order is None else str(order)[:_MAX_CHARS],
        value="" if value is None else f"{value} {currency or ''}".strip()[:_MAX_CHARS],
        happened=_time(row.event_time),
        at_word=_AT[row.state],
        at=_time(row.at),
        row=row,
    )


_MAX_CHARS = 100


def _time(at: float) -> datetime | None:
    """Return Unix seconds in the zone of Django's settings; None if the text is not a date."""
    try:
        return datetime.fromtimestamp(at, timezone.get_current_timezone())
    except (OverflowError, ValueError, OSError):
        return None
