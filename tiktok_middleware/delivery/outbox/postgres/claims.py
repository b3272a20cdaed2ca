"""Claims in PostgreSQL: which channels have carried which event.

A put reads the claims that exist, decides, and inserts the new ones with sorted keys. If another transaction has
inserted one of them in between, the put is rolled back and decided again. A claim holds the id of its put, so a put
that is repeated because its answer was lost finds its own claims.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import inf
from typing import NamedTuple

from tiktok_middleware.core.events.event import OutboxEntry
from tiktok_middleware.delivery.outbox.base import PAIRED_TTL_S
from tiktok_middleware.delivery.outbox.postgres.connection import Connection, Db, LostRaceError
from tiktok_middleware.delivery.outbox.store_clock import StoreClock

__all__ = ["ONCE_RETENTION_S", "ClaimScope", "PostgresClaims"]

ONCE_RETENTION_S = 400 * 86400
"""How long a claim is kept, in seconds: a year and a month."""

_PASSED_S = ONCE_RETENTION_S - 4 * 86400  # an id made by a browser is valid for two days before and after its time
_CHANNELS = ("browser", "server")
_OTHER = {"browser": "server", "server": "browser"}

_FIND = """SELECT claim.pixel, claim.event_id, claim.channel, claim.put_id, claim.at
    FROM unnest(%s::text[], %s::text[]) AS asked (pixel, event_id)
    JOIN {schema}.claim AS claim
    ON claim.environment = %s AND claim.pixel = asked.pixel AND claim.event_id = asked.event_id"""
_MAKE = """INSERT INTO {schema}.claim (environment, pixel, event_id, channel, put_id, at)
    SELECT %s, pixel, event_id, channel, %s, at
    FROM unnest(%s::text[], %s::text[], %s::text[], %s::double precision[]) AS made (pixel, event_id, channel, at)
    ORDER BY pixel, event_id, channel ON CONFLICT DO NOTHING"""
_SENT = """SELECT min(at) FROM {schema}.ledger WHERE event_id = %s AND environment = %s
    AND (reason = 'delivered' OR channels <> 'server') AND (%s OR pixel = ANY(%s))"""

_Key = tuple[str, str, str]  # pixel, event id, channel


class _Claim(NamedTuple):
    put_id: bytes
    at: float


class ClaimScope(NamedTuple):
    """Where claims belong.

    Attributes:
        environment: name of the environment.
        pixels: pixels of the process's pages; if empty, all pixels count as one.
    """

    environment: str
    pixels: tuple[str, ...]

    def of(self, pixel: str) -> str:
        """Return the pixel under which a claim for ``pixel`` is stored."""
        return pixel if self.pixels else ""

    def all_of(self, pixels: Sequence[str]) -> list[str]:
        """Return the pixels under which the claims of an event are stored, one for each that counts separately."""
        return list(dict.fromkeys(pixels)) if self.pixels and pixels else [""]


class PostgresClaims:
    """Claims within one transaction.

    Args:
        connection: connection of the transaction.
        db: the transaction.
        scope: where the claims belong.
        clock: clock of the outbox.
        put_id: id of the put; empty for a put that is never repeated.
    """

    def __init__(self, connection: Connection, db: Db, scope: ClaimScope, clock: StoreClock, put_id: bytes) -> None:
        self._connection = connection
        self._db = db
        self._scope = scope
        self._put_id = put_id
        self._now = clock.now()
        self._too_old = clock.cutoff(PAIRED_TTL_S)
        self._known: dict[_Key, _Claim] = {}
        self._made: dict[_Key, float] = {}

    def read(self, entries: Iterable[OutboxEntry], pixels: tuple[str, ...]) -> None:
        """Read the claims of all events that the entries may claim.

        Args:
            entries: the entries of the put.
            pixels: pixels of a browser copy whose entry names none.
        """
        asked = dict.fromkeys(
            (pixel, entry.event_id) for entry in entries if entry.once for pixel in self._pixels_of(entry, pixels)
        )
        self.read_keys(list(asked))

    def read_keys(self, asked: Sequence[tuple[str, str]]) -> None:
        """Read the claims of pixels and event ids."""
        if not asked:
            return
        found = self._db.execute(
            self._connection.sql(_FIND), ([key[0] for key in asked], [key[1] for key in asked], self._scope.environment)
        )
        for pixel, event_id, channel, put_id, at in found:
            self._known[pixel, event_id, channel] = _Claim(put_id, at)

    def wins(self, event_id: str, pixels: Sequence[str], channel: str, passing: bool, happened: float = inf) -> bool:
        # A ``passing`` claim is stored with an older time, so that it is removed earlier than others.
        passed_s = _PASSED_S if passing else 0.0
        too_old = self._too_old - passed_s
        if happened < self._too_old:
            if self._sent_at(event_id, pixels):
                return False
            too_old = inf
        keys = [(pixel, event_id, channel) for pixel in self._scope.all_of(pixels)]
        if not all(self._is_free(key, too_old) for key in keys):
            return False
        for key in keys:
            self._made[key] = self._now - passed_s
        return True

    def wins_both(self, event_id: str, pixels: Sequence[str], passing: bool) -> tuple[bool, bool]:
        return self.wins(event_id, pixels, "browser", passing), self.wins(event_id, pixels, "server", passing)

    def first_at(self, event_id: str, pixels: Sequence[str], channel: str) -> float:
        """Return when the channel was claimed first, in Unix seconds; 0 if it was not."""
        keys = [(pixel, event_id, channel) for pixel in self._scope.all_of(pixels)]
        times = [self._made[key] for key in keys if key in self._made]
        times += [self._known[key].at for key in keys if key in self._known]
        return min(times) if times else self._sent_at(event_id, pixels)

    def _sent_at(self, event_id: str, pixels: Sequence[str]) -> float:
        """Return when the event left the outbox first, by the ledger, in Unix seconds; 0 if it has no entry."""
        values = (event_id, self._scope.environment, not (self._scope.pixels and pixels), list(pixels))
        row = self._db.execute(self._connection.sql(_SENT), values).fetchone()
        return float(row[0] or 0.0) if row else 0.0

    def make(self) -> None:
        """Insert the won claims.

        Raises:
            LostRaceError: another transaction has inserted one of them since they were read.
        """
        new = sorted(key for key in self._made if key not in self._known)
        if not new:
            return
        pixels, event_ids, channels = (list(column) for column in zip(*new, strict=True))
        values = (self._scope.environment, self._put_id, pixels, event_ids, channels, [self._made[key] for key in new])
        if self._db.execute(self._connection.sql(_MAKE), values).rowcount != len(new):
            raise LostRaceError

    def _is_free(self, key: _Key, too_old: float) -> bool:
        if key in self._made:
            return False
        known = self._known.get(key)
        if known is not None and not (self._put_id and known.put_id == self._put_id):
            return False
        other_key = (key[0], key[1], _OTHER[key[2]])
        other = self._known.get(other_key)
        return (other is None or other.at >= too_old) and self._made.get(other_key, inf) >= too_old

    def _pixels_of(self, entry: OutboxEntry, pixels: tuple[str, ...]) -> list[str]:
        own = tuple(record.pixel for record in entry.records)
        return list(dict.fromkeys((*self._scope.all_of(entry.pixels or pixels or own), *self._scope.all_of(own))))
