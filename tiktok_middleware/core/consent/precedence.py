"""Decide which consent record counts: the platform's record, or the visitor's choice that this site has stored.

``WINNERS`` is the complete rule. Legal opt-outs (Global Privacy Control, GPP, ``usprivacy``) are read first and
override every cell.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from enum import Enum
from itertools import product
from typing import NamedTuple

from tiktok_middleware.core.consent.state import State

__all__ = ["SAID_COOKIE", "WINNERS", "Newer", "Word", "newer", "read_word", "said_value", "winner"]

#: Name of the cookie with the time when the visitor's choice was stored, and the platform's state at that time.
SAID_COOKIE = "_tt_said"

_SAID = re.compile(r"([gd])\.([0-9]{12,14})(?:\.([gdu]))?", re.ASCII)
_STATES = {"g": State.GRANTED, "d": State.DENIED, "u": State.UNKNOWN}
_LETTERS = {state: letter for letter, state in _STATES.items()}


class Word(NamedTuple):
    """The visitor's choice on this site, as stored in our cookies.

    Attributes:
        letter: ``g`` (granted), ``d`` (denied), or empty if nothing is stored.
        at_ms: time of storage in Unix milliseconds; 0 if unknown.
        platform: the platform's state at that time; None if unknown.
    """

    letter: str = ""
    at_ms: int = 0
    platform: State | None = None


class Newer(Enum):
    """The record that was written later."""

    PLATFORM = "platform"
    OWN = "own"
    UNCLEAR = "unclear"


_G, _D, _U = State.GRANTED, State.DENIED, State.UNKNOWN

# Columns: the platform's record is newer; ours is newer; the order is unclear.
_ROWS: dict[tuple[State, str], tuple[State, State, State]] = {
    (_G, ""): (_G, _G, _G),
    (_G, "g"): (_G, _G, _G),
    (_G, "d"): (_G, _D, _D),
    (_D, ""): (_D, _D, _D),
    (_D, "g"): (_D, _G, _D),
    (_D, "d"): (_D, _D, _D),
    (_U, ""): (_U, _U, _U),
    # If the platform had a record when the visitor agreed, and has none now, the grant has ended.
    (_U, "g"): (_U, _G, _G),
    (_U, "d"): (_D, _D, _D),
}

#: The state that counts, by the platform's state, our stored letter, and the newer record.
WINNERS: Mapping[tuple[State, str, Newer], State] = {
    (platform, letter, order): states[column]
    for (platform, letter), states in _ROWS.items()
    for column, order in enumerate((Newer.PLATFORM, Newer.OWN, Newer.UNCLEAR))
}
assert len(WINNERS) == len(list(product(State, ("", "g", "d"), Newer)))  # one entry for each combination


def newer(word: Word, platform: State, changed_at_ms: Callable[[], int]) -> Newer:
    """Return which record was written later.

    If the platform's state differs from its state when our choice was stored, the platform's record is newer. Otherwise
    compare the times. If the platform's record has no time, the order is unclear.

    Args:
        word: the choice in our cookies.
        platform: the platform's current state.
        changed_at_ms: returns the time of the platform's record in Unix milliseconds, 0 without one; called only when
            needed.
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
    """Return the state that counts."""
    if not word.letter:
        return platform
    return WINNERS[platform, word.letter, newer(word, platform, changed_at_ms)]


def read_word(own: Iterable[str], said: Iterable[str]) -> Word:
    """Return the visitor's stored choice; the refusal if copies conflict.

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
    """Return the value of :data:`SAID_COOKIE` for a choice that is stored now."""
    return f"{word}.{at_ms}.{_LETTERS[platform]}"
