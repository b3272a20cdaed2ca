"""Detect personal data in text: e-mail addresses, phone numbers, payment cards, tokens, and values of personal keys."""

from __future__ import annotations

import re
import unicodedata
from base64 import b64decode
from collections.abc import Iterator
from functools import lru_cache
from urllib.parse import unquote

from tiktok_middleware.core.visitor import pii_patterns as patterns

__all__ = [
    "REDACTED",
    "decoded",
    "identifier_reveals",
    "is_suspect",
    "key_reveals",
    "looks_opaque",
    "may_hold_card",
    "plain",
    "query_decoded",
    "remembered_texts",
    "reveals",
    "scrubbed",
    "text_reveals",
]

#: Replacement for personal data.
REDACTED = "redacted"

# Maximum nesting of percent-encodings, as in a redirect inside another. Deeper nesting counts as personal.
_MAX_LAYERS = 5

_email, _phone, _national, _credential = map(
    re.compile, (patterns.EMAIL, patterns.PHONE, patterns.NATIONAL, patterns.CREDENTIAL)
)
_card_like, _issued = re.compile(patterns.CARD_LIKE), re.compile(patterns.ISSUED)
_name_key, _phone_key, _credential_key, _birth_key, _id_key = map(
    re.compile, (patterns.NAME_KEY, patterns.PHONE_KEY, patterns.CREDENTIAL_KEY, patterns.BIRTH_KEY, patterns.ID_KEY)
)
_at, _escaped, _plus, _foreign, _long_number, _credential_mark, _suspect_key = (
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        *(patterns.AT, patterns.ESCAPED, patterns.PLUS, patterns.FOREIGN_DIGITS, patterns.LONG_NUMBER),
        *(patterns.CREDENTIAL_MARK, patterns.SUSPECT_KEY),
    )
)
_text_in_base64 = re.compile(patterns.TEXT_IN_BASE64)
_escapes = re.compile(rf"{patterns.ESCAPED_PERCENT}[0-9a-fA-F]{{2}}")
_LONG_WORD = re.compile(r"[0-9A-Za-z]{8,}")
_KEY_WORDS = (
    *("name", "prenom", "apellido", "cognome", "phone", "mobil", "movil", "tel", "msisdn", "whatsapp", "fax", "cel"),
    *("contact", "passw", "pwd", "birth", "dob", "ssn", "iban", "cvv", "cvc"),
)

_SPACE = re.compile(r"(?<!^)(?<!=)(?<!%3[dD])(?<![tT][eE][lL]:)\+")
_TWO_DIGITS = re.compile(r"[0-9]{2}")
_LETTER = re.compile(rf"[A-Za-z{patterns.BEYOND}]")
_CAMEL = re.compile(r"([a-z])([A-Z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_ENCODED_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]+")
_TOKEN = re.compile(r"[^ ;,()\[\]\"'<>]+")
_LONG_RUN = re.compile(r"[A-Za-z0-9]{20,}")
_PAIRS = re.compile(r"[?&#;,{}\[\]]")
_PAIR = re.compile(r"[^0-9A-Za-z]*([0-9A-Za-z][0-9A-Za-z_.\[\] -]{0,99})[\"']?[=:](.+)", re.DOTALL)

# Remove invisible characters, and convert digits of Arabic script.
_FOLDED: dict[int, str | None] = dict.fromkeys([0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF], None)
_FOLDED |= {start + digit: str(digit) for start in (0x660, 0x6F0) for digit in range(10)}


# Hashes of texts in which no pattern was found, such as product ids and names, which repeat. The texts are not kept.
_clean: set[int] = set()
_MAX_CLEAN, _MAX_CLEAN_CHARS = 2_048, 256


def remembered_texts() -> int:
    """Return the number of texts that are remembered because they reveal nothing."""
    return len(_clean)


def _remember(text: str, judged: int) -> None:
    if len(text) <= _MAX_CLEAN_CHARS:
        if len(_clean) >= _MAX_CLEAN:
            _clean.clear()
        _clean.add(judged)


def is_suspect(text: str) -> bool:
    """Return False for raw text that certainly holds nothing personal.

    For speed, search each part of the pattern only if its trigger is present. Every request calls this.
    """
    if not text.isascii() and (_foreign.search(text) or _at.search(text)):
        return True
    if ("@" in text and _at.search(text)) or ("+" in text and _plus.search(text)):
        return True
    if "%" in text and (_escaped.search(text) or _at.search(text) or _plus.search(text)):
        return True
    if _long_number.search(text) or _credential_mark.search(text):
        return True
    lowered = text.lower()
    if lowered != text:
        for word in _LONG_WORD.findall(_escapes.sub(" ", text) if "%" in text else text):
            if _text_in_base64.match(word):
                return True
    for word in _KEY_WORDS:
        if word in lowered:
            return _suspect_key.search(text) is not None
    return False


def plain(text: str) -> str:
    """Return the text in compatibility form (Unicode NFKC): full-width letters and signs become ASCII."""
    return text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_FOLDED)


def decoded(text: str) -> str | None:
    """Return the text with up to five percent-encodings decoded, or None if there are more."""
    for _ in range(_MAX_LAYERS):
        if "%" not in text:
            break
        text, before = unquote(text), text
        if text == before:  # a percent sign that encodes nothing
            break
    else:
        if unquote(text) != text:
            return None
    return plain(text)


