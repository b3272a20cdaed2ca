"""Operator's access to an outbox file, while other processes use it."""

# ruff: noqa: S608 - only placeholders and constants are formatted into SQL

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

import msgspec

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
from tiktok_middleware.delivery.outbox.environment import PRODUCTION
from tiktok_middleware.delivery.outbox.person import Person
from tiktok_middleware.delivery.outbox.sqlite import usage
from tiktok_middleware.delivery.outbox.sqlite.migrate import add_tables
from tiktok_middleware.delivery.outbox.sqlite.once_claims import forget
from tiktok_middleware.delivery.outbox.sqlite.schema import ADDITIONS, SCHEMA_VERSION
from tiktok_middleware.delivery.outbox.sqlite.scopes import split_scope
from tiktok_middleware.delivery.outbox.sqlite.switches import read_switches, set_switches
from tiktok_middleware.errors import OutboxError

__all__ = ["OutboxAdmin"]

_BUSY_S = 10.0
_SCRUB_S = 10.0
_PART = 500  # rows in one transaction; kept short, since other processes wait for it

_COLUMNS = "id, pixel, source, event, event_id, event_time, paired, tries, reason"
_TABLES = {
    WAITING: f"""SELECT {_COLUMNS}, due AS at, body,
        CASE WHEN owner IS NOT NULL AND due > :now THEN '{IN_FLIGHT}' ELSE '{WAITING}' END AS state FROM waiting""",
    DEAD: f"SELECT {_COLUMNS}, died AS at, body, '{DEAD}' AS state FROM dead",
    DELIVERED: f"""SELECT id,
        CASE environment WHEN '{PRODUCTION}' THEN pixel ELSE pixel || '@' || environment END AS pixel, source,
        event, event_id, event_time, channels <> 'server' AS paired, 0 AS tries, reason, at,
        CAST(json_object('properties', json_object('order_id', order_id, 'value', value, 'currency', currency)) AS BLOB)
        AS body, '{DELIVERED}' AS state FROM ledger WHERE reason = '{DELIVERED}'""",
}
_QUEUED = (WAITING, DEAD)
_CHOSEN = """
    (:pixel = '' OR pixel = :pixel OR substr(pixel, 1, length(:pixel) + 1) = :pixel || '@')
    AND (:environment = '' OR :environment =
        CASE instr(pixel, '@') WHEN 0 THEN 'production' ELSE substr(pixel, instr(pixel, '@') + 1) END)
    AND (:event = '' OR event = :event) AND (:event_id = '' OR event_id = :event_id)
    AND (:reason = '' OR instr(lower(reason), lower(:reason)) > 0)
    AND (:id_or_order = '' OR event_id = :id_or_order OR CASE WHEN instr(body, :order_in_json) = 0 THEN 0
        WHEN json_valid(CAST(body AS TEXT))
        THEN CAST(json_extract(CAST(body AS TEXT), '$.properties.order_id') AS TEXT) = :id_or_order END)
    AND (CASE WHEN state = 'dead' THEN at ELSE event_time END) <= :before
"""
_PUT_BACK = """INSERT INTO waiting (pixel, source, event, event_id, event_time, paired, body, due)
    SELECT pixel, source, event, event_id, event_time,
        CASE WHEN :as_new THEN -1 ELSE paired END, body, :now FROM dead WHERE id = :id"""

_NOT_COLUMNS = frozenset({"page", "properties", "environment"})
_Progress = Callable[[int], None]


