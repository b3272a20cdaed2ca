"""Operator's access to an outbox in PostgreSQL, while other processes use it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from tiktok_middleware.delivery.outbox.admin import user_of
from tiktok_middleware.delivery.outbox.base import DELAYED, Switches
from tiktok_middleware.delivery.outbox.dead_letters import (
    DEAD,
    DELIVERED,
    IN_FLIGHT,
    WAITING,
    Erased,
    OutboxRow,
    Retried,
    RowFilter,
    Summary,
    chosen_tables,
    grouped,
    newest,
    shown_row,
)
from tiktok_middleware.delivery.outbox.person import Person
from tiktok_middleware.delivery.outbox.postgres.address import read_address
from tiktok_middleware.delivery.outbox.postgres.connection import Connection, Db
from tiktok_middleware.delivery.outbox.postgres.drafts import is_draft_of
from tiktok_middleware.delivery.outbox.postgres.migrate import applied, may_write, migrate
from tiktok_middleware.delivery.outbox.postgres.move import Moved, move
from tiktok_middleware.delivery.outbox.postgres.schema import LEASED, READY, SCRIPTS
from tiktok_middleware.delivery.outbox.spool_admin import SpoolAdmin
from tiktok_middleware.errors import OutboxError

__all__ = ["PostgresAdmin"]

_STATEMENT_MS = 60_000
_PART = 500  # rows in one transaction

_COLUMNS = "id, environment, pixel, source, event, event_id, event_time, paired, tries, reason, body"
_TABLES = {
    WAITING: f"""SELECT {_COLUMNS}, due AS at, owner,
        CASE WHEN state = {LEASED} AND due > %(now)s THEN '{IN_FLIGHT}' ELSE '{WAITING}' END AS kind
        FROM {{schema}}.event""",  # noqa: S608 - constants
    DEAD: f"SELECT {_COLUMNS}, died AS at, NULL::text AS owner, '{DEAD}' AS kind FROM {{schema}}.dead",  # noqa: S608
    DELIVERED: f"""SELECT id, environment, pixel, source, event, event_id, event_time, channels <> 'server' AS paired,
        0 AS tries, reason, convert_to(json_build_object('properties', json_build_object(
        'order_id', order_id, 'value', value, 'currency', currency))::text, 'UTF8') AS body, at, NULL::text AS owner,
        '{DELIVERED}' AS kind FROM {{schema}}.ledger WHERE reason = '{DELIVERED}'""",  # noqa: S608
}
_QUEUED = (WAITING, DEAD)
# PostgreSQL reads no member of JSON that has an escaped NUL anywhere, so these escapes are removed before.
_CHOSEN = r"""(%(pixel)s = '' OR pixel = %(pixel)s) AND (%(environment)s = '' OR environment = %(environment)s)
    AND (%(event)s = '' OR event = %(event)s) AND (%(event_id)s = '' OR event_id = %(event_id)s)
    AND (%(reason)s = '' OR strpos(lower(reason), lower(%(reason)s)) > 0)
    AND (cardinality(%(ids)s::bigint[]) = 0 OR id = ANY(%(ids)s::bigint[]))
    AND (%(id_or_order)s = '' OR event_id = %(id_or_order)s OR CASE WHEN position(%(order_in_json)s IN body) > 0
        THEN regexp_replace(convert_from(body, 'UTF8'), '\\u0000|(\\.)', '\1', 'g')::json
            #>> '{properties,order_id}' = %(id_or_order)s END)
    AND CASE WHEN kind = 'dead' THEN at ELSE event_time END <= %(before)s AND kind = ANY(%(states)s)"""
_GROUPS = "SELECT kind, environment, event, reason, count(*), min(event_time) FROM ({table}) AS row GROUP BY 1, 2, 3, 4"
_COUNT = f"SELECT count(*) FROM ({{table}}) AS row WHERE {_CHOSEN}"  # noqa: S608 - constants
_ROWS = f"SELECT * FROM ({{table}}) AS row WHERE id > %(id)s AND {_CHOSEN} ORDER BY id LIMIT {_PART}"  # noqa: S608
_NEWEST = f"""SELECT * FROM ({{table}}) AS row WHERE (%(below)s::bigint IS NULL OR id < %(below)s::bigint) AND {_CHOSEN}
    ORDER BY id DESC LIMIT %(limit)s"""  # noqa: S608
_SIZES = """SELECT coalesce((SELECT sum(octet_length(body)) FROM {schema}.event), 0)::bigint,
    (SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace =
    (SELECT relnamespace FROM pg_class WHERE oid = '{schema}.control'::regclass))::bigint,
    (SELECT count(*) FROM {schema}.claim)"""
_HASTEN = f"""UPDATE {{schema}}.event SET due = %s WHERE id = %s AND due > %s AND owner IS NULL
    AND reason <> '{DELAYED}'"""  # noqa: S608 - constants
_PUT_BACK = f"""WITH gone AS (DELETE FROM {{schema}}.dead WHERE id = %s RETURNING *)
    INSERT INTO {{schema}}.event (environment, pixel, source, event, event_id, event_time, paired, body, state, due)
    SELECT environment, pixel, source, event, event_id, event_time, CASE WHEN %s THEN -1 ELSE paired END, body,
    {READY}, %s FROM gone"""  # noqa: S608 - constants
_PURGE = f"DELETE FROM {{schema}}.event WHERE id = %s AND NOT (state = {LEASED} AND due > %s)"  # noqa: S608 - constants
_SET = "INSERT INTO {schema}.control VALUES (%s, %s) ON CONFLICT (name) DO UPDATE SET value = excluded.value"

_Row = dict[str, Any]
_Progress = Callable[[int], None]


class PostgresAdmin:
    """Reads and changes an outbox in PostgreSQL.

    Args:
        url: ``postgresql://`` address.
        clock: returns Unix seconds.
        spools: files of this host where events wait while the database does not answer.

    Raises:
        OutboxError: from every method: the database does not answer, or refuses.
    """

    def __init__(self, url: str, clock: Callable[[], float], spools: Sequence[Path] = ()) -> None:
        address = read_address(url)
        self.name: str = address.shown
        self._schema = address.schema
        self._clock = clock
        self._now = 0.0
        self._spools = [SpoolAdmin(path) for path in spools]
        self._connection = Connection(address, _STATEMENT_MS, self._note_time, lambda _: None)

    def _note_time(self, at: float) -> None:
        self._now = at

    def migrate(self) -> int:
        """Create or migrate the tables; return how many scripts were applied."""
        return self._connection.migrate(migrate)

    @property
    def scripts(self) -> Sequence[str]:
        """Return this release's scripts, which create the tables one after the other."""
        return SCRIPTS

    def missing_scripts(self) -> int:
        """Return how many of this release's scripts the tables lack; all of them if there are no tables."""
        return max(len(SCRIPTS) - self._connection.migrate(applied), 0)

    def is_writable(self) -> bool:
        """Return whether the database is no replica, and its role may write to the tables."""
        return bool(self._connection.migrate(may_write))

    def move_from(self, path: Path, pixels: Sequence[str], on_progress: _Progress | None = None) -> Moved:
        """Move what an SQLite outbox holds into this one, and copy its claims.

        Args:
            path: the file.
            pixels: pixels of the app's pages.
            on_progress: called with the number of rows processed since the last call.
        """
        return move(path, self._connection, pixels, self._clock, on_progress or (lambda _: None))

    def summary(self) -> Summary:
        """Return the counts of all rows, and the size of the tables."""
        rows = [row for table in _QUEUED for row in self._read(_GROUPS, table, RowFilter())]
        [(waiting_bytes, table_bytes, claims)] = self._connection.read(self._connection.sql(_SIZES))
        return Summary(grouped(rows), waiting_bytes, table_bytes, claims)

    def count(self, choice: RowFilter) -> int:
        """Return how many rows ``choice`` selects."""
        there = sum(self._read(_COUNT, table, choice)[0][0] for table in chosen_tables(choice, _TABLES))
        return int(there) + sum(spool.count(choice) for spool in self._spools)

    def rows(self, choice: RowFilter, person: Person | None = None) -> Iterator[OutboxRow]:
        """Yield the selected rows: those that wait on this host, then those of the database by table and age."""
        for spool in self._spools:
            yield from spool.rows(choice, person)
        for table in chosen_tables(choice, _TABLES):
            for part in self._parts(table, choice):
                yield from (_shown(row) for row in part if person is None or person.has(user_of(row["body"])))

    def newest(self, choice: RowFilter, limit: int, after: tuple[str, int] | None = None) -> list[OutboxRow]:
        """Return the first selected rows of the database by table, the newest first.

        Args:
            choice: selected rows.
            limit: largest number of rows.
            after: state and number of the row after which to begin.
        """

        def read(table: str, below: int | None) -> list[OutboxRow]:
            found = self._read(_NEWEST, table, choice, below=below, limit=limit)
            return [_shown(row) for row in _named(found)]

        return list(islice(newest(read, choice, _TABLES, after), limit))

    def on_this_host(self) -> int:
        """Return how many events wait on this host for the database."""
        return sum(spool.count(RowFilter()) for spool in self._spools)

    def drafts(self) -> int:
        """Return how many events of the app's committed transactions wait to be completed, for a minute at most."""
        [(count,)] = self._connection.read(self._connection.sql("SELECT count(*) FROM {schema}.draft"))
        return int(count)

    def people(self, choice: RowFilter) -> Person:
        """Return the persons named in the selected rows of the database. Delivered rows hold no identity."""
        parts = (part for table in chosen_tables(choice, _QUEUED) for part in self._parts(table, choice))
        return Person.named_in(user_of(row["body"]) for part in parts for row in part)

    def retry(self, choice: RowFilter, *, as_new: bool = False, on_progress: _Progress | None = None) -> Retried:
        """Put dead letters back, make rows due now that wait for a later try, and resume halted pixels.

        The relay of any running process sends due rows within seconds.

        Args:
            choice: selected rows; rows in flight stay unchanged.
            as_new: also retry pairs that are too old for TikTok's deduplication, so that TikTok may count them again.
            on_progress: called with the number of rows processed since the last call.
        """
        done = Retried()
        for table in chosen_tables(choice, _QUEUED):
            for part in self._parts(table, choice):
                with self._connection.transaction() as db:
                    for row in part:
                        self._retry_one(db, row, as_new, done)
                if on_progress:
                    on_progress(len(part))
        with self._connection.transaction() as db:
            db.execute(self._connection.sql("UPDATE {schema}.control SET value = value + 1 WHERE name = 'resumes'"))
        return done

    def _retry_one(self, db: Db, row: _Row, as_new: bool, done: Retried) -> None:
        now, sql = self._now, self._connection.sql
        if row["kind"] == IN_FLIGHT:
            return
        if row["kind"] == WAITING:
            hastened = db.execute(sql(_HASTEN), (now, row["id"], now)).rowcount
            done.hastened += hastened or row["reason"] not in {"", DELAYED}  # a halted row is due already
            return
        age_s = now - row["event_time"]
        if done.may_put_back(age_s, is_paired=bool(row["paired"]), source=row["source"], as_new=as_new):
            done.put_back += db.execute(sql(_PUT_BACK), (row["id"], as_new, now)).rowcount

    def purge(self, choice: RowFilter, on_progress: _Progress | None = None) -> int:
        """Delete rows for good and return how many; the claims of ``once`` events stay.

        Args:
            choice: selected rows; rows in flight stay unchanged.
            on_progress: called with the number of rows processed since the last call.
        """
        gone = 0
        for table in chosen_tables(choice, _QUEUED):
            for part in self._parts(table, choice):
                with self._connection.transaction() as db:
                    gone += sum(self._purge_one(db, row) for row in part)
                if on_progress:
                    on_progress(len(part))
        return gone

    def _purge_one(self, db: Db, row: _Row) -> int:
        if row["kind"] == DEAD:
            return db.execute(self._connection.sql("DELETE FROM {schema}.dead WHERE id = %s"), (row["id"],)).rowcount
        return db.execute(self._connection.sql(_PURGE), (row["id"], self._now)).rowcount

    def erase(self, person: Person, on_progress: _Progress | None = None) -> Erased:
        """Remove all stored events of a person.

        PostgreSQL keeps copies of removed rows until it vacuums the tables, and in its log and backups. The tables are
        vacuumed here; the result tells whether that was possible. What waits on this host is searched first, since the
        database may not answer.

        Args:
            person: the person.
            on_progress: called with the number of rows processed since the last call.
        """
        done = Erased()
        on_host = [spool.erase(person) for spool in self._spools]
        done.waiting = sum(one.waiting for one in on_host)
        done.deferred = sum(one.deferred for one in on_host)
        try:
            self._erase(person, done, on_progress)
        except OutboxError as error:
            raise OutboxError(
                f"{error}. {done.waiting} event(s) that waited on this host are removed; run this again once the"
                " database answers"
            ) from None
        done.is_scrubbed &= all(one.is_scrubbed for one in on_host)
        return done

    def _erase(self, person: Person, done: Erased, on_progress: _Progress | None) -> None:
        for table in _QUEUED:
            for part in self._parts(table, RowFilter()):
                with self._connection.transaction() as db:
                    for row in part:
                        if person.is_in(row["body"]) and person.has(user_of(row["body"])):
                            self._erase_one(db, table, row, done)
                if on_progress:
                    on_progress(len(part))
        with self._connection.transaction() as db:
            done.deferred += self._erase_refs(db, "deferred", person.is_in)
            # Drafts of the app's own transactions, and what completes them.
            done.waiting += self._erase_refs(db, "draft", lambda body: is_draft_of(body, person))
            self._erase_refs(db, "draft_end", lambda body: is_draft_of(body, person))
        done.is_scrubbed = self._connection.vacuum(("event", "dead", "deferred", "draft", "draft_end"))

    def _erase_refs(self, db: Db, table: str, is_theirs: Callable[[bytes], bool]) -> int:
        """Remove a person's rows of a table whose key is ``ref``; return how many there were."""
        rows = db.execute(self._connection.sql(f"SELECT ref, body FROM {{schema}}.{table}")).fetchall()  # noqa: S608
        mine = [ref for ref, body in rows if is_theirs(bytes(body))]
        db.execute(self._connection.sql(f"DELETE FROM {{schema}}.{table} WHERE ref = ANY(%s)"), (mine,))  # noqa: S608
        return len(mine)

    def _erase_one(self, db: Db, table: str, row: _Row, done: Erased) -> None:
        name = "dead" if table == DEAD else "event"
        db.execute(self._connection.sql(f"DELETE FROM {{schema}}.{name} WHERE id = %s"), (row["id"],))  # noqa: S608
        done.note(row["kind"])

    def forget(self, event_id: str, environment: str) -> int:
        """Remove an event's claims, so that it counts again, and return how many there were.

        Args:
            event_id: id of the event.
            environment: environment of the claims; those of every pixel are removed.
        """
        sql = "DELETE FROM {schema}.claim WHERE environment = %s AND event_id = %s"
        with self._connection.transaction() as db:
            return db.execute(self._connection.sql(sql), (environment, event_id)).rowcount

    def switches(self) -> Switches:
        """Return the operator's switches."""
        rows = self._connection.read(self._connection.sql("SELECT name, value FROM {schema}.control"))
        values: dict[str, float] = {name: value for name, value in rows}  # noqa: C416 - its type
        return Switches(values.get("paused_at", 0.0), values.get("off_at", 0.0))

    def set_switches(self, switches: Switches) -> None:
        """Set the switches for all processes of all hosts."""
        with self._connection.transaction() as db:
            for name in ("paused_at", "off_at"):
                db.execute(self._connection.sql(_SET), (name, getattr(switches, name)))

    def leftovers(self) -> list[str]:
        """Return files beside the outbox that hold events too: none."""
        return []

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def _read(self, sql: str, table: str, choice: RowFilter, **more: object) -> Sequence[tuple[Any, ...]]:
        query = self._connection.sql(sql.replace("{table}", _TABLES[table]))
        return self._connection.read(query, {**self._values(choice), **more})

    def _parts(self, table: str, choice: RowFilter) -> Iterator[list[_Row]]:
        last_id = 0
        while part := _named(self._read(_ROWS, table, choice, id=last_id)):
            yield part
            last_id = part[-1]["id"]

    def _values(self, choice: RowFilter) -> dict[str, object]:
        self._connection.ensure_open()
        fields = ("pixel", "environment", "event", "event_id", "id_or_order", "order_in_json", "reason", "before")
        chosen = {name: getattr(choice, name) for name in fields}
        return {"now": self._now, "states": list(choice.states), "ids": list(choice.ids), **chosen}


def _named(rows: Sequence[tuple[Any, ...]]) -> list[_Row]:
    names = [*_COLUMNS.split(", "), "at", "owner", "kind"]
    return [{**dict(zip(names, row, strict=True)), "body": bytes(row[names.index("body")])} for row in rows]


def _shown(row: _Row) -> OutboxRow:
    names = set(OutboxRow.__struct_fields__) - {"page", "properties", "state"}
    return shown_row({"state": row["kind"], **{name: row[name] for name in names}}, row["body"])
