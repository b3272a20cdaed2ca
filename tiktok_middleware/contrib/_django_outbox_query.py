"""The query string of the admin page of the outbox: which rows are shown, and the links to other rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple
from urllib.parse import urlencode

from tiktok_middleware.delivery.outbox.dead_letters import DEAD, DELIVERED, IN_FLIGHT, WAITING, RowFilter, table_of

__all__ = ["STATES", "Query", "chosen_rows"]

STATES = (WAITING, IN_FLIGHT, DEAD, DELIVERED)

_FIELDS = ("state", "event", "reason", "pixel", "environment", "q", "after")
_MAX_CHARS = 256  # of the longest id of an event


class Query(NamedTuple):
    """What is shown; an empty field shows everything.

    Attributes:
        state: one of `STATES`.
        event: name of the event.
        reason: part of the reason.
        pixel: TikTok's ``event_source_id``.
        environment: name of the environment.
        q: id of the event, or its order's number.
        after: state and number of the row before the first that is shown, such as ``dead:17``.
    """

    state: str = ""
    event: str = ""
    reason: str = ""
    pixel: str = ""
    environment: str = ""
    q: str = ""
    after: str = ""

    @classmethod
    def read(cls, given: Mapping[str, str]) -> Query:
        """Read a query string; what is malformed shows everything."""
        found = cls(*(str(given.get(name, "")).replace("\0", "").strip()[:_MAX_CHARS] for name in _FIELDS))
        return found._replace(
            state=found.state if found.state in STATES else "", after=found.after if read_row(found.after) else ""
        )

    def choice(self) -> RowFilter:
        """Return the selected rows, of all pages."""
        states = (self.state,) if self.state else STATES
        return RowFilter(
            states=states,
            id_or_order=self.q,
            pixel=self.pixel,
            environment=self.environment,
            event=self.event,
            reason=self.reason,
        )

    def first_row(self) -> tuple[str, int] | None:
        """Return state and number of the row before the first that is shown."""
        return read_row(self.after)

    def link(self, **changes: str) -> str:
        """Return the query string with changes; it begins with the first row."""
        fields = self._replace(**{"after": "", **changes})._asdict()
        return f"?{urlencode({name: value for name, value in fields.items() if value})}"

    @property
    def is_filtered(self) -> bool:
        """Return whether some rows are not shown on any page."""
        return any(self._replace(after=""))


def read_row(text: str) -> tuple[str, int] | None:
    """Read a row's state and number; return None for anything else."""
    state, _, number = text.partition(":")
    if state not in STATES or not (number.isascii() and number.isdecimal() and len(number) < 19):
        return None
    return state, int(number)


def chosen_rows(selected: Sequence[str]) -> list[RowFilter]:
    """Return the selection of rows that a form names, one for each table; what is malformed is left out."""
    numbers: dict[str, list[int]] = {}
    for state, number in filter(None, map(read_row, selected)):
        numbers.setdefault(table_of(state), []).append(number)
    return [
        RowFilter(states=(WAITING, IN_FLIGHT) if table == WAITING else (table,), ids=tuple(ids))
        for table, ids in numbers.items()
    ]
