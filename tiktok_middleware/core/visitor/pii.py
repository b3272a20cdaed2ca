"""What gives a person or a secret away in a piece of text; it knows neither addresses nor parameters.

Every pattern is bounded, so that a hostile text costs time in proportion to its length and no more.
"""

from __future__ import annotations

import re

__all__ = [
    "FULL_WIDTH",
    "could_be_personal",
    "holds_card",
    "holds_email",
    "holds_phone",
    "holds_secret",
    "looks_opaque",
    "names_person",
]

#: Full-width letters and signs, as East Asian keyboards write them, to the ASCII that they are read as.
FULL_WIDTH = {0xFF01 + place: 0x21 + place for place in range(94)} | {0xFE6B: ord("@")}

# A character, an at sign, dotted labels and a top level of letters. Not e-mail: ``react@18.2.0``, ``photo@2x.png``,
# ``/@name``. Fediverse names (``/@user@host.social``) are: they name a person as well.
_EMAIL = re.compile(
    r"[^\s@/?&=:;,<>()\[\]\"]@(?:[\w-]{1,63}\.){1,8}"
    r"(?!(?:png|jpe?g|gif|svg|webp|avif|ico|css|js|mjs|json|map)\b)[^\W\d_][\w-]{1,23}"
)

_PLUS_PHONE = re.compile(r"(?<![\w+])(?:tel:)?\+[ (]{0,2}[1-9](?:[ ().\-/]{0,3}[0-9]){7,14}(?![0-9])", re.ASCII)
# Ten digits as they are written in North America; standing alone, because slugs and part numbers hold 3-3-4 groups too.
_NANP_PHONE = re.compile(
    r"(?<![^\s/=&?:,;])(?:1[-. ])?(?:\([2-9][0-9]{2}\) ?|[2-9][0-9]{2}[-. ])[2-9][0-9]{2}[-. ][0-9]{4}(?![^\s/&?:,;#])"
)

_DIGIT_GROUPS = re.compile(r"(?<![0-9A-Za-z])[2-6](?:[ -]?[0-9]){13,18}(?![0-9A-Za-z])")

_SECRET = re.compile(
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{5,2048}\.[A-Za-z0-9_-]{5}"  # JSON Web Tokens and their kin
    r"|(?<![A-Za-z0-9])(?:sk|rk)_(?:live|test)_[A-Za-z0-9]{8}"  # a payment service's keys
)

_SEVEN_DIGITS = re.compile(r"[0-9](?:[ ().\-/]{0,3}[0-9]){6}")

_RUN = re.compile(r"[A-Za-z0-9]{20,}")


def could_be_personal(text: str) -> bool:
    """False when none of the patterns below can match: one quick look for all that is plain."""
    return (
        "@" in text
        or "%" in text
        or "+" in text
        or "eyJ" in text
        or "_live_" in text
        or "_test_" in text
        or _SEVEN_DIGITS.search(text) is not None
        or not text.isascii()
    )


def holds_email(text: str) -> bool:
    """True when the text holds what looks like an e-mail address."""
    return _EMAIL.search(text) is not None


def names_person(text: str) -> bool:
    """True when the text holds an e-mail address or an international phone number."""
    return ("@" in text and holds_email(text)) or ("+" in text and _PLUS_PHONE.search(text) is not None)


def holds_phone(text: str) -> bool:
    """True for an international number with its plus, and for a North American one that stands alone.

    Bare digits are not enough: order numbers and product ids look the same.
    """
    return _PLUS_PHONE.search(text) is not None or _NANP_PHONE.search(text) is not None


def holds_card(text: str) -> bool:
    """True when the text holds a payment card's number: its issuer's first digits, its length and its check digit."""
    for match in _DIGIT_GROUPS.finditer(text):
        digits = match[0].replace(" ", "").replace("-", "")
        if _is_issued(digits) and _passes_luhn(digits):
            return True
    return False


def _is_issued(digits: str) -> bool:
    """True for the lengths and first digits of the large card networks (ISO/IEC 7812 ranges in use)."""
    size = len(digits)
    if size == 16:
        begin = int(digits[:4])
        return (
            digits[0] == "4"
            or 5100 <= begin <= 5599
            or 2221 <= begin <= 2720
            or 3528 <= begin <= 3589
            or begin == 6011
            or 6440 <= begin <= 6599
            or 6200 <= begin <= 6299
        )
    return (size == 15 and digits[:2] in {"34", "37"}) or (size == 14 and digits[:2] in {"36", "38"})


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def holds_secret(text: str) -> bool:
    """True when the text holds a token that is unmistakably one: a JSON Web Token or a payment service's key."""
    return _SECRET.search(text) is not None


def looks_opaque(text: str) -> bool:
    """True when the text holds a long run that no person wrote: a session, reset or sign-in token, perhaps a hash.

    UUIDs and the words of a slug are too short to count; long numbers are ids.
    """
    for match in _RUN.finditer(text):
        run = match[0]
        if run.isdigit() or (run.isalpha() and (run.islower() or run.isupper())):
            continue
        mixed = run != run.lower() and run != run.upper() and any(map(str.isdigit, run))
        if mixed or len(run) >= 32:
            return True
    return False
