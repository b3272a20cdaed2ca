"""Operator's access to the events that wait on this host for a shared outbox, while other processes use their file."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tiktok_middleware.core.events.event import OutboxEntry, Record
from tiktok_middleware.delivery.outbox.admin import scrub, user_of
from tiktok_middleware.delivery.outbox.dead_letters import WAITING, Erased, OutboxRow, RowFilter
from tiktok_middleware.delivery.outbox.person import Person
from tiktok_middleware.errors import OutboxError

__all__ = ["SpoolAdmin"]

_BUSY_S = 10.0
_REASON = "waits on this host for the shared outbox"
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[OutboxEntry]).decode
_Waiting = tuple[int, str, list[OutboxEntry] | None, bytes]


class SpoolAdmin:
    """Reads and changes an ``*.undecided.sqlite3`` file.

    Args:
        path: path of the file.

    Raises:
        OutboxError: from every method: the file is damaged or cannot be written.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def rows(self, choice: RowFilter, person: Person | None = None) -> Iterator[OutboxRow]:
        """Yield the selected rows, oldest first."""
        if WAITING not in choice.states:
            return
        with self._open("ro") as db:
            puts = list(_puts(db, "spool"))
        for id_, environment, entries, _ in puts:
            for record in (record for entry in entries or () for record in entry.records):
                row = _shown(id_, environment, record)
                if _is_chosen(row, choice) and (person is None or person.has(user_of(record.body))):
                    yield row

    def count(self, choice: RowFilter) -> int:
        """Return how many rows ``choice`` selects."""
        return sum(1 for _ in self.rows(choice))

    def erase(self, person: Person) -> Erased:
        """Remove all events of a person, and puts that cannot be read but hold one of the person's values.

        An event that counts once stays claimed: its entry is kept without its server copies.
        """
        done = Erased()
        with self._open("rw") as db:
            db.execute("BEGIN IMMEDIATE")
            for table in ("spool", "unreadable"):
                for id_, _, entries, packed in list(_puts(db, table)):
                    if person.is_in(packed):
                        done.waiting += _erase_put(db, table, id_, entries, person)
            payloads = db.execute("SELECT ref, body FROM deferred").fetchall()
            mine = [(ref,) for ref, body in payloads if person.is_in(body)]
            db.executemany("DELETE FROM deferred WHERE ref = ?", mine)
            done.deferred = len(mine)
            db.execute("COMMIT")
            done.is_scrubbed = scrub(db)
        return done

    @contextlib.contextmanager
    def _open(self, mode: str) -> Iterator[sqlite3.Connection]:
        db = None
        try:
            db = sqlite3.connect(
                f"{self._path.absolute().as_uri()}?mode={mode}", uri=True, timeout=_BUSY_S, isolation_level=None
            )
            if mode == "rw":
                db.execute("PRAGMA secure_delete=ON")
            yield db
        except sqlite3.Error as error:
            raise OutboxError(f"{self._path}: {error}") from None
        finally:
            if db is not None:
                db.close()


def _puts(db: sqlite3.Connection, table: str) -> Iterator[_Waiting]:
    """Yield number, environment, entries and stored bytes of each put; the entries are None if they cannot be read."""
    if not db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone():
        return  # no event has come to this table yet
    query = f"SELECT id, environment, CAST(entries AS BLOB) FROM {table} ORDER BY id"  # noqa: S608 - a constant
    for id_, environment, packed in db.execute(query):
        yield id_, environment, _entries(packed), packed


def _entries(packed: bytes) -> list[OutboxEntry] | None:
    try:
        return _decode(packed)
    except (msgspec.DecodeError, ValueError):
        return None


def _erase_put(db: sqlite3.Connection, table: str, id_: int, entries: list[OutboxEntry] | None, person: Person) -> int:
    """Remove a person's records from a put; return how many."""
    if entries is None:
        [rows] = db.execute(f"SELECT rows FROM {table} WHERE id = ?", (id_,)).fetchone()  # noqa: S608 - a constant
        db.execute(f"DELETE FROM {table} WHERE id = ?", (id_,))  # noqa: S608 - a constant
        return int(rows)
    left = [_without(entry, person) for entry in entries]
    before, after = (sum(len(entry.records) for entry in some) for some in (entries, left))
    db.execute(
        f"UPDATE {table} SET entries = ?, rows = ? WHERE id = ?",  # noqa: S608 - a constant
        (_encode(left), after, id_),
    )
    return before - after


def _without(entry: OutboxEntry, person: Person) -> OutboxEntry:
    records = tuple(record for record in entry.records if not person.has(user_of(record.body)))
    deferred = entry.deferred
    if deferred is not None and person.is_in(deferred.body):
        deferred = None
    return msgspec.structs.replace(entry, records=records, deferred=deferred)


def _is_chosen(row: OutboxRow, choice: RowFilter) -> bool:
    fields = ("pixel", "environment", "event", "event_id")
    if choice.ids or any(getattr(choice, name) not in {"", getattr(row, name)} for name in fields):
        return False  # the numbers of rows are those of the database
    if choice.id_or_order not in {"", row.event_id, str(row.properties.get("order_id"))}:
        return False
    return choice.reason.lower() in row.reason and row.event_time <= choice.before


def _shown(id_: int, environment: str, record: Record) -> OutboxRow:
    try:
        item = msgspec.json.decode(record.body)
    except msgspec.DecodeError:
        item = {}
    item = item if isinstance(item, dict) else {}
    return OutboxRow(
        id=id_,
        state=WAITING,
        pixel=record.pixel,
        source=record.source,
        event=record.event,
        event_id=record.event_id,
        event_time=record.event_time,
        paired=record.paired,
        tries=0,
        reason=_REASON,
        at=record.event_time,
        page=item.get("page") or {},
        properties=item.get("properties") or {},
        environment=environment,
    )
