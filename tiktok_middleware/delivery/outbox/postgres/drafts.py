"""Drafts: events that the app's own transactions have inserted, and what completes them.

A draft is seen once its transaction has committed. The end of a response completes it: if the draft is seen, the event
is stored and the draft is removed in one transaction; if not, what completes it is kept, and the relay joins both when
the draft appears. A draft that nobody completes counts as it is when it is due; that is noted, so that a response that
ends later adds its browser copy alone.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from collections.abc import Callable, Sequence

import msgspec

from tiktok_middleware._printable import own_logger
from tiktok_middleware.core.events.event import NOT_YET, Claim, DeferredPayload, Draft, OutboxEntry
from tiktok_middleware.delivery.outbox.admin import user_of
from tiktok_middleware.delivery.outbox.person import Person
from tiktok_middleware.delivery.outbox.postgres.app_connection import read_connection, refusal_of
from tiktok_middleware.delivery.outbox.postgres.connection import Db
from tiktok_middleware.delivery.outbox.postgres.draft_sql import STYLES, DraftSql
from tiktok_middleware.delivery.outbox.postgres.store import Store
from tiktok_middleware.errors import EventError

__all__ = ["DUE_S", "Drafts", "is_draft_of"]

log: logging.Logger = own_logger(__name__)

DUE_S = 60.0
"""How long a draft waits for the end of its response, in seconds."""

_ASKED_S = 60.0  # how long a page asks again for the browser copy of a draft that is not committed
_ENDS_LIFE_S = 3600.0  # what completes a draft waits so long for the commit of its transaction
_PART = 200
_LOOK_S = 0.5
_PRUNE_S = 60.0
_MAX_WARNED = 20

_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(OutboxEntry).decode

_CLOSE = "DELETE FROM {schema}.draft WHERE ref = ANY(%s) RETURNING ref"
# Bodies of `draft_end` that stand for no entry: the draft was due, and was stored with or without a server copy.
_STORED, _STORED_WITHOUT_COPY = b"s", b""
_MAX_NOTE = 1
_KEEP_END = f"""INSERT INTO {{schema}}.draft_end (ref, environment, body, at) VALUES (%s, %s, %s, %s)
    ON CONFLICT (ref) DO UPDATE SET body = excluded.body, at = excluded.at
    WHERE octet_length(draft_end.body) > {_MAX_NOTE}"""  # noqa: S608 - a constant
_TAKE_NOTE = "DELETE FROM {schema}.draft_end WHERE ref = %s RETURNING body"
_NOTE = """INSERT INTO {schema}.draft_end (ref, environment, body, at)
    SELECT ref, %s, body, %s FROM unnest(%s::text[], %s::bytea[]) AS new (ref, body) ON CONFLICT (ref) DO NOTHING"""
_WAITS = """SELECT EXISTS (SELECT 1 FROM {schema}.draft WHERE environment = %(environment)s AND due <= %(now)s),
    EXISTS (SELECT 1 FROM {schema}.draft_end WHERE environment = %(environment)s)"""
_DUE = """SELECT draft.ref, draft.body, draft_end.body FROM {schema}.draft
    LEFT JOIN {schema}.draft_end ON draft_end.ref = draft.ref
    WHERE draft.environment = %(environment)s AND (draft.due <= %(now)s OR draft_end.ref IS NOT NULL)
    ORDER BY draft.due LIMIT %(part)s FOR UPDATE OF draft SKIP LOCKED"""
_ASKED = """SELECT draft.ref, draft_end.body FROM {schema}.draft_end JOIN {schema}.draft ON draft.ref = draft_end.ref
    WHERE draft_end.ref = %s FOR UPDATE OF draft"""
_KNOWN = f"SELECT at FROM {{schema}}.draft_end WHERE ref = %s AND octet_length(body) > {_MAX_NOTE}"  # noqa: S608
_REMOVE = ("DELETE FROM {schema}.draft WHERE ref = ANY(%s)", "DELETE FROM {schema}.draft_end WHERE ref = ANY(%s)")
_PRUNE = """WITH old AS (DELETE FROM {schema}.draft_end WHERE environment = %s AND at < %s RETURNING body)
    SELECT count(*) FROM old WHERE octet_length(body) > %s"""

#: Stores entries within a transaction and returns their claims.
StoreEntries = Callable[[Db, Sequence[OutboxEntry]], "list[Claim]"]


class Drafts:
    """Drafts of one outbox.

    Args:
        store: what the outbox's parts share.

    Attributes:
        identity: number of the outbox's database; None until the connection was opened.
        prepare: returns the entry to write for an entry.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._connection = store.requests
        self.identity: float | None = None
        self.prepare: Callable[[OutboxEntry], OutboxEntry] = _unchanged
        self._warned: set[str] = set()
        self._look_at = 0.0
        self._prune_at = 0.0
        self._expected_until = 0.0

    # On the app's thread

    def refusal(self, connection: object) -> str:
        return refusal_of(connection)

    def write(self, connection: object, ref: str, entry: OutboxEntry) -> str:
        app = read_connection(connection)
        if app is None:
            return "draft_failed"
        reason, error = app.write(self._sql(ref, entry))
        if reason == "draft_failed":
            self._warn(_why(error))
        return reason

    def _warn(self, why: str) -> None:
        """Log why a draft could not be written, once for each cause."""
        if why not in self._warned and len(self._warned) < _MAX_WARNED:
            self._warned.add(why)
            log.warning("An event could not be written in the app's transaction: %s", why)

    def statement(self, ref: str, entry: OutboxEntry, style: str) -> tuple[str, object] | None:
        if style not in STYLES:
            raise EventError("style", repr(style)[:50], ", ".join(STYLES))
        if self.identity is None:
            self._warn("TIKTOK_OUTBOX has not answered since this process began")
            return None
        return self._sql(ref, entry).in_style(style, is_call=True)

    def _sql(self, ref: str, entry: OutboxEntry) -> DraftSql:
        due = self._store.clock.now() + DUE_S
        body = _encode(self.prepare(entry))
        return DraftSql(self._store.schema, self._store.environment, ref, due, body, self.identity)

    # Within a put

    def close(self, db: Db, entries: Sequence[OutboxEntry], now: float) -> list[OutboxEntry | None]:
        """Remove the drafts that are seen, and return the entries to store, in their order.

        None stands for an entry whose draft is not seen; what completes it is kept for the relay.
        """
        refs = [entry.draft.ref for entry in entries if entry.draft is not None]
        if not refs:
            return list(entries)
        seen = {ref for (ref,) in db.execute(self._connection.sql(_CLOSE), (sorted(refs),))}
        found: list[OutboxEntry | None] = []
        for entry in entries:
            draft = entry.draft
            if draft is None:
                found.append(entry)
            elif draft.ref in seen:
                found.append(_whole(entry, draft, is_deferred=draft.is_deferred))
            elif self._keep_end(db, _whole(entry, draft, is_deferred=True), draft.ref, now):
                found.append(None)
            else:
                found.append(self._rest(db, _whole(entry, draft, is_deferred=draft.is_deferred), draft.ref))
        return found

    def _keep_end(self, db: Db, entry: OutboxEntry, ref: str, now: float) -> bool:
        """Keep what completes a draft for the relay; return False if the draft was due before and is stored."""
        values = (ref, self._store.environment, _encode(entry), now)
        if not db.execute(self._connection.sql(_KEEP_END), values).rowcount:
            return False
        self._expected_until = time.monotonic() + DUE_S
        return True

    def _rest(self, db: Db, entry: OutboxEntry, ref: str) -> OutboxEntry:
        """Return what is left to store of an entry whose draft was due before the response ended."""
        row = db.execute(self._connection.sql(_TAKE_NOTE), (ref,)).fetchone()
        has_copies = row is not None and bytes(row[0]) == _STORED
        return msgspec.structs.replace(entry, records=()) if has_copies else entry

    # Called by the relay, and when a page asks for a browser copy

    def due_in_s(self) -> float | None:
        """Return the seconds until the relay should look again, if transactions are expected to commit soon."""
        return max(self._look_at - time.monotonic(), 0.0) if time.monotonic() < self._expected_until else None

    def settle(self, store: StoreEntries, *, is_urgent: bool = False) -> Counter[str]:
        """Store the events of committed drafts that are completed or due.

        Return how many events were dropped because their transaction did not commit within an hour: ``rolled_back``.

        Args:
            store: stores entries.
            is_urgent: look now, also if the last look was a moment ago.
        """
        monotonic = time.monotonic()
        if monotonic < self._look_at and not is_urgent:
            return Counter()
        self._look_at = monotonic + _LOOK_S
        relay = self._store.relay
        relay.ensure_open()
        values = {"environment": self._store.environment, "now": self._store.clock.now(), "part": _PART}
        [(has_due, has_ends)] = relay.read(relay.sql(_WAITS), values)
        if not (has_due or has_ends):
            return Counter()
        while relay.retried(lambda db: self._settle(db, values, store)) == _PART:
            pass
        return self._prune(monotonic) if has_ends else Counter()

    def _settle(self, db: Db, values: dict[str, object], store: StoreEntries) -> int:
        rows = db.execute(self._connection.sql(_DUE), values).fetchall()
        if not rows:
            return 0
        entries: list[OutboxEntry] = []
        notes: dict[str, bytes] = {}
        # The app may have written a draft twice: dict keeps one row for each.
        for ref, first, end in {row[0]: row for row in rows}.values():
            if end is None:
                entries.append(_decode(bytes(first)))
                notes[ref] = _STORED if entries[-1].records else _STORED_WITHOUT_COPY
            elif len(end) > _MAX_NOTE:
                entries.append(_decode(bytes(end)))
            else:  # written again after the first one was due
                notes[ref] = bytes(end)
        store(db, entries)
        self._remove(db, [ref for ref, _, _ in rows])
        if notes:
            now = self._store.clock.now()
            db.execute(self._connection.sql(_NOTE), (self._store.environment, now, list(notes), list(notes.values())))
        return len(rows)

    def _prune(self, monotonic: float) -> Counter[str]:
        if monotonic < self._prune_at:
            return Counter()
        self._prune_at = monotonic + _PRUNE_S
        with self._store.relay.transaction() as db:
            values = (self._store.environment, self._store.clock.now() - _ENDS_LIFE_S, _MAX_NOTE)
            row = db.execute(self._connection.sql(_PRUNE), values).fetchone()
            return Counter(rolled_back=row[0] if row is not None else 0)

    def open(self, ref: str, store: StoreEntries) -> bytes | None:
        """Return the browser copy of a draft that a page asks for.

        Return `NOT_YET` if its transaction may still commit: the page asks again. None if there is no such draft, or
        its transaction has not committed for a minute.
        """
        connection = self._connection
        known = connection.read(connection.sql(_KNOWN), (ref,))
        if not known:
            return None
        found = connection.retried(lambda db: self._open(db, ref, store))
        is_old = known[0][0] <= self._store.clock.now() - _ASKED_S
        return None if found == NOT_YET and is_old else found

    def _open(self, db: Db, ref: str, store: StoreEntries) -> bytes | None:
        row = db.execute(self._connection.sql(_ASKED), (ref,)).fetchone()
        if row is None or len(row[1]) <= _MAX_NOTE:
            return NOT_YET
        entry = _decode(bytes(row[1]))
        [claim] = store(db, [entry])
        self._remove(db, [ref])
        return entry.deferred.body if claim.browser and entry.deferred is not None else None

    def _remove(self, db: Db, refs: list[str]) -> None:
        for sql in _REMOVE:
            db.execute(self._connection.sql(sql), (refs,))


def is_draft_of(body: bytes, person: Person) -> bool:
    """Return whether a stored entry belongs to a person."""
    return person.is_in(body) and any(person.has(user_of(record.body)) for record in _decode(body).records)


def _unchanged(entry: OutboxEntry) -> OutboxEntry:
    return entry


def _whole(entry: OutboxEntry, draft: Draft, *, is_deferred: bool) -> OutboxEntry:
    """Return the entry as it is stored, with the browser copy if a page will ask for it."""
    has_copy = entry.browser and is_deferred and draft.payload
    deferred = DeferredPayload(draft.ref, draft.payload) if has_copy else None
    return msgspec.structs.replace(entry, draft=None, deferred=deferred)


def _why(error: BaseException | None) -> str:
    if error is None:
        return "the app's connection leads to another database than TIKTOK_OUTBOX, or the outbox has no tables there"
    return f"{type(error).__name__}: {(str(error).strip().splitlines() or [''])[0]}"
