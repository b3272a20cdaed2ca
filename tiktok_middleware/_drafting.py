"""Give apps with asynchronous drivers the statement that puts an event into their own transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

from tiktok_middleware._storing import Storing
from tiktok_middleware.core.tracking.current import tracker_var
from tiktok_middleware.core.tracking.drafts import draft_statement
from tiktok_middleware.errors import EventError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from threading import Lock
    from weakref import WeakSet

    from tiktok_middleware.core.events.event import DraftWriter, Event
    from tiktok_middleware.core.runtime import Runtime
    from tiktok_middleware.core.tracking.tracker import Tracker

__all__ = ["Drafting", "InsertStatement"]


class InsertStatement(NamedTuple):
    """SQL statement that puts an event into the app's transaction.

    Attributes:
        sql: the statement.
        parameters: its parameters: a sequence, or a mapping for the style ``named``.
    """

    sql: str
    parameters: Sequence[object] | Mapping[str, object]


class Drafting(Storing):
    """The part of :class:`~tiktok_middleware.Client` for events in the app's own transactions."""

    runtime: Runtime
    _jobs: WeakSet[Tracker]
    _jobs_lock: Lock

    def _drafts(self) -> DraftWriter | None:
        """Return what writes drafts; an app's own delivery may have nothing of the kind."""
        return getattr(self._delivery_in_use, "drafts", None)

    def insert_statement(self, event: Event, *, style: str = "dollar") -> InsertStatement:
        """Return the statement that puts an event into the app's own transaction, for asynchronous drivers::

            event = request.tiktok.track("Purchase", order_id=order.id, value=59.9, currency="EUR")
            sql, parameters = client.insert_statement(event)
            await connection.execute(sql, *parameters)  # asyncpg, within the order's transaction

        From this call on the event counts only if the transaction commits. The statement catches its own errors, so
        that they do not abort the transaction. Call it before the response ends. For an event that is not to be sent,
        such as without consent, the statement does nothing.

        Args:
            event: what ``track()`` returned, in the same request or ``client.tracker()`` block.
            style: placeholders of the driver: ``dollar`` (``$1``, asyncpg), ``percent`` (``%s``, psycopg) or ``named``
                (``:ref``, SQLAlchemy's ``text()``).

        Raises:
            EventError: the outbox is in no database or ``style`` is unknown, in strict mode; otherwise it is logged
                once, and the event is stored as usual.
        """
        try:
            for tracker in self._trackers():
                made = draft_statement(event, tracker.state, style)
                if made is not None:
                    sql, parameters = made
                    return InsertStatement(sql, parameters)  # type: ignore[arg-type]  # of the style
        except EventError as error:
            if self.runtime.config.strict:
                raise
            self.runtime.notices.count("invalid")
            self.runtime.notices.once(str(error), f"{error}; the event is sent without waiting for the commit")
        except Exception as error:  # noqa: BLE001  # our failures never reach the app
            self.runtime.notices.failure("insert_statement", error)
        return InsertStatement("SELECT false", {} if style == "named" else ())

    def _trackers(self) -> Iterator[Any]:
        """Yield the trackers that may know the event: the current request's first, then those of open blocks."""
        current = tracker_var.get()
        if current is not None:
            yield current
        with self._jobs_lock:  # other threads begin blocks meanwhile
            jobs = list(self._jobs)
        yield from jobs
