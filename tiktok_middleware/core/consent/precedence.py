"""Decide which consent record counts: the platform's own, or the visitor's word that this site has stored.

``WINNERS`` is the whole rule. Legal opt-outs (Global Privacy Control, GPP, ``usprivacy``) are read before it and
outrank every cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import product
from typing import NamedTuple

from tiktok_middleware.core.consent.state import State

__all__ = ["SAID_COOKIE", "WINNERS", "Newer", "Word", "newer", "read_word", "said_value", "winner"]

#: Beside our consent cookie: when the visitor's word was stored, and what the platform said at that moment.
SAID_COOKIE = "_tt_said"

_SAID = re.compile(r"([gd])\.([0-9]{12,14})(?:\.([gdu]))?", re.ASCII)
_STATES = {"g": State.GRANTED, "d": State.DENIED, "u": State.UNKNOWN}
_LETTERS = {state: letter for letter, state in _STATES.items()}


class Word(NamedTuple):
    """What the visitor told this site, as our cookies keep it.

    Attributes:
        letter: ``g``, ``d``, or empty where nothing is stored.
        at_ms: Unix milliseconds of the moment it was stored; 0 where that is not known.
        platform: what the platform's record said at that moment; None where that is not known.
    """

    letter: str = ""
    at_ms: int = 0
    platform: State | None = None


class Newer(Enum):
    """Which of two records was written later."""

    PLATFORM = "platform"
    OWN = "own"
    UNCLEAR = "unclear"


_G, _D, _U = State.GRANTED, State.DENIED, State.UNKNOWN

# Columns: the platform's record is newer; ours is newer; nothing tells.
_ROWS: dict[tuple[State, str], tuple[State, State, State]] = {
    (_G, ""): (_G, _G, _G),
    (_G, "g"): (_G, _G, _G),
    (_G, "d"): (_G, _D, _D),
    (_D, ""): (_D, _D, _D),
    (_D, "g"): (_D, _G, _D),
    (_D, "d"): (_D, _D, _D),
    (_U, ""): (_U, _U, _U),
    # A platform's record that was there when the visitor agreed and is gone now has taken the grant with it.
    (_U, "g"): (_U, _G, _G),
    (_U, "d"): (_D, _D, _D),
}

#: By the platform's state, our stored letter, and which of the two is newer: the state that counts.
WINNERS: Mapping[tuple[State, str, Newer], State] = {
    (platform, letter, order): states[column]
    for (platform, letter), states in _ROWS.items()
    for column, order in enumerate((Newer.PLATFORM, Newer.OWN, Newer.UNCLEAR))
}
assert len(WINNERS) == len(list(product(State, ("", "g", "d"), Newer)))  # every cell is there


def newer(word: Word, platform: State, changed_at_ms: Callable[[], int]) -> Newer:
    """Which record was written later.

    A platform whose answer differs from the one that it gave when our word was stored has changed since. Else times
    decide. Of a platform without times that still gives the same answer nothing tells.

    Args:
        word: what our cookies hold.
        platform: what the platform's record says now.
        changed_at_ms: Unix milliseconds of the platform's record, 0 where it has no time; asked only when needed.
    """
    if platform is _U and word.platform in {None, _U}:
        return Newer.OWN
    if not word.at_ms:
        return Newer.PLATFORM
    if word.platform is not None and word.platform is not platform:
        return Newer.PLATFORM
    at_ms = changed_at_ms()
    if not at_ms:
        return Newer.UNCLEAR
    return Newer.PLATFORM if at_ms > word.at_ms else Newer.OWN


def winner(platform: State, word: Word, changed_at_ms: Callable[[], int]) -> State:
    """The state that counts."""
    if not word.letter:
        return platform
    return WINNERS[platform, word.letter, newer(word, platform, changed_at_ms)]


def read_word(own: Iterable[str], said: Iterable[str]) -> Word:
    """The visitor's stored word; of conflicting copies the refusal.

    Args:
        own: every value of our consent cookie.
        said: every value of :data:`SAID_COOKIE`.
    """
    letters = {value for value in own if value in {"g", "d"}}
    if not letters:
        return Word()
    letter = "d" if "d" in letters else "g"
    notes = [found for value in said if (found := _SAID.fullmatch(value)) and found[1] == letter]
    if len(notes) != 1:
        return Word(letter)
    return Word(letter, int(notes[0][2]), _STATES.get(notes[0][3] or ""))


def said_value(word: str, at_ms: int, platform: State) -> str:
    """The value of :data:`SAID_COOKIE` for a word that is stored now."""
    return f"{word}.{at_ms}.{_LETTERS[platform]}"
