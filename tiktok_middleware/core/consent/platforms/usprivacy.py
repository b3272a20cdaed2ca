"""IAB's US Privacy string: four characters, the third of which is ``Y`` if the visitor opted out of sale."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import decoded, record

__all__ = ["NAMES", "is_opted_out", "sale_flag"]

#: The standard's cookie name, and another spelling that some sites use.
NAMES = ("usprivacy", "us_privacy")

_STRING = re.compile(r"1[YN-]([YN-])[YN-]", re.IGNORECASE)


def sale_flag(text: str) -> str:
    """Return ``Y`` (opted out), ``N`` or ``-`` (does not apply).

    Raises:
        ValueError: the text is not a US Privacy string.
    """
    found = _STRING.fullmatch(text)
    if found is None:
        raise ValueError("not a US Privacy string")
    return found[1].upper()


def is_opted_out(value: str) -> bool:
    """Return whether a cookie's value holds an opt-out. iubenda wraps the string in JSON.

    Raises:
        ValueError: the value cannot be read.
    """
    text: object = decoded(value)
    if str(text).startswith("{"):
        text = record(value).get("uspString")
    return sale_flag(str(text)) == "Y"