class OutboxAdmin:
    """Reads and changes an existing outbox file. It never creates, migrates or replaces the file.

    Args:
        path: path of the file.
        clock: returns Unix seconds.

    Raises:
        OutboxError: from every method: the file is missing, damaged, of another release, or cannot be written.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.name: str = str(path)
        self._path = path
        self._clock = clock

    def switches(self) -> Switches:
        """Return the operator's switches."""
        return read_switches(self._path)

    def set_switches(self, switches: Switches) -> None:
        """Set the switches for all processes that use the file.

        Raises:
            OutboxError: the file of the switches cannot be written.
        """
        try:
            set_switches(self._path, switches)
        except OSError as error:
            raise OutboxError(f"cannot write beside {self._path}: {error.strerror}") from None

    def leftovers(self) -> list[str]:
        """Return damaged files that were set aside, which hold events too."""
        return sorted(str(file) for file in self._path.parent.glob(f"{self._path.name}.damaged-*"))

    def close(self) -> None:
        """Do nothing: each method closes the file."""

    def summary(self) -> Summary:
        """Return the counts of all rows, and the file's size."""
        query = "SELECT state, pixel, event, reason, count(*), min(event_time) FROM ({}) GROUP BY 1, 2, 3, 4"
        with self._open("ro") as db:
            values = self._values(RowFilter())
            rows = [row for table in _QUEUED for row in db.execute(query.format(_TABLES[table]), values)]
            size, claims = db.execute("SELECT bytes, claims FROM tally").fetchone()
        scoped = ((state, split_scope(scope)[1], *rest) for state, scope, *rest in rows)
        files = (Path(f"{self._path}{tail}") for tail in ("", "-wal"))
        on_disk = sum(file.stat().st_size for file in files if file.exists())
        return Summary(grouped(scoped), size, on_disk, claims)

    def count(self, choice: RowFilter) -> int:
        """Return how many rows ``choice`` selects."""
        with self._open("ro") as db:
            query = f"SELECT count(*) FROM ({{}}) WHERE {_CHOSEN} AND {_in(choice)}"
            queries = [query.format(_TABLES[table]) for table in chosen_tables(choice, _tables(db))]
            return sum(db.execute(sql, self._values(choice)).fetchone()[0] for sql in queries)

    def rows(self, choice: RowFilter, person: Person | None = None) -> Iterator[OutboxRow]:
        """Yield the selected rows by table and age; read in parts, so that checkpoints of the log can run between."""
        with self._open("ro") as db:
            for table in chosen_tables(choice, _tables(db)):
                for part in self._parts(db, table, choice):
                    yield from (_row(row) for row in part if person is None or person.has(user_of(row["body"])))

    def newest(self, choice: RowFilter, limit: int, after: tuple[str, int] | None = None) -> list[OutboxRow]:
        """Return the first selected rows by table, the newest first.

        Args:
            choice: selected rows.
            limit: largest number of rows.
            after: state and number of the row after which to begin.
        """
        query = "SELECT * FROM ({}) WHERE ({} OR id < :below) AND " + f"{_CHOSEN} AND {_in(choice)} ORDER BY id DESC"
        with self._open("ro") as db:

            def read(table: str, below: int | None) -> list[OutboxRow]:
                values = {**self._values(choice), "below": below, "limit": limit}
                sql = f"{query.format(_TABLES[table], int(below is None))} LIMIT :limit"
                return [_row(row) for row in db.execute(sql, values)]

            return list(islice(newest(read, choice, _tables(db), after), limit))

    def on_this_host(self) -> int:
        """Return how many events wait on this host for a shared outbox: none."""
        return 0

    def drafts(self) -> int:
        """Return how many events of the app's own transactions wait to be completed: none."""
        return 0

    def people(self, choice: RowFilter) -> Person:
        """Return the persons named in the selected rows. Delivered rows hold no identity."""
        with self._open("ro") as db:
            parts = (part for table in chosen_tables(choice, _QUEUED) for part in self._parts(db, table, choice))
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
        with self._open("rw") as db:
            for table in chosen_tables(choice, _QUEUED):
                for part in self._parts(db, table, choice):
                    with _transaction(db):
                        for row in part:
                            self._retry_one(db, row, as_new, done)
                    if on_progress:
                        on_progress(len(part))
            with _transaction(db):
                db.execute("UPDATE tally SET resumes = resumes + 1")
        return done

    def _retry_one(self, db: sqlite3.Connection, row: sqlite3.Row, as_new: bool, done: Retried) -> None:
        now = self._clock()
        if row["state"] == IN_FLIGHT:
            return
        if row["state"] == WAITING:
            sql = f"UPDATE waiting SET due = ? WHERE id = ? AND due > ? AND owner IS NULL AND reason <> '{DELAYED}'"
            hastened = db.execute(sql, (now, row["id"], now)).rowcount
            done.hastened += hastened or row["reason"] not in {"", DELAYED}  # a halted row is due already
            return
        is_allowed = done.may_put_back(
            now - row["event_time"], is_paired=bool(row["paired"]), source=row["source"], as_new=as_new
        )
        if is_allowed and db.execute(_PUT_BACK, {"id": row["id"], "now": now, "as_new": as_new}).rowcount:
            db.execute("DELETE FROM dead WHERE id = ?", (row["id"],))
            _count(db, row["pixel"], 1, len(row["body"]))
            done.put_back += 1

    def purge(self, choice: RowFilter, on_progress: _Progress | None = None) -> int:
        """Delete rows for good and return how many; the claims of ``once`` events stay.

        Args:
            choice: selected rows; rows in flight stay unchanged.
            on_progress: called with the number of rows processed since the last call.
        """
        gone = 0
        with self._open("rw") as db:
            for table in chosen_tables(choice, _QUEUED):
                for part in self._parts(db, table, choice):
                    with _transaction(db):
                        gone += sum(self._purge_one(db, row) for row in part)
                    if on_progress:
                        on_progress(len(part))
            if gone:
                scrub(db)
        return gone

    def erase(self, person: Person, on_progress: _Progress | None = None) -> Erased:
        """Remove all stored events of a person, including deleted copies in the file and its log.

        Rows that a process is sending are removed too, but their request may still arrive.

        Args:
            person: the person.
            on_progress: called with the number of rows processed since the last call.
        """
        done = Erased()
        with self._open("rw") as db:
            for table in _QUEUED:
                for part in self._parts(db, table, RowFilter()):
                    with _transaction(db):
                        for row in part:
                            if person.is_in(row["body"]) and person.has(user_of(row["body"])):
                                self._erase_one(db, table, row, done)
                    if on_progress:
                        on_progress(len(part))
            with _transaction(db):
                payloads = db.execute("SELECT ref, body FROM parcels").fetchall()
                mine = [(row["ref"],) for row in payloads if person.is_in(row["body"])]
                db.executemany("DELETE FROM parcels WHERE ref = ?", mine)
                done.deferred = len(mine)
            done.is_scrubbed = scrub(db)
        return done

    def _erase_one(self, db: sqlite3.Connection, table: str, row: sqlite3.Row, done: Erased) -> None:
        db.execute(f"DELETE FROM {table} WHERE id = ?", (row["id"],))
        if table == WAITING:
            _count(db, row["pixel"], -1, -len(row["body"]))
        done.note(row["state"])

    def forget(self, event_id: str, environment: str) -> int:
        """Remove an event's claims, so that it counts again, and return how many there were.

        Args:
            event_id: id of the event.
            environment: environment of the claims; those of every pixel are removed.
        """
        suffix = "" if environment == PRODUCTION else f"@{environment}"
        with self._open("rw") as db, _transaction(db):
            keys = [event_id] if not suffix else []
            found = db.execute(
                "SELECT DISTINCT event_id FROM once WHERE substr(event_id, -?) = ?", (len(event_id) + 1, f"/{event_id}")
            ).fetchall()
            scopes = {key: key.removesuffix(f"/{event_id}") for (key,) in found}
            keys += [key for key, scope in scopes.items() if split_scope(scope)[1] == environment]
            gone = forget(db, keys)
            usage.add(db, "", None, 0, 0, claims=-gone)
        return gone

    def _purge_one(self, db: sqlite3.Connection, row: sqlite3.Row) -> int:
        if row["state"] == DEAD:
            return db.execute("DELETE FROM dead WHERE id = ?", (row["id"],)).rowcount
        sql = "DELETE FROM waiting WHERE id = ? AND (owner IS NULL OR due <= ?)"
        gone = db.execute(sql, (row["id"], self._clock())).rowcount
        _count(db, row["pixel"], -gone, -gone * len(row["body"]))
        return gone

    def _parts(self, db: sqlite3.Connection, table: str, choice: RowFilter) -> Iterator[list[sqlite3.Row]]:
        last_id = 0
        query = (
            f"SELECT * FROM ({_TABLES[table]}) WHERE id > :id AND {_CHOSEN} AND {_in(choice)} ORDER BY id LIMIT {_PART}"
        )
        while part := db.execute(query, {**self._values(choice), "id": last_id}).fetchall():
            yield part
            last_id = part[-1]["id"]

    def _values(self, choice: RowFilter) -> dict[str, object]:
        fields = ("pixel", "environment", "event", "event_id", "id_or_order", "order_in_json", "reason", "before")
        return {"now": self._clock(), **{name: getattr(choice, name) for name in fields}}

    @contextlib.contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        if not self._path.is_file():
            raise OutboxError(f"there is no outbox at {self._path}: nothing was ever stored there")
        db = None
        try:
            db = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None
            )
            db.row_factory = sqlite3.Row
            version = db.execute("PRAGMA user_version").fetchone()[0]
            if version != SCHEMA_VERSION:
                raise OutboxError(
                    f"outbox {self._path}: its tables are of version {version} and this release's of {SCHEMA_VERSION};"
                    " use the release that the app runs, after the app has opened it once"
                )
            if mode == "rw":
                db.execute("PRAGMA secure_delete=ON")
                add_tables(db, ADDITIONS)
            yield db
        except sqlite3.Error as error:
            # SQLite raises exactly this class, not a subclass, for a file that is not a valid database.
            if type(error) is sqlite3.DatabaseError:
                raise OutboxError(
                    f"outbox {self._path} is damaged ({error}); the app sets it aside and goes on"
                ) from None
            raise OutboxError(f"outbox {self._path}: {error}") from None
        finally:
            if db is not None:
                db.close()