def query_decoded(raw: str) -> str | None:
    """Decode a key or value of a query, where ``+`` is a space (WHATWG URL, urlencoded).

    A ``+`` at the start of a value is kept, because it begins a phone number.
    """
    return decoded(_SPACE.sub(" ", raw) if "+" in raw else raw)


def reveals(text: str, *, may_be_card: bool = True) -> bool:
    """Return True if decoded text holds an e-mail address, international phone number, card number or token.

    Base64 is decoded and searched. National phone numbers are not detected, because order numbers and product ids look
    the same.
    """
    return (
        ("@" in text and _email.search(text) is not None)
        or ("+" in text and _phone.search(text) is not None)
        or _credential.search(text) is not None
        or (may_be_card and _holds_card(text))
        or any(
            ("@" in inner and _email.search(inner)) or _phone.search(inner) or (may_be_card and _holds_card(inner))
            for inner in _behind_base64(text)
        )
    )


def identifier_reveals(value: str) -> bool:
    """Return True if an identifier of letters, digits and ``._~-`` holds a card number, a token or personal base64."""
    may_reveal = (
        _long_number.search(value) or "eyJ" in value or any(map(_text_in_base64.match, _LONG_WORD.findall(value)))
    )
    return bool(may_reveal) and reveals(value)


def may_hold_card(key: str) -> bool:
    """Return False for a key of identifiers, whose long numbers are not payment card numbers."""
    return _id_key.search(_folded(key)) is None


def key_reveals(key: str, text: str) -> bool:
    """Return True if the key denotes personal data and the value may be such data.

    A value that is a URL or JSON is searched for such keys too.
    """
    if text == REDACTED:
        return False
    folded = _folded(key)
    if _name_key.search(folded):
        return _LETTER.search(text) is not None
    if _phone_key.search(folded):
        return _national.search(text) is not None
    if _birth_key.search(folded):
        return _TWO_DIGITS.search(text) is not None
    if _credential_key.search(folded):
        return bool(text)
    if "=" not in text and ":" not in text:
        return False
    pairs = (_PAIR.match(part[:_MAX_PAIR_CHARS]) for part in _PAIRS.split(text))
    return any(_plain_key_reveals(pair[1], pair[2]) for pair in pairs if pair is not None)


def text_reveals(raw: str, key: str = "") -> bool:
    """Return True if a raw text under this key identifies a person.

    Args:
        raw: a parameter's value or a header, perhaps encoded.
        key: the parameter's name; empty if there is none.
    """
    judged = hash((raw, key))
    if judged in _clean:
        return False
    if key or is_suspect(raw):
        text = decoded(raw)
        if text is None or reveals(text, may_be_card=may_hold_card(key)) or (bool(key) and key_reveals(key, text)):
            return True
    _remember(raw, judged)
    return False


@lru_cache(maxsize=512)
def scrubbed(text: str) -> str:
    """Return the text with each word that identifies a person replaced; used for user agents."""
    if not is_suspect(text):
        return text
    shown = _TOKEN.sub(lambda word: REDACTED if text_reveals(word[0]) else word[0], text)
    return REDACTED if text_reveals(shown) else shown


def looks_opaque(text: str) -> bool:
    """Return True for text with a long machine-made run, such as a session, reset or sign-in token or a hash.

    UUIDs and the words of a slug are too short to count. Long numbers count as identifiers.
    """
    for match in _LONG_RUN.finditer(text):
        run = match[0]
        if run.isdigit() or (run.isalpha() and (run.islower() or run.isupper())):
            continue
        mixed = run != run.lower() and run != run.upper() and any(map(str.isdigit, run))
        if mixed or len(run) >= 32:
            return True
    return False


_MAX_PAIR_CHARS = 512


def _plain_key_reveals(key: str, text: str) -> bool:
    """Return whether one key-value pair inside a value is personal, without searching its value for further pairs."""
    return key_reveals(key, text.translate(_NO_PAIRS))


_NO_PAIRS = {ord("="): " ", ord(":"): " "}


def _folded(key: str) -> str:
    """Return the key as lower-case words joined by ``_``."""
    return _NO_WORD.sub("_", _CAMEL.sub(r"\1_\2", key[-100:]).lower()).strip("_")


def _holds_card(text: str) -> bool:
    """Return True if the text holds a number of an issued form with a valid check digit that is not an identifier."""
    for match in _card_like.finditer(text):
        digits = "".join(filter(str.isdigit, match[0]))
        if _issued.match(digits) and _passes_luhn(digits):
            start = match.start()
            if may_hold_card(text[max(start - 24, 0) : start]):
                return True
    return False


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _behind_base64(text: str) -> Iterator[str]:
    """Yield the decoded text of each run of base64 characters (either alphabet), and of each word of a run."""
    for match in _ENCODED_RUN.finditer(text):
        run = match[0]
        words = [word for word in _ALPHANUMERIC.split(run) if len(word) >= 8]
        for word in dict.fromkeys((run, *words)):
            try:
                data = b64decode(word.replace("-", "+").replace("_", "/") + "=" * (-len(word) % 4))
                inner = data.decode("utf-8")
            except ValueError:
                continue
            yield plain(inner)
