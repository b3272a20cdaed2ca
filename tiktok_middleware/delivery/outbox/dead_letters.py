"""What an operator sees of an outbox: its rows and its counts."""

from __future__ import annotations

import msgspec

__all__ = ["DEAD", "IN_FLIGHT", "WAITING", "Erased", "Group", "OutboxRow", "Retried", "RowFilter", "Summary"]

WAITING, IN_FLIGHT, DEAD = "waiting", "in_flight", "dead"


class RowFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which rows are meant; what is empty does not narrow the choice.

    Attributes:
        states: of ``waiting``, ``in_flight`` and ``dead``.
        pixel: TikTok's ``event_source_id``.
        environment: name of the environment.
        event: name of the event.
        event_id: its id.
        reason: part of the reason, in any case of letters.
        before: Unix seconds: died until then, or, where it still waits, happened until then.
    """

    states: tuple[str, ...] = (WAITING, IN_FLIGHT, DEAD)
    pixel: str = ""
    environment: str = ""
    event: str = ""
    event_id: str = ""
    reason: str = ""
    before: float = 1e12


class OutboxRow(msgspec.Struct, frozen=True):
    """One row, without whom it is about.

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
        reason: of the last failure, or of its death.
        at: Unix seconds: when it is due, when its lease ends, or when it died.
        page: the page's address and referrer, as they were cut down before they were stored.
        properties: what was tracked.
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
    """Rows that are alike.

    Attributes:
        state: as in `OutboxRow`.
        event: name of the event.
        reason: why the first of them waits, or died; empty where nothing failed.
        count: rows.
        oldest: Unix seconds, when the oldest of them happened.
        environment: name of the environment.
        code: TikTok's code, or what else the reasons have in common.
    """

    state: str
    event: str
    reason: str
    count: int
    oldest: int
    environment: str
    code: str


class Summary(msgspec.Struct, frozen=True):
    """The state of an outbox.

    Attributes:
        groups: all rows, by state, event and reason.
        waiting_bytes: bodies of what is not dead, in bytes.
        file_bytes: the file and its log.
        claims: what is remembered as counted once, a channel each.
    """

    groups: list[Group]
    waiting_bytes: int
    file_bytes: int
    claims: int

    def count(self, state: str) -> int:
        """How many rows are in ``state``."""
        return sum(group.count for group in self.groups if group.state == state)

    @property
    def oldest(self) -> int | None:
        """When the oldest event happened that is not dead, in Unix seconds."""
        return min((group.oldest for group in self.groups if group.state != DEAD), default=None)


class Retried(msgspec.Struct):
    """What became of a wish to try again.

    Attributes:
        put_back: dead letters that wait again.
        hastened: rows that waited for a later try, or for an operator, and are due now.
        expired: pairs that were left dead, since TikTok would count them a second time.
        too_old: events that were left dead, since TikTok attributes them to nothing.
    """

    put_back: int = 0
    hastened: int = 0
    expired: int = 0
    too_old: int = 0


class Erased(msgspec.Struct):
    """What was removed of a person.

    Attributes:
        waiting: events that waited.
        in_flight: events that a process was sending; their request may still arrive.
        dead: dead letters.
        deferred: browser copies that waited for their page.
        is_scrubbed: whether the file and its log hold no copy any more.
    """

    waiting: int = 0
    in_flight: int = 0
    dead: int = 0
    deferred: int = 0
    is_scrubbed: bool = False
