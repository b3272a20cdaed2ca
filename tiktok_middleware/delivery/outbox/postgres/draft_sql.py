"""SQL that writes a draft, in the placeholder styles of the drivers.

The insert has no unique key: a claim there would block other transactions until the app commits, and two orders could
deadlock. It inserts nothing in a database that is not the outbox's.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["DOLLAR", "NAMED", "PERCENT", "STYLES", "DraftSql", "style_of"]

DOLLAR, PERCENT, NAMED = "dollar", "percent", "named"
STYLES = (DOLLAR, PERCENT, NAMED)
"""``dollar``: ``$1``, for asyncpg. ``percent``: ``%s``, for psycopg. ``named``: ``:ref``, for SQLAlchemy's text()."""

_INSERT = (
    "INSERT INTO {schema}.draft (environment, ref, due, body)"
    " SELECT CAST({environment} AS text), CAST({ref} AS text), CAST({due} AS double precision), CAST({body} AS bytea)"
    " FROM {schema}.control WHERE name = 'identity'"
    " AND value = coalesce(CAST({identity} AS double precision), value)"
)
# The function catches its own errors, so that they do not abort the app's transaction.
_CALL = (
    "SELECT {schema}.add_draft(CAST({environment} AS text), CAST({ref} AS text), CAST({due} AS double precision),"
    " CAST({body} AS bytea), CAST({identity} AS double precision))"
)
_PLACEHOLDERS = {DOLLAR: "${index}", PERCENT: "%s", NAMED: ":{name}"}


def style_of(paramstyle: str) -> str:
    """Return our name of a driver's ``paramstyle`` (PEP 249, and SQLAlchemy's ``numeric_dollar``)."""
    return DOLLAR if paramstyle == "numeric_dollar" else PERCENT


class DraftSql(NamedTuple):
    """A draft to write.

    Attributes:
        schema: schema of the outbox's tables.
        environment: environment of the draft.
        ref: its random name.
        due: when it counts although nobody has completed it, in Unix seconds of the outbox's clock.
        body: the encoded entry.
        identity: number of the outbox's database, so that no draft gets into another one; None if it is not known.
    """

    schema: str
    environment: str
    ref: str
    due: float
    body: bytes
    identity: float | None

    def in_style(self, style: str, *, is_call: bool = False) -> tuple[str, tuple[object, ...] | dict[str, object]]:
        """Return the statement and its parameters.

        Args:
            style: one of ``STYLES``.
            is_call: True for a statement that catches its own errors, for code that has no savepoint around it.
        """
        values = {name: getattr(self, name) for name in self._fields[1:]}
        template = _PLACEHOLDERS[style]
        names = {name: template.format(index=index, name=name) for index, name in enumerate(values, 1)}
        sql = (_CALL if is_call else _INSERT).format(schema=f'"{self.schema}"', **names)
        return sql, values if style == NAMED else tuple(values.values())