@contextlib.contextmanager
def _transaction(db: sqlite3.Connection) -> Iterator[None]:
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
    except BaseException:
        db.execute("ROLLBACK")
        raise
    db.execute("COMMIT")


def _count(db: sqlite3.Connection, scope: str, rows: int, size: int) -> None:
    usage.add(db, scope, db.execute("SELECT home FROM tally").fetchone()[0], rows, size)


def scrub(db: sqlite3.Connection) -> bool:
    """Empty the log, so that no copy of a deleted row is left; return False if readers prevent it for `_SCRUB_S`."""
    deadline = time.monotonic() + _SCRUB_S
    db.execute("PRAGMA busy_timeout=200")
    while db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def user_of(body: bytes) -> dict[str, object]:
    """Return the ``user`` object of a stored body; empty if there is none."""
    try:
        item = msgspec.json.decode(body)
    except msgspec.DecodeError:
        return {}
    user = item.get("user") if isinstance(item, dict) else None
    return user if isinstance(user, dict) else {}


def _tables(db: sqlite3.Connection) -> list[str]:
    """Return the tables that the file has: the release before had no ledger, and only writing adds it."""
    has_ledger = db.execute("SELECT 1 FROM sqlite_master WHERE name = 'ledger'").fetchone()
    return [table for table in _TABLES if table != DELIVERED or has_ledger]


def _in(choice: RowFilter) -> str:
    known = (WAITING, IN_FLIGHT, DEAD, DELIVERED)
    states = f"state IN ({', '.join(repr(state) for state in choice.states if state in known)})"
    return f"{states} AND id IN ({', '.join(str(int(id_)) for id_ in choice.ids)})" if choice.ids else states


def _row(row: sqlite3.Row) -> OutboxRow:
    pixel, environment = split_scope(row["pixel"])
    values = {name: row[name] for name in OutboxRow.__struct_fields__ if name not in _NOT_COLUMNS}
    return shown_row({**values, "pixel": pixel, "environment": environment}, row["body"])
