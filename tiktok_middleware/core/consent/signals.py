"""Read opt-outs of the United States. They override every grant, and never grant consent themselves."""

from __future__ import annotations

from collections.abc import Callable

from tiktok_middleware.core.consent.platforms import gpp, usprivacy
from tiktok_middleware.core.consent.platforms._decoding import State, attempt, pairs_of

__all__ = ["OPT_OUT_WORDS", "opt_out"]


#: A ``Cookie`` header with an opt-out holds one of these texts.
OPT_OUT_WORDS = ("GPP", "__gpp", "privacy")


def opt_out(header: str) -> str:
    """Return ``gpp_opt_out`` or ``usprivacy_opt_out`` if a cookie holds that opt-out; otherwise an empty str.

    Args:
        header: the raw ``Cookie`` header.
    """
    if not any(word in header for word in OPT_OUT_WORDS):
        return ""  # fast path for nearly all requests
    if any(_says_so(gpp.has_opt_out, value) for value in gpp.values_in(header)):
        return "gpp_opt_out"
    said = [value for name, value in pairs_of(header, "privacy") if name in usprivacy.NAMES]
    return "usprivacy_opt_out" if any(_says_so(usprivacy.is_opted_out, value) for value in said) else ""


def _says_so(test: Callable[[str], bool], value: str) -> bool:
    return attempt(lambda text: State.DENIED if test(text) else State.UNKNOWN, value) is State.DENIED
