"""IAB's US Privacy string: four characters, of which the third says whether the visitor opted out of sale."""

from __future__ import annotations

import re

from tiktok_middleware.core.consent.platforms._decoding import decoded, record

__all__ = ["NAMES", "is_opted_out", "sale_flag"]

#: The standard's cookie, and a spelling found in the wild.
NAMES = ("usprivacy", "us_privacy")

_STRING = re.compile(r"1[YN-]([YN-])[YN-]", re.IGNORECASE)


def sale_flag(text: str) -> str:
    """``Y`` (opted out), ``N`` or ``-`` (does not apply).

    Raises:
        ValueError: the text is not such a string.
    """
    found = _STRING.fullmatch(text)
    if found is None:
        raise ValueError("not a US Privacy string")
    return found[1].upper()


def is_opted_out(value: str) -> bool:
    """Whether a cookie's value says so; iubenda wraps the string in JSON.

    Raises:
        ValueError: the value cannot be read.
    """
    text: object = decoded(value)
    if value[:1] in {"{", "%"}:
        text = record(value).get("uspString")
    return sale_flag(str(text)) == "Y"
