"""Let a page ask again for browser copies of transactions that are not committed yet.

The first answers name the references in ``Server-Timing``, which the page's script hears as it hears those of any
answer: it asks at once. A report that then asks for nothing else is refused with 429: the page keeps what it asked for,
and asks later, after a delay that grows each time. The references get a suffix that counts the answers, so that a page
whose other reports go on does not ask without end.
"""

from __future__ import annotations

from collections.abc import Sequence

from tiktok_middleware.core.pixel.snippet import answer_headers

__all__ = ["again", "has_asked_before", "stored_name"]

_MOST_ANSWERS = 5
_MARK = "."


def stored_name(reference: str) -> str:
    """Return a reference without its suffix."""
    return reference.partition(_MARK)[0]


def has_asked_before(reference: str) -> bool:
    """Return whether an earlier answer has named this reference."""
    return _answers(reference) > 0


def again(references: Sequence[str]) -> list[tuple[str, str]]:
    """Return the headers of an answer after which the page asks for these references once more."""
    named = [
        f"{stored_name(reference)}{_MARK}{_answers(reference) + 1}"
        for reference in references
        if _answers(reference) < _MOST_ANSWERS
    ]
    return answer_headers((), named) if named else []


def _answers(reference: str) -> int:
    """Return how many answers have named this reference; a suffix that is not ours counts as the last one."""
    _, mark, count = reference.partition(_MARK)
    if not mark:
        return 0
    return int(count) if count.isascii() and count.isdigit() and len(count) == 1 else _MOST_ANSWERS
