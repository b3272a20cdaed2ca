"""What an exchange asks its door to do, and how far it has come; as light as a door's import should be."""

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
    SEARCHING = "searching"  # for the place of the script; the head may still be held
    PASSING = "passing"  # bytes pass as they come; something may be added at the end
    REWRITING = "rewriting"  # the same of a body whose coding is written anew: each piece is
    DONE = "done"  # bytes pass and nothing of ours remains to be done


class Pass(Enum):
    """What the app has just given, head or piece, is to be sent as it came; nothing is held."""

    AS_IT_CAME = "as it came"


PASS: Final = Pass.AS_IT_CAME


class Forward:
    """What is to be sent now.

    Attributes:
        headers: the response head's headers, in the types of the door; None when no head leaves in this step.
        body: bytes of the body.
    """

    __slots__ = ("body", "headers")

    def __init__(self, headers: Headers | None, body: bytes = b"") -> None:
        self.headers: Headers | None = headers
        self.body: bytes = body


class Commit:
    """What delivery is to store before anything more may be sent.

    Attributes:
        submissions: one for each event.
    """

    __slots__ = ("submissions",)

    def __init__(self, submissions: tuple[OutboxEntry, ...]) -> None:
        self.submissions: tuple[OutboxEntry, ...] = submissions


#: None: what came is held.
Step = Union[Forward, Commit, Pass, None]  # noqa: UP007  # a run-time alias on Python 3.10
