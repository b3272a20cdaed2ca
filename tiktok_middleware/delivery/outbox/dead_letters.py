"""Operator's view of an outbox: rows, counts, and results of commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import msgspec

from tiktok_middleware.delivery.outbox.expiry import reason_code, shown_reason, ttl_s
from tiktok_middleware.delivery.outbox.ledger import DELIVERED

__all__ = [
    "DEAD",
    "DELIVERED",
    "IN_FLIGHT",
    "WAITING",
    "Erased",
    "Group",
    "OutboxRow",
    "Retried",
    "RowFilter",
    "Summary",
    "chosen_tables",
    "grouped",
    "newest",
    "shown_row",
    "table_of",
]

WAITING, IN_FLIGHT, DEAD = "waiting", "in_flight", "dead"


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Filter for rows; an empty field matches all rows.

    Attributes:
        states: any of ``waiting``, ``in_flight``, ``dead`` and ``delivered``.
        ids: numbers of rows, within their state.
        id_or_order: id of the event, or its order's number.
        pixel: TikTok's ``event_source_id``.
        environment: name of the environment.
        event: name of the event.
        event_id: id of the event.
        reason: part of the reason, in upper or lower case.
        before: latest time in Unix seconds: of death for dead letters, of the event for others.
    """

    states: tuple[str, ...] = (WAITING, IN_FLIGHT, DEAD)
    ids: tuple[int, ...] = ()
    id_or_order: str = ""
    pixel: str = ""
    environment: str = ""
    event: str = ""
    event_id: str = ""
    reason: str = ""
    before: float = 1e12

    @property
    def order_in_json(self) -> bytes:
        """Return the order's number as a stored body contains it, without quotes: it may be a number there."""
        return msgspec.json.encode(self.id_or_order)[1:-1]


class OutboxRow(msgspec.Struct, frozen=True):
    """One row, without the visitor's identity.

    Attributes:
        id: the row's number, within its state.
        state: ``waiting``, ``in_flight``, ``dead`` or ``delivered``.
        pixel: TikTok's ``event_source_id``.
        source: TikTok's ``event_source``.
        event: name of the event.
        event_id: its id.
        event_time: Unix seconds.
        paired: whether a browser copy was handed out.
        tries: how often sending it failed.
        reason: reason of the last failure, of becoming a dead letter, or ``delivered``.
        at: Unix seconds: when it is due, when its lease ends, when it became a dead letter, or when it was delivered.
        page: URL and referrer of the page, redacted before they were stored; empty once delivered.
        properties: tracked properties; once delivered, only value, currency and order.
        environment: name of the environment.
    """

    id: int
    state: str
    pixel: str
    source: str
    event: str
    event_id: str
    event_time: int
    paired: bool
    tries: int
    reason: str
    at: float
    page: dict[str, object]
    properties: dict[str, object]
    environment: str


class Group(msgspec.Struct, frozen=True):
    """Rows with the same state, environment, event and reason code.

    Attributes:
        state: as in `OutboxRow`.
        event: name of the event.
        reason: reason of the first row; empty if sending has not failed.
        count: number of rows.
        oldest: time of the oldest event, in Unix seconds.
        environment: name of the environment.
        code: TikTok's code, or the common part of the reasons.
    """

    state: str
    event: str
    reason: str
    count: int
    oldest: int
    environment: str
    code: str


class Summary(msgspec.Struct, frozen=True):
    """State of an outbox.

    Attributes:
        groups: all rows, grouped.
        waiting_bytes: total size of the bodies of rows that are not dead letters, in bytes.
        file_bytes: size of the file and its log, in bytes.
        claims: number of claims of ``once`` events, one per channel.
    """

    groups: list[Group]
    waiting_bytes: int
    file_bytes: int
    claims: int

    def count(self, state: str) -> int:
        """Return the number of rows in ``state``."""
        return sum(group.count for group in self.groups if group.state == state)

    @property
    def oldest(self) -> int | None:
        """Return the time of the oldest event that is not a dead letter, in Unix seconds."""
        return min((group.oldest for group in self.groups if group.state != DEAD), default=None)


