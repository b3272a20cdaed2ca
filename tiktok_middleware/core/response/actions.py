"""Actions that an exchange returns to its adapter, and the phases of a response.

Imports little, because importing an adapter has to stay fast.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Final, Union

if TYPE_CHECKING:
    from tiktok_middleware.core.events.event import OutboxEntry
    from tiktok_middleware.core.http.response_headers import Headers

__all__ = ["PASS", "Commit", "Forward", "Pass", "Phase", "Step"]


class Phase(Enum):
    """How far a response has come."""

    WAITING = "waiting"  # for the app's response head
    SEARCHING = "searching"  # for the head end; the response head may still be held
    PASSING = "passing"  # bytes pass unchanged; something may be added at the end
    REWRITING = "rewriting"  # like PASSING, but each piece of a compressed body is encoded again
    DONE = "done"  # bytes pass; nothing remains to be done


class Pass(Enum):
    """Send the head or the bytes that the app has just given unchanged; nothing is held."""

    AS_IT_CAME = "as it came"


PASS: Final = Pass.AS_IT_CAME


class Forward:
    """Send these headers and bytes now.

    Attributes:
        headers: headers of the response, in the adapter's types; None when this step sends no head.
        body: bytes of the body.
    """

    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers | None, body: bytes = b"") -> None:
        self.headers: Headers | None = headers
        self.body: bytes = body


class Commit:
    """Store these events before anything more is sent.

    Attributes:
        submissions: one entry for each event.
    """

    __slots__ = ("submissions",)

    def __init__(self, submissions: tuple[OutboxEntry, ...]) -> None:
        self.submissions: tuple[OutboxEntry, ...] = submissions


#: What the adapter does next. None: hold what the app has just given.
Step = Union[Forward, Commit, Pass, None]  # noqa: UP007  # a run-time alias on Python 3.10
