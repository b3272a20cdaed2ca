r"""Detect what identifies a person in text: e-mail addresses, phone numbers, payment cards, tokens, personal values.

The patterns are the one source for Python and for the page's JavaScript, see :data:`PAGE_PATTERNS`. They use only syntax
that both languages read alike: no lookbehind, no ``\w``, ``\d``, ``\s`` or ``\b``. Each is bounded, so that the time
grows with the length of the text and no faster.
"""

from __future__ import annotations

import re
import unicodedata
from base64 import b64decode
from collections.abc import Iterator, Mapping
from functools import lru_cache
from urllib.parse import unquote

__all__ = [
    "PAGE_PATTERNS",
    "REDACTED",
    "decoded",
    "is_suspect",
    "key_reveals",
    "looks_opaque",
    "may_hold_card",
    "plain",
    "reveals",
    "scrubbed",
    "text_reveals",
]

#: Stands in the place of something personal.
REDACTED = "redacted"

# How often a value may have been encoded, one redirect inside another; deeper nesting hides something.
_MAX_LAYERS = 5

# Letters beyond ASCII: no general punctuation, no emoji, no surrogates.
_BEYOND = r"\u00c0-\u1fff\u2c00-\ud7ff\uf900-\uffef"
_FILES = "png|jpe?g|gif|svg|webp|avif|ico|css|m?js|json|map|html?|php|pdf|txt|xml|woff|min"
# A letter or digit precedes the at sign: at the start of a word it begins a handle (`@jane.doe`). Package versions
# (`react@18.2.0-rc.x`) and image scales (`photo@2x.png`) are no addresses either.
_EMAIL = (
    rf"[0-9A-Za-z{_BEYOND}]@(?!v?[0-9]+\.[0-9x]|[0-9](?:\.[0-9])?x[._-])"
    rf"(?:[0-9A-Za-z_{_BEYOND}-]{{1,63}}\.){{1,8}}"
    rf"(?!(?:{_FILES})(?![0-9A-Za-z]))[A-Za-z{_BEYOND}][0-9A-Za-z{_BEYOND}-]{{1,23}}"
)

_DAY = r"(?:(?:19|20)[0-9]{2}[-./ ]?[01]?[0-9][-./ ]?[0-3]?[0-9]|[0-3]?[0-9][-./ ]?[0-3]?[0-9][-./ ]?(?:19|20)[0-9]{2})"
# A day or a range of days; no further digits but those of a time.
_DATES = rf"{_DAY}(?:[ ().-]{{1,3}}{_DAY})?(?![ .-]?[0-9](?![0-9]?:))"
_MORE_DIGITS = r"(?:[ ().\-/]{0,3}[0-9])"
# ITU-T E.164: a plus sign and 8 to 15 digits.
_PHONE = rf"(?:^|[ =:,;(/&?'\"\x3c])\+[ (]{{0,2}}(?!{_DATES})[1-9]{_MORE_DIGITS}{{7,14}}(?![0-9])"
# 7 to 15 digits, for keys that announce a phone number.
_NATIONAL = rf"(?:^|[^0-9])(?!{_DATES})[0-9]{_MORE_DIGITS}{{6,14}}(?![0-9])"

_CARD_LIKE = r"(?:^|[^0-9A-Za-z])[2-6](?:[ -]?[0-9]){13,18}(?![0-9A-Za-z])"
# First digits and lengths that the card networks issue (ISO/IEC 7812 ranges in use).
_ISSUED = (
    r"^(?:(?:4[0-9]|5[1-5]|62|65)[0-9]{14}|4[0-9]{18}|3[47][0-9]{13}|3[068][0-9]{12}"
    r"|(?:2(?:2[2-9]|[3-6][0-9]|7[01])[0-9]|220[0-4]|2720|35[2-8][0-9]|6011|64[4-9][0-9])[0-9]{12})$"
)

