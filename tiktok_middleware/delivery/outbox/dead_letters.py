"""Operator's view of an outbox: rows, counts, and results of commands."""

from __future__ import annotations

import msgspec

__all__ = ["DEAD", "IN_FLIGHT", "WAITING", "Erased", "Group", "OutboxRow", "Retried", "RowFilter", "Summary"]

WAITING, IN_FLIGHT, DEAD = "waiting", "in_flight", "dead"


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Filter for rows; an empty field matches all rows.

    Attributes:
        states: any of ``waiting``, ``in_flight`` and ``dead``.
        pixel: TikTok's ``event_source_id``.
        environment: name of the environment.
        event: name of the event.
        event_id: id of the event.
        reason: part of the reason, in upper or lower case.
        before: latest time in Unix seconds: of death for dead letters, of the event for others.
    """

    states: tuple[str, ...] = (WAITING, IN_FLIGHT, DEAD)
    pixel: str = ""
    environment: str = ""
    event: str = ""
    event_id: str = ""
    reason: str = ""
    before: float = 1e12


class OutboxRow(msgspec.Struct, frozen=True):
    """One row, without the visitor's identity.

    Attributes:
        id: the row's number, within its state.
        state: ``waiting``, ``in_flight`` or ``dead``.
        pixel: TikTok's ``event_source_id``.
        source: TikTok's ``event_source``.
        event: name of the event.
        event_id: its id.
        event_time: Unix seconds.
        paired: whether a browser copy was handed out.
        tries: how often sending it failed.
        reason: reason of the last failure, or of becoming a dead letter.
        at: Unix seconds: when it is due, when its lease ends, or when it became a dead letter.
        page: URL and referrer of the page, redacted before they were stored.
        properties: tracked properties.
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
