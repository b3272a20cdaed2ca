"""Normalise and hash one value of a visitor's identity by TikTok's rules.

Invalid values are returned as :class:`UnusableValue` instead of raised, because a traceback holds local variables, and
a log of the traceback would hold the raw value.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable
from hashlib import sha256
from typing import Any, NamedTuple
from uuid import UUID

from tiktok_middleware.core.visitor.placeholders import is_placeholder

__all__ = [
    "UnusableValue",
    "country",
    "email",
    "external_id",
    "load_numbering_plans",
    "person_name",
    "phone",
    "place",
    "zip_code",
]


class UnusableValue(NamedTuple):
    """Why a value is not sent.

    Attributes:
        found: the type or shape of the value in words, never the value.
        allowed: the allowed values, in words.
    """

    found: str
    allowed: str


_HASH = re.compile(r"[0-9a-fA-F]{64}")
_HASH_OF_NOTHING = sha256(b"").hexdigest()
_OTHER_HASH = re.compile(r"[0-9a-fA-F]{32}|[0-9a-fA-F]{40}|[0-9a-fA-F]{128}")

# Require a dot in the domain: no TikTok account has an address on a local host.
_EMAIL = re.compile(r"[^\s@<>(),;:\"\[\]\\]{1,64}@(?:[^\W_][\w-]{0,62}\.){1,10}[^\W\d_][\w-]{1,62}")
_PHONE = re.compile(r"(?:tel:)?[+\d\s().\-/\u2010-\u2015\uff0b\u00ad\u200b-\u200f\u2060\u202a-\u202e]{4,60}")
_EXTENSION = re.compile(r"(?:x|ext\.?|;ext=)\s{0,8}\d{1,6}$", re.IGNORECASE)

# A number with its country code, but without a plus, is longer than nearly every national number.
_SURELY_INTERNATIONAL_DIGITS = 12


def email(value: object, _region: str | None = None) -> str | UnusableValue:
    """Return the hash of the trimmed, lower-cased address. Keep dots and ``+tags``, because TikTok hashes them too."""
    allowed = "an address such as name@example.com, or its SHA-256"

    def rule(found: str) -> str | UnusableValue:
        if _OTHER_HASH.fullmatch(found):
            return UnusableValue("a hash of another kind", allowed)
        lowered = found.lower()
        if _EMAIL.fullmatch(lowered) is None:
            return UnusableValue(f"a str that is no e-mail address ({found.count('@')} at signs)", allowed)
        return lowered

    return _hashed(value, 320, allowed, rule)


def phone(value: object, region: str | None = None) -> str | UnusableValue:
    """Return the hash of the number in E.164 with its plus. ``00`` prefixes and trunk zeros are converted.

    Args:
        value: an international number, or a national one if a region is given; int or str.
        region: ISO country code for national numbers.
    """
    allowed = "E.164 such as +12133734253, or its SHA-256"

    def rule(found: str) -> str | UnusableValue:
        bare = _EXTENSION.sub("", found).rstrip()
        if _PHONE.fullmatch(bare) is None:
            return UnusableValue("a str that is no phone number", allowed)
        return _e164(bare.removeprefix("tel:"), region)

    return _hashed(_written_out(value), 64, allowed, rule)


def external_id(value: object, _region: str | None = None) -> str | UnusableValue:
    """Return the hash of the trimmed id. Keep its case; convert ints and UUIDs to str."""
    allowed = "your own id of the person as str or int"

    def rule(found: str) -> str | UnusableValue:
        return UnusableValue("a word for nobody", allowed) if is_placeholder(found) else found

    return _hashed(_written_out(value), 500, allowed, rule)


def person_name(value: object, _region: str | None = None) -> str | UnusableValue:
    """Return the hash of the lower-cased name without punctuation and white space of any script."""
    allowed = "a name, or its SHA-256"

    def rule(found: str) -> str | UnusableValue:
        if "@" in found:
            return UnusableValue("an e-mail address, it seems", allowed)
        return _letters_and_digits(found) or UnusableValue("a str without letters", allowed)

    return _hashed(value, 200, allowed, rule)


def zip_code(value: object, _region: str | None = None) -> str | UnusableValue:
    """Return the hash of the lower-cased postal code without spaces and dashes."""
    allowed = "a postal code as str (an int has lost its leading zeros), or its SHA-256"

    def rule(found: str) -> str | UnusableValue:
        bare = _letters_and_digits(found)
        return bare if 2 <= len(bare) <= 12 else UnusableValue(f"a str with {len(bare)} letters and digits", allowed)

    return _hashed(value, 64, allowed, rule)


def place(value: object, _region: str | None = None) -> str | UnusableValue:
    """Return the city or state in clear, lower-cased, without punctuation and white space."""
    allowed = "a plain name or code, not hashed"
    found = _text(value, 100, allowed)
    if not found or isinstance(found, UnusableValue):
        return found
    if _is_hash(found) or _OTHER_HASH.fullmatch(found):
        return UnusableValue("a hash", allowed)
    bare = _letters_and_digits(found)
    # This field is sent in clear. An address line, e-mail address or number that was passed by mistake must not be.
    if "@" in found or sum(map(str.isdigit, bare)) > 4:
        return UnusableValue("a str that holds more than a place's name", allowed)
    return bare or UnusableValue("a str without letters", allowed)


def country(value: object, _region: str | None = None) -> str | UnusableValue:
    """Return the two-letter code, lower-cased."""
    allowed = "a two-letter ISO 3166 code such as 'us'"
    found = _text(value, 100, allowed)
    if not found or isinstance(found, UnusableValue):
        return found
    if len(found) != 2:
        return UnusableValue(f"a str of {len(found)} characters", allowed)
    if not (found.isascii() and found.isalpha()):
        return UnusableValue("a str with other characters than letters", allowed)
    return found.lower()


def _text(value: object, limit_chars: int, allowed: str) -> str | UnusableValue:
    """Return the value as a trimmed str that UTF-8 can hold; empty for None."""
    if value is None:
        return ""
    if not isinstance(value, str):
        return UnusableValue(f"of type {type(value).__name__[:50]}", allowed)
    found = str.__str__(value).strip()
    if len(found) <= 2 * limit_chars and not found.isascii():
        found = _visible(found)
    if len(found) > limit_chars:
        return UnusableValue(f"a str of {len(found)} characters", allowed)
    if not found.isascii():
        found = unicodedata.normalize("NFC", found)  # both encodings of an accent yield one hash
        if any("\ud800" <= char <= "\udfff" for char in found):
            return UnusableValue("a str with half a character", allowed)
    return found


def _visible(found: str) -> str:
    """Return the text without zero-width and other format characters, which copied text often contains."""
    return "".join(char for char in found if unicodedata.category(char) != "Cf").strip()


def _written_out(value: object) -> object:
    """Return ints, whole floats and UUIDs as str, and anything else unchanged."""
    if isinstance(value, UUID):
        return UUID.__str__(value)
    if isinstance(value, float) and abs(value) < 10**15 and value == int(value):
        value = int(value)  # spreadsheets convert numbers to floats
    if isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**64:
        return int.__repr__(value)
    return value


def _is_hash(found: str) -> bool:
    return _HASH.fullmatch(found) is not None


def _hashed(
    value: object, limit_chars: int, allowed: str, rule: Callable[[str], str | UnusableValue]
) -> str | UnusableValue:
    """Return the hash of the value normalised by the rule; a given hash in lower case; empty for an empty value."""
    found = _text(value, limit_chars, allowed)
    if not found or isinstance(found, UnusableValue):
        return found
    if _is_hash(found):
        # The hash of an empty value would match all people who left the field empty.
        empty = found.lower() == _HASH_OF_NOTHING
        return UnusableValue("the hash of an empty value", "the hash of a value") if empty else found.lower()
    normal = rule(found)
    return normal if isinstance(normal, UnusableValue) else sha256(normal.encode()).hexdigest()


def _letters_and_digits(found: str) -> str:
    """Return only the letters, marks and digits of every script, lower-cased."""
    lowered = unicodedata.normalize("NFC", found.lower())
    return "".join(char for char in lowered if unicodedata.category(char)[0] in "LMN")


def load_numbering_plans(region: str = "") -> None:
    """Import what reads phone numbers. That takes 20 ms, which would block a request.

    Args:
        region: country of the numbers without a country code; empty without one.
    """
    import phonenumbers  # noqa: PLC0415  # keeps the import of an adapter fast

    if region:
        phonenumbers.PhoneMetadata.metadata_for_region(region.upper(), None)


def _e164(found: str, region: str | None) -> str | UnusableValue:
    """Return the number with plus and country code, if its length is possible in its country."""
    import phonenumbers  # noqa: PLC0415 -- keeps the import of an adapter fast; a client has imported it

    digits = "".join(char for char in found if char.isdigit())
    is_international = "+" in found or "\uff0b" in found
    if not is_international and digits.startswith("00"):
        found, is_international = f"+{digits[2:]}", True
    try:
        number = phonenumbers.parse(found, region.upper() if region else None)
    except phonenumbers.NumberParseException:
        number = None
    if not is_international:
        number = _with_country_code(digits, number) or number
    if number is None:
        if is_international or region:
            return UnusableValue("a number that no country has", "E.164 such as +12133734253")
        return UnusableValue("a national number", "E.164 such as +12133734253, or set TIKTOK_PHONE_REGION")
    if phonenumbers.is_possible_number_with_reason(number) != phonenumbers.ValidationResult.IS_POSSIBLE:
        return UnusableValue("a number with too few or too many digits", "E.164 such as +12133734253")
    return str(phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))


def _with_country_code(digits: str, national: Any) -> Any:
    """Parse the digits as a number with its country code. Return None if a national number is more likely.

    Also return None if no such number is valid. Digits such as ``4915112345678`` are ambiguous. They may be the German
    mobile number +49 151 12345678, or a German fixed-line number without its leading zero, because German and Austrian
    numbers vary so much in length. Hardly anybody leaves out that zero, so the mobile number is returned.

    Args:
        digits: the given digits, without a plus.
        national: the number parsed for the site's own region; None if that failed.
    """
    import phonenumbers  # noqa: PLC0415 -- as above

    if digits.startswith("0") or not digits.isascii():
        return None
    mobile = {phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE_OR_MOBILE}
    if national is not None and phonenumbers.number_type(national) in mobile:
        return None
    try:
        number = phonenumbers.parse(f"+{digits}", None)
    except phonenumbers.NumberParseException:
        return None
    if not phonenumbers.is_valid_number(number):
        return None
    is_mobile = phonenumbers.number_type(number) in mobile
    is_long = len(digits) >= _SURELY_INTERNATIONAL_DIGITS
    is_own = national is not None and national.country_code == number.country_code
    return number if (is_mobile or is_long if is_own else is_mobile and is_long) else None