# JSON Web Tokens and their kin; a payment service's keys.
_SECRET = r"(?:^|[^A-Za-z0-9_-])(?:eyJ[A-Za-z0-9_-]{5,2048}\.[A-Za-z0-9_-]{5}|[sr]k_(?:live|test)_[A-Za-z0-9]{8})"

# Keys are read as lower-case words joined by `_`: `customer[firstName]` is `customer_first_name`.
_NAME_KEY = (
    r"(?:first|last|full|given|family|sur|middle|maiden|holder|customer|recipient|contact|buyer|guest|patient)_?name$"
    r"|(?:^|_)[fl]name$|(?:vor|nach)name$|(?:^|_)(?:prenom|apellidos?|cognome)$"
)
_PHONE_KEY = (
    r"^(?!.*(?:^|_)(?:i|head|ear|smart|micro|mega|saxo)phone)(?:.*(?:phone|mobile|telefon[eo]?|msisdn|whatsapp)"
    r"|(?:.*_)?(?:tel|fax|cell|handy|mobil|movil|celular|gsm|contact))(?:_?(?:number|num|no|nr))?$"
)
_SECRET_KEY = r"(?:passw(?:or)?d|pwd|(?:^|_)(?:ssn|iban|cvv|cvc))$"
_BIRTH_KEY = r"(?:date_?of_?birth|birth_?date|birthday|(?:^|_)dob)$"
_ID_KEY = r"(?:id|sku|ean|gtin|isbn|asin|items?|products?|variants?|orders?|campaign|adgroup|creative)$"

_HEX = "%(?:25)*"  # a percent sign, or one that is encoded itself
_SPACE = rf"(?:[ +-]|{_HEX}2[0dD])?"
# How base64 of text begins: eight characters for six printable ASCII bytes, or two for the lead of another script and a
# capital letter further on. Random identifiers seldom begin so.
_TEXT_IN_BASE64 = (
    r"(?:(?:[I-Za-f][C-HS-Xi-ny-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][0-9A-Za-z]){2}"
    r"|[w-z0-6][I-LYZabo-r4-7](?=[a-z0-9]{0,20}[A-Z])[0-9A-Za-z+/_-]{6})"
)
_WORD_START = rf"(?:^|[^0-9A-Za-z%]|{_HEX}[0-9a-fA-F]{{2}})"
_AT = rf"[0-9A-Za-z\u0080-\uffff](?:@|{_HEX}40)"
_ESCAPED = rf"{_HEX}(?:3[0-9]|[46][1-9a-fA-F]|[57][0-9aA]|[dD][9bB]|[eE][fF]|[fF]0)"
_PLUS = rf"(?:(?:^|[ =:,;(/&?'\"\x3c])\+|{_HEX}2[bB])(?:[ (]|{_HEX}2[08])*[0-9]"
_FOREIGN = r"[\u0660-\u06f9\ufe50-\ufe6f\uff01-\uff5e]"
_LONG_NUMBER = rf"[2-6](?:{_SPACE}[0-9]){{15}}|3[04678](?:{_SPACE}[0-9]){{12}}"
_TOKEN_MARK = "eyJ|_(?:live|test)_"
# Raw text without a match of these two holds nothing personal. A page whose address matches asks the endpoint before it
# loads the pixel, so that they match little else.
_SUSPECT = "|".join((_AT, _ESCAPED, _PLUS, _FOREIGN, _LONG_NUMBER, _TOKEN_MARK, _WORD_START + _TEXT_IN_BASE64))
_SUSPECT_KEY = (
    r"(?:(?:first|last|full|given|family|sur|middle|maiden|holder|customer|recipient|contact|buyer|guest|patient|[fl]|vor|nach)_?name"
    r"|prenom|apellido|cognome|phone|mobil|movil|celular|telefon|tel|msisdn|whatsapp|fax|cell|handy|gsm|contact"
    r"|passw|pwd|birth|dob|ssn|iban|cvv|cvc)[^&=/]{0,20}(?:=|%(?:25)*3d)"
)

