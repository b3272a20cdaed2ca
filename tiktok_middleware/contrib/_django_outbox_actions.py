"""What staff can do with selected events on the admin page of the outbox: the operations of the commands."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from tiktok_middleware.delivery.outbox.dead_letters import Erased, OutboxRow, Retried, RowFilter
from tiktok_middleware.delivery.outbox.person import Person

if TYPE_CHECKING:
    from tiktok_middleware.delivery.outbox.operator import Admin

__all__ = ["ACTIONS", "MAX_ROWS", "MAX_SEARCHED", "Action", "Outcome", "erase_person", "rows_of"]

MAX_ROWS = 10_000
"""Largest number of rows that an action takes: a request must end before servers give it up."""

MAX_SEARCHED = 100_000
"""Largest number of stored events in which a person is searched, for the same reason."""


class Outcome(NamedTuple):
    """Result of an action.

    Attributes:
        done: what was done.
        left: what was not done, and why; empty if nothing.
    """

    done: str
    left: str = ""


class Action(NamedTuple):
    """An action on selected events.

    Attributes:
        name: its name, which is also the prefix of its permission.
        label: what the menu shows.
        warning: what staff must know before they confirm.
        run: performs it on the selected rows; the flag says whether pairs that are too old are sent as new.
        removes: whether it removes events.
    """

    name: str
    label: str
    warning: str
    run: Callable[[Admin, Sequence[RowFilter], bool], Outcome]
    removes: bool = False


def rows_of(admin: Admin, chosen: Sequence[RowFilter], limit: int) -> Iterator[OutboxRow]:
    """Yield the first selected rows, at most ``limit`` of each selection."""
    for choice in chosen:
        yield from admin.newest(choice, limit)


def _retry(admin: Admin, chosen: Sequence[RowFilter], as_new: bool) -> Outcome:
    done = Retried()
    for choice in chosen:
        part = admin.retry(choice, as_new=as_new)
        done.put_back += part.put_back
        done.hastened += part.hastened
        done.expired += part.expired
        done.too_old += part.too_old
    left = []
    if done.expired:
        left.append(
            f"{done.expired} stay dead: their browser copy went out more than 47 h ago, and TikTok would count them"
            " again."
        )
    if done.too_old:
        left.append(
            f"{done.too_old} stay dead: they are older than 7 days (offline and CRM: 28), and TikTok attributes them"
            " to nothing."
        )
    return Outcome(done.in_words, " ".join(left))


def _forget(admin: Admin, chosen: Sequence[RowFilter], _as_new: bool) -> Outcome:
    events = {(row.event_id, row.environment) for row in rows_of(admin, chosen, MAX_ROWS)}
    gone = Counter(bool(admin.forget(event_id, environment)) for event_id, environment in sorted(events))
    left = f"{gone[False]} event(s) were not counted: nothing to forget." if gone[False] else ""
    return Outcome(f"{gone[True]} event(s) are forgotten and count again.", left)


def _purge(admin: Admin, chosen: Sequence[RowFilter], _as_new: bool) -> Outcome:
    count = sum(admin.count(choice) for choice in chosen)
    gone = sum(admin.purge(choice) for choice in chosen)
    left = count - gone
    text = f"{left} event(s) stay: they are being sent, or were delivered and are entries of the ledger."
    return Outcome(f"{gone} event(s) removed.", text if left > 0 else "")


def _erase(admin: Admin, chosen: Sequence[RowFilter], _as_new: bool) -> Outcome:
    people = [admin.people(choice) for choice in chosen]
    fields = ("email", "phone", "external_id", "ttp")
    person = Person(**{name: tuple({value for one in people for value in getattr(one, name)}) for name in fields})
    if not person:
        return Outcome("", "The selected events name nobody, so nothing was erased. Delivered events hold no identity.")
    return erase_person(admin, person)


def erase_person(admin: Admin, person: Person) -> Outcome:
    """Remove all stored events of a person, unless too many are stored to search them within a request."""
    if admin.count(RowFilter()) > MAX_SEARCHED:
        return Outcome(
            "",
            f"Nothing was erased: more than {MAX_SEARCHED:,} events wait or are dead, and a request cannot search so"
            " many. Use `tiktok-middleware erase`.",
        )
    done: Erased = admin.erase(person)
    left = [f"Not searched: {file}, a damaged file that was set aside." for file in admin.leftovers()]
    if not done.is_scrubbed:
        left.insert(0, "A reader kept copies of removed rows from being overwritten: erase once more.")
    return Outcome(done.in_words, " ".join(left))


ACTIONS = {
    action.name: action
    for action in (
        Action(
            "retry",
            "Retry selected events",
            "Dead letters wait again, events that wait for a later try or for an operator are tried at once, and halted"
            " pixels are resumed.",
            _retry,
        ),
        Action(
            "forget",
            "Forget that selected events were counted",
            "The next event with the same id is counted and sent again. TikTok counts a conversion twice if it has"
            " counted the first one.",
            _forget,
        ),
        Action(
            "purge",
            "Remove selected events",
            "The events are removed for good, and TikTok never gets those that wait. What was counted once stays"
            " counted.",
            _purge,
            removes=True,
        ),
        Action(
            "erase",
            "Erase the persons of selected events",
            "All stored events of the persons whom the selected events name are removed, also events that are not"
            " selected. What TikTok has received already is not removed there.",
            _erase,
            removes=True,
        ),
    )
}
