"""What an exchange asks its door to do, and how far it has come; as light as a door's import should be."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Union

if TYPE_CHECKING:
    from tiktok_middleware.core.event import Submission
    from tiktok_middleware.core.headers import Headers

__all__ = ["Commit", "Forward", "Phase", "Step"]


class Phase(Enum):
    """How far a response has come."""

    WAITING = "waiting"  # for the app's response head
    SEARCHING = "searching"  # for the place of the script; the head may still be held
    PASSING = "passing"  # bytes pass; something may be added at the end
    DONE = "done"  # bytes pass and nothing of ours remains to be done


class Forward(NamedTuple):
    """What is to be sent now.

    Attributes:
        headers: the response head's headers, in the types of the door; None when no head leaves in this step.
        body: bytes of the body.
    """

    headers: Headers | None
    body: bytes = b""


class Commit(NamedTuple):
    """What delivery is to store before anything more may be sent."""

    submissions: tuple[Submission, ...]


Step = Union[Forward, Commit, None]  # noqa: UP007  # a run-time alias on Python 3.10