#: Patterns that the page's scripts are made of, by the name that stands in their place there; all ignore case.
PAGE_PATTERNS: Mapping[str, str] = {
    "EMAIL": _EMAIL,
    "PHONE": _PHONE,
    "NATIONAL": _NATIONAL,
    "CARD_LIKE": _CARD_LIKE,
    "ISSUED": _ISSUED,
    "SECRET": _SECRET,
    "NAME_KEY": _NAME_KEY,
    "PHONE_KEY": _PHONE_KEY,
    "SECRET_KEY": _SECRET_KEY,
    "BIRTH_KEY": _BIRTH_KEY,
    "ID_KEY": _ID_KEY,
    "SUSPECT": _SUSPECT,
    "SUSPECT_KEY": _SUSPECT_KEY,
}

_email, _phone, _national, _secret = map(re.compile, (_EMAIL, _PHONE, _NATIONAL, _SECRET))
_card_like, _issued = re.compile(_CARD_LIKE), re.compile(_ISSUED)
_name_key, _phone_key, _secret_key, _birth_key, _id_key = map(
    re.compile, (_NAME_KEY, _PHONE_KEY, _SECRET_KEY, _BIRTH_KEY, _ID_KEY)
)
_at, _escaped, _plus, _foreign = map(re.compile, (_AT, _ESCAPED, _PLUS, _FOREIGN))
_long_number, _token_mark, _text_in_base64 = map(re.compile, (_LONG_NUMBER, _TOKEN_MARK, _TEXT_IN_BASE64))
_suspect_key = re.compile(_SUSPECT_KEY, re.IGNORECASE)
_escapes = re.compile(rf"{_HEX}[0-9a-fA-F]{{2}}")
_LONG_WORD = re.compile(r"[0-9A-Za-z]{8,}")
_KEY_WORDS = (
    *("name", "prenom", "apellido", "cognome", "phone", "mobil", "movil", "celular", "telefon", "tel", "msisdn", "fax"),
    *("whatsapp", "cell", "handy", "gsm", "contact", "passw", "pwd", "birth", "dob", "ssn", "iban", "cvv", "cvc"),
)

_TWO_DIGITS = re.compile(r"[0-9]{2}")
_LETTER = re.compile(rf"[A-Za-z{_BEYOND}]")
_CAMEL = re.compile(r"([a-z])([A-Z])")
_NO_WORD = re.compile(r"[^a-z0-9]+")
_ENCODED_RUN = re.compile(r"[A-Za-z0-9+/_-]{8,}")
_ALPHANUMERIC = re.compile(r"[^A-Za-z0-9]+")
_TOKEN = re.compile(r"[^ ;,()\[\]\"'<>]+")
_LONG_RUN = re.compile(r"[A-Za-z0-9]{20,}")
_PAIRS = re.compile(r"[?&#;,{}\[\]]")
_PAIR = re.compile(r"[^0-9A-Za-z]*([0-9A-Za-z][0-9A-Za-z_.\[\] -]{0,99})[\"']?[=:](.+)", re.DOTALL)

# Invisible characters, which hide nothing, and digits of Arabic script.
_FOLDED: dict[int, str | None] = dict.fromkeys([0xAD, *range(0x200B, 0x2010), 0x2060, 0xFEFF], None)
_FOLDED |= {start + digit: str(digit) for start in (0x660, 0x6F0) for digit in range(10)}


def is_suspect(text: str) -> bool:
    """Return False for raw text that certainly holds nothing personal.

    The parts of the pattern are tried one by one, each where its trigger is there: every request asks.
    """
    if not text.isascii() and (_foreign.search(text) or _at.search(text)):
        return True
    if ("@" in text and _at.search(text)) or ("+" in text and _plus.search(text)):
        return True
    if "%" in text and (_escaped.search(text) or _at.search(text) or _plus.search(text)):
        return True
    if _long_number.search(text) or _token_mark.search(text):
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