class Retried(msgspec.Struct):
    """Result of `OutboxAdmin.retry`.

    Attributes:
        put_back: number of dead letters that wait again.
        hastened: number of rows that waited for a later try or for an operator, and are due now.
        expired: number of pairs left as dead letters, since TikTok would count them a second time.
        too_old: number of events left as dead letters, since TikTok no longer attributes them.
    """

    put_back: int = 0
    hastened: int = 0
    expired: int = 0
    too_old: int = 0

    @property
    def in_words(self) -> str:
        """Return what was done, but for what stays dead."""
        return f"{self.put_back} dead letter(s) wait again, {self.hastened} event(s) are tried at once."

    def may_put_back(self, age_s: float, *, is_paired: bool, source: str, as_new: bool) -> bool:
        """Return whether a dead letter may wait again; count it if it is too old.

        Args:
            age_s: age of the event, in seconds.
            is_paired: whether a browser copy was handed out.
            source: TikTok's ``event_source``.
            as_new: whether pairs that are too old for TikTok's deduplication may wait too.
        """
        if age_s > ttl_s(is_paired=False, source=source):
            self.too_old += 1
            return False
        if age_s > ttl_s(is_paired, source) and not as_new:
            self.expired += 1
            return False
        return True


class Erased(msgspec.Struct):
    """Result of `OutboxAdmin.erase`: numbers of removed items.

    Attributes:
        waiting: events that waited.
        in_flight: events that a process was sending; their request may still arrive.
        dead: dead letters.
        deferred: browser copies that waited for their page.
        is_scrubbed: whether the file and its log no longer contain deleted copies.
    """

    waiting: int = 0
    in_flight: int = 0
    dead: int = 0
    deferred: int = 0
    is_scrubbed: bool = False

    @property
    def in_words(self) -> str:
        """Return what was removed."""
        return (
            f"Removed {self.waiting} waiting event(s), {self.dead} dead letter(s), {self.deferred} browser copies"
            f" and {self.in_flight} event(s) that were being sent and may still arrive."
        )

    def note(self, state: str) -> None:
        """Count a removed event by its state."""
        if state == IN_FLIGHT:
            self.in_flight += 1
        elif state == WAITING:
            self.waiting += 1
        else:
            self.dead += 1


def grouped(rows: Iterable[tuple[str, str, str, str, int, int]]) -> list[Group]:
    """Return rows grouped by state, environment, event and reason code.

    Args:
        rows: state, environment, event, reason, number and time of the oldest event of each different reason.
    """
    groups: dict[tuple[str, str, str, str], Group] = {}
    for state, environment, event, reason, count, oldest in rows:
        key = state, environment, event, reason_code(reason)
        known = groups.get(key)
        groups[key] = Group(
            state=state,
            event=event,
            reason=known.reason if known else shown_reason(reason),
            count=count + (known.count if known else 0),
            oldest=min(oldest, known.oldest) if known else oldest,
            environment=environment,
            code=reason_code(reason),
        )
    return list(groups.values())


def shown_row(values: dict[str, Any], body: bytes) -> OutboxRow:
    """Return a row as an operator sees it.

    Args:
        values: its fields, but for those that its body holds.
        body: the stored body.
    """
    try:
        item = msgspec.json.decode(body)
    except msgspec.DecodeError:
        item = {}
    item = item if isinstance(item, dict) else {}
    shown = {**values, "paired": bool(values["paired"]), "reason": shown_reason(values["reason"])}
    return OutboxRow(**shown, page=item.get("page") or {}, properties=item.get("properties") or {})


def table_of(state: str) -> str:
    """Return the state that names the table of rows in ``state``."""
    return WAITING if state == IN_FLIGHT else state


def chosen_tables(choice: RowFilter, tables: Iterable[str]) -> list[str]:
    """Return those of the tables that may have selected rows, so that no others are read."""
    wanted = {table_of(state) for state in choice.states}
    return [table for table in tables if table in wanted]


#: Returns the selected rows of a table with smaller numbers than a given one (None: any), the newest first.
ReadBelow = Callable[[str, "int | None"], Sequence[OutboxRow]]


def newest(
    read: ReadBelow, choice: RowFilter, tables: Iterable[str], after: tuple[str, int] | None
) -> Iterator[OutboxRow]:
    """Yield the selected rows by table, the newest first.

    Args:
        read: reads a part of a table.
        choice: selected rows.
        tables: tables in their order.
        after: state and number of the row after which to begin; None for the first row.
    """
    left = chosen_tables(choice, tables)
    below: int | None = None
    if after is not None and table_of(after[0]) in left:
        left = left[left.index(table_of(after[0])) :]
        below = after[1]
    for table in left:
        while part := read(table, below):
            yield from part
            below = part[-1].id
        below = None
