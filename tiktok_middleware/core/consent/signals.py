"""Opt-outs of the United States that override every grant; they say no or nothing, never yes."""

from __future__ import annotations

from collections.abc import Callable

from tiktok_middleware.core.consent.platforms import gpp, usprivacy
from tiktok_middleware.core.consent.platforms._decoding import State, attempt, pairs_of

__all__ = ["WORDS", "opt_out"]


#: A header that says so holds one of these.
WORDS = ("GPP", "__gpp", "privacy")


def opt_out(header: str) -> str:
    """``gpp_opt_out`` or ``usprivacy_opt_out`` where a cookie says so, else nothing.

    Args:
        header: the raw ``Cookie`` header.
    """
    if not any(word in header for word in WORDS):
        return ""  # nearly always
    if any(_says_so(gpp.has_opt_out, value) for value in gpp.values_in(header)):
        return "gpp_opt_out"
    said = [value for name, value in pairs_of(header, "privacy") if name in usprivacy.NAMES]
    return "usprivacy_opt_out" if any(_says_so(usprivacy.is_opted_out, value) for value in said) else ""


def _says_so(test: Callable[[str], bool], value: str) -> bool:
    return attempt(lambda text: State.DENIED if test(text) else State.UNKNOWN, value) is State.DENIED
