"""How several answers become one; it knows no cookie and no platform."""

from __future__ import annotations

from collections.abc import Collection

from tiktok_middleware.core.consent.state import State

__all__ = ["State", "all_needed", "most_careful", "one_enough", "yes_or_no"]


def most_careful(states: Collection[State]) -> State:
    """The answer of copies that may disagree: any refusal, then any doubt, then the grant; none at all is unknown.

    Host-only and domain copies of a cookie live side by side, and platforms disagree on which of them wins.
    """
    if State.DENIED in states:
        return State.DENIED
    return State.UNKNOWN if State.UNKNOWN in states or not states else State.GRANTED


all_needed = most_careful  # purposes that must all be granted combine by the same rule as copies


def one_enough(states: Collection[State]) -> State:
    """The answer of independent witnesses: any refusal wins, then one grant is enough."""
    if State.DENIED in states:
        return State.DENIED
    return State.GRANTED if State.GRANTED in states else State.UNKNOWN


def yes_or_no(value: object, *, yes: object = True, no: object = False) -> State:
    """Granted or denied for exactly these two values, type included; unknown for everything else."""
    if type(value) is type(yes) and value == yes:
        return State.GRANTED
    return State.DENIED if type(value) is type(no) and value == no else State.UNKNOWN