def decoded(raw: str) -> str | None:
    """Return one piece of an address behind up to five percent-encodings, or None where there are more.

    A ``+`` is a space (WHATWG URL, urlencoded), but at the start, where it begins a phone number.
    """
    if "+" in raw:
        start = 5 if raw[:5].lower() == "tel:+" else 1
        raw = raw[:start] + raw[start:].replace("+", " ")
    return _unquoted(raw)


def _unquoted(text: str) -> str | None:
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


def reveals(text: str, *, may_be_card: bool = True) -> bool:
    """Return True when decoded text holds an e-mail address, international phone number, card number or token.

    Base64 is looked through. National phone numbers are not recognised: order numbers and product ids look the same.
    """
    return (
        ("@" in text and _email.search(text) is not None)
        or ("+" in text and _phone.search(text) is not None)
        or _secret.search(text) is not None
        or (may_be_card and _holds_card(text))
        or any("@" in inner and _email.search(inner) or _phone.search(inner) for inner in _behind_base64(text))
    )


def may_hold_card(key: str) -> bool:
    """Return False for a key of identifiers, whose long numbers are no payment cards."""
    return _id_key.search(_folded(key)) is None


def key_reveals(key: str, text: str) -> bool:
    """Return True when a key announces something personal and the value can be that.

    A value that is an address or JSON is searched for such keys too.
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
    if _secret_key.search(folded):
        return bool(text)
    if "=" not in text and ":" not in text:
        return False
    pairs = (_PAIR.match(part[:_MAX_PAIR_CHARS]) for part in _PAIRS.split(text))
    return any(_plain_key_reveals(pair[1], pair[2]) for pair in pairs if pair is not None)


def text_reveals(raw: str, key: str = "") -> bool:
    """Return True when a text as somebody wrote it identifies a person, under this key.

    Args:
        raw: a parameter's value or a header, perhaps encoded.
        key: the parameter's name; empty where it has none.
    """
    if not key and not is_suspect(raw):
        return False
    text = _unquoted(raw)
    return text is None or reveals(text, may_be_card=may_hold_card(key)) or (bool(key) and key_reveals(key, text))


@lru_cache(maxsize=512)
def scrubbed(text: str) -> str:
    """Return the text with each word that identifies a person replaced; used for user agents."""
    if not is_suspect(text):
        return text
    shown = _TOKEN.sub(lambda word: REDACTED if text_reveals(word[0]) else word[0], text)
    return REDACTED if text_reveals(shown) else shown


def looks_opaque(text: str) -> bool:
    """Return True for text with a long run that no person wrote: a session, reset or sign-in token, perhaps a hash.

    UUIDs and the words of a slug are too short to count; long numbers are identifiers.
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
    """Judge one pair of a value that holds several; their values are searched no further."""
    return key_reveals(key, text.translate(_NO_PAIRS))


_NO_PAIRS = {ord("="): " ", ord(":"): " "}


def _folded(key: str) -> str:
    """Return the key as lower-case words joined by ``_``."""
    return _NO_WORD.sub("_", _CAMEL.sub(r"\1_\2", key[-100:]).lower()).strip("_")


def _holds_card(text: str) -> bool:
    """Return True when the text holds a number of an issued form whose check digit is right."""
    for match in _card_like.finditer(text):
        digits = "".join(filter(str.isdigit, match[0]))
        if _issued.match(digits) and _passes_luhn(digits):
            return True
    return False


def _passes_luhn(digits: str) -> bool:
    total = 0
    for place, digit in enumerate(reversed(digits)):
        doubled = int(digit) * (1 + place % 2)
        total += doubled - 9 if doubled > 9 else doubled
    return total % 10 == 0


def _behind_base64(text: str) -> Iterator[str]:
    """Yield the texts whose base64, of either alphabet, is a run of characters or a word of one."""
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
