"""Queries for due rows. They do one index look-up per queue (pixel and source), and scan no rows."""

# ruff: noqa: S608 - only placeholders and constants are formatted into SQL

from __future__ import annotations

from collections.abc import Collection

from tiktok_middleware.delivery.outbox.sqlite.rows import marks
from tiktok_middleware.delivery.outbox.sqlite.scopes import Scopes

__all__ = ["LAST_DUE", "DueQueries"]

_Query = tuple[str, tuple[object, ...]]

_QUEUES = """WITH RECURSIVE queue (pixel, source) AS (
    SELECT * FROM (SELECT pixel, source FROM waiting ORDER BY pixel, source LIMIT 1)
    UNION ALL
    SELECT next.pixel, next.source FROM queue JOIN waiting AS next ON next.id = coalesce(
        (SELECT id FROM waiting WHERE pixel = queue.pixel AND source > queue.source ORDER BY source LIMIT 1),
        (SELECT id FROM waiting WHERE pixel > queue.pixel ORDER BY pixel, source LIMIT 1)))"""
_IN_QUEUE = "FROM waiting WHERE waiting.pixel = queue.pixel AND waiting.source = queue.source"

LAST_DUE = f"{_QUEUES} SELECT max((SELECT max(due) {_IN_QUEUE})) FROM queue"
"""Latest due time, Unix seconds."""


class DueQueries:
    """Queries over the rows of one environment, each as SQL and its values.

    Args:
        scopes: scopes of the outbox.

    Attributes:
        values: values for the condition that `mine` returns.
    """

    def __init__(self, scopes: Scopes) -> None:
        self._scopes = scopes
        own = scopes.own
        self.values: tuple[object, ...] = own or ((scopes.suffix,) if scopes.suffix else ())
        self._due: dict[int, str] = {}  # SQL by number of blocked pixels
        self._mine = f"{{column}} IN {marks(own)}" if own else _in_environment(scopes)

    def mine(self, column: str) -> str:
        """Return the SQL condition for scopes that this process sends."""
        return self._mine.format(column=column)

    def due(self, blocked: Collection[str]) -> _Query:
        """Return the query for scope, source and due time of the row that is due first."""
        if (sql := self._due.get(len(blocked))) is None:
            sql = self._due[len(blocked)] = f"""{_QUEUES} SELECT pixel, source, (SELECT min(due) {_IN_QUEUE}) AS due
                FROM queue WHERE {self._unblocked(blocked)} ORDER BY due LIMIT 1"""
        return sql, self._values(blocked)

    def held(self, blocked: Collection[str], up_to: int, until: float | None) -> _Query:
        """Return the query that finds a row if any row numbered up to ``up_to`` waits.

        With ``until``, in Unix seconds, only rows count that are leased or due by then.
        """
        values = (*self._values(blocked), up_to, 1e12 if until is None else until)
        return (
            f"""{_QUEUES} SELECT 1 FROM queue WHERE {self._unblocked(blocked)}
            AND EXISTS (SELECT 1 {_IN_QUEUE} AND +id <= ? AND (+due <= ? OR owner IS NOT NULL)) LIMIT 1""",
            values,
        )

    def counted(self) -> _Query:
        """Return the query for the environment's waiting rows, their bytes, and its dead letters."""
        values = (self._scopes.suffix,) if self._scopes.suffix else ()
        here, usage_here = (_in_environment(self._scopes).format(column=column) for column in ("pixel", "scope"))
        dead = f"(SELECT count(*) FROM dead WHERE {here})"
        if self._scopes.home is None:
            sql = f"SELECT count(*), ifnull(sum(length(body)), 0), {dead} FROM waiting WHERE {here}"
        elif self._scopes.suffix:
            sql = f"SELECT ifnull(sum(rows), 0), ifnull(sum(bytes), 0), {dead} FROM usage WHERE {usage_here}"
        else:
            elsewhere = "ifnull(sum({0}), 0) FROM usage WHERE instr(scope, '@') > 0"
            sql = f"""SELECT rows - (SELECT {elsewhere.format("rows")}), bytes - (SELECT {elsewhere.format("bytes")}),
                {dead} FROM tally"""
            return sql, ()
        return sql, values * 2

    def oldest(self, *, are_few: bool) -> _Query:
        """Return the query for the time of the event that has waited longest.

        Args:
            are_few: whether most rows of the file belong to other environments, so that only the environment's own
                rows are read, not all in order.
        """
        values = (self._scopes.suffix,) if self._scopes.suffix else ()
        here = _in_environment(self._scopes).format(column="pixel")
        if are_few:
            first = f"SELECT min((SELECT min(id) {_IN_QUEUE})) FROM queue WHERE {here}"
            return f"{_QUEUES} SELECT event_time FROM waiting WHERE id = ({first})", values
        return f"SELECT event_time FROM waiting WHERE {here} ORDER BY id LIMIT 1", values

    def _unblocked(self, blocked: Collection[str]) -> str:
        return f"{self.mine('pixel')} AND pixel NOT IN {marks(blocked)}"

    def _values(self, blocked: Collection[str]) -> tuple[object, ...]:
        return (*self.values, *map(self._scopes.of, blocked))


def _in_environment(scopes: Scopes) -> str:
    """Return the SQL condition for scopes of the environment."""
    return f"substr({{column}}, -{len(scopes.suffix)}) = ?" if scopes.suffix else "instr({column}, '@') = 0"
