r"""Patterns of personal data, for Python and (``SUSPECT...``) for the page's JavaScript.

They use only syntax with the same meaning in both languages: no lookbehind, no ``\w``, ``\d``, ``\s`` or ``\b``.
Each is bounded, so that the time is linear in the length of the text.
"""

from __future__ import annotations

__all__ = [
    "AT",
    "BEYOND",
    "BIRTH_KEY",
    "CARD_LIKE",
    "CREDENTIAL",
    "CREDENTIAL_KEY",
    "CREDENTIAL_MARK",
    "EMAIL",
    "ESCAPED",
    "ESCAPED_PERCENT",
    "FOREIGN_DIGITS",
    "ID_KEY",
    "ISSUED",
    "LONG_NUMBER",
    "NAME_KEY",
    "NATIONAL",
    "PHONE",
    "PHONE_KEY",
    "PLUS",
    "SUSPECT",
    "SUSPECT_BASE64",
    "SUSPECT_KEY",
    "TEXT_IN_BASE64",
]

# Letters beyond ASCII: no general punctuation, no emoji, no surrogates.
BEYOND = r"\u00c0-\u1fff\u2c00-\ud7ff\uf900-\uffef"
_FILES = "png|jpe?g|gif|svg|webp|avif|ico|css|m?js|json|map|html?|php|pdf|txt|xml|woff|min"
# A letter or digit must precede the at sign, because at the start of a word it begins a handle (`@jane.doe`). Package
# versions (`react@18.2.0-rc.x`) and image scales (`photo@2x.png`) are not addresses either.
EMAIL = (
    rf"[0-9A-Za-z{BEYOND}]@(?!v?[0-9]+\.[0-9x]|[0-9](?:\.[0-9])?x[._-])"
    rf"(?:[0-9A-Za-z_{BEYOND}-]{{1,63}}\.){{1,8}}"
    rf"(?!(?:{_FILES})(?![0-9A-Za-z]))[A-Za-z{BEYOND}][0-9A-Za-z{BEYOND}-]{{1,23}}"
)

_DAY = r"(?:(?:19|20)[0-9]{2}[-./ ]?[01]?[0-9][-./ ]?[0-3]?[0-9]|[0-3]?[0-9][-./ ]?[0-3]?[0-9][-./ ]?(?:19|20)[0-9]{2})"
# A day or a range of days, followed by no digits except those of a time.
_DATES = rf"{_DAY}(?:[ ().-]{{1,3}}{_DAY})?(?![ .-]?[0-9](?![0-9]?:))"
_MORE_DIGITS = r"(?:[ ().\-/]{0,3}[0-9])"
# ITU-T E.164: a plus sign and 8 to 15 digits.
PHONE = rf"(?:^|[ =:,;(/&?'\"\x3c])\+[ (]{{0,2}}(?!{_DATES})[1-9]{_MORE_DIGITS}{{7,14}}(?![0-9])"
# 7 to 15 digits, for keys that denote a phone number.
NATIONAL = rf"(?:^|[^0-9])(?!{_DATES})[0-9]{_MORE_DIGITS}{{6,14}}(?![0-9])"

CARD_LIKE = r"(?:^|[^0-9A-Za-z])[2-6](?:[ -]?[0-9]){13,18}(?![0-9A-Za-z])"
# First digits and lengths that the card networks issue (ISO/IEC 7812 ranges in use).
ISSUED = (
    r"^(?:(?:4[0-9]|5[1-5]|62|65)[0-9]{14}|4[0-9]{18}|3[47][0-9]{13}|3[068][0-9]{12}"
    r"|(?:2(?:2[2-9]|[3-6][0-9]|7[01])[0-9]|220[0-4]|2720|35[2-8][0-9]|6011|64[4-9][0-9])[0-9]{12})$"
)

# JSON Web Tokens and similar tokens, and a payment service's keys.
CREDENTIAL = r"(?:^|[^A-Za-z0-9_-])(?:eyJ[A-Za-z0-9_-]{5,2048}\.[A-Za-z0-9_-]{5}|[sr]k_(?:live|test)_[A-Za-z0-9]{8})"

# Keys are converted to lower-case words joined by `_`: `customer[firstName]` to `customer_first_name`.
NAME_KEY = (
    r"(?:first|last|full|given|family|sur|middle|maiden|holder|customer|recipient|contact|buyer|guest|patient)_?name$"
    r"|(?:^|_)[fl]name$|(?:vor|nach)name$|(?:^|_)(?:prenom|apellidos?|cognome)$"
)
PHONE_KEY = (
    r"^(?!.*(?:^|_)(?:i|head|ear|smart|micro|mega|saxo)phone)(?:.*(?:phone|mobile|telefon[eo]?|msisdn|whatsapp)"
    r"|(?:.*_)?(?:tel|fax|cell|mobil|movil|celular|contact))(?:_?(?:number|num|no|nr))?$"
)
CREDENTIAL_KEY = r"(?:passw(?:or)?d|pwd|(?:^|_)(?:ssn|iban|cvv|cvc))$"
BIRTH_KEY = r"(?:date_?of_?birth|birth_?date|birthday|(?:^|_)dob)$"
ID_KEY = r"(?:id|sku|ean|gtin|isbn|asin|items?|products?|variants?|orders?|campaign|adgroup|creative)$"

ESCAPED_PERCENT = "%(?:25)*"  # a percent sign, possibly encoded itself
_SPACE = rf"(?:[ +-]|{ESCAPED_PERCENT}2[0d])?"
# The beginning of base64 of text: eight characters for six printable ASCII bytes, or two for the lead byte of another
# script, with a capital letter soon after. Random identifiers seldom begin like this.
TEXT_IN_BASE64 = (
    r"(?=[0-9a-z]{0,30}[A-Z])(?:(?:[I-Za-f][C-HS-Xi-ny-z0-3][ABEFIJMNQRUVYZcdghklopstwx014589][0-9A-Za-z]){2}"
    r"|[w-z0-6][I-LYZabo-r4-7][0-9A-Za-z+/_-]{6})"
)
_WORD_START = rf"(?:^|[^0-9A-Za-z%]|{ESCAPED_PERCENT}[0-9a-fA-F]{{2}})"
# The following patterns ignore case.
AT = rf"[0-9a-z\u0080-\uffff](?:@|{ESCAPED_PERCENT}40)"
ESCAPED = rf"{ESCAPED_PERCENT}(?:3[0-9]|[46][1-9a-f]|[57][0-9a]|d[9b]|ef|f0)"
PLUS = rf"(?:(?:^|[ =:,;(/&?'\"\x3c]|{ESCAPED_PERCENT}3d)\+|{ESCAPED_PERCENT}2b)(?:[ (]|{ESCAPED_PERCENT}2[08])*[0-9]"
FOREIGN_DIGITS = r"[\u0660-\u06f9\ufe50-\ufe6f\uff01-\uff5e]"
LONG_NUMBER = rf"[2-6](?:{_SPACE}[0-9]){{13}}"
CREDENTIAL_MARK = "eyJ|_(?:live|test)_"
SUSPECT_KEY = (
    "(?:n[ao]m|apell|phone|mo[bv]il|[tc]el|msis|whats|fax|contact"
    f"|passw|pwd|birth|dob|ssn|iban|cv[vc])[^&=/]{{0,20}}(?:[=:]|{ESCAPED_PERCENT}3[ad])"
)
# A URL that matches neither of these two patterns holds nothing personal; browsers write URLs in ASCII. A page with a
# matching URL asks the endpoint before it loads the pixel, so false matches cost a request. The first ignores case.
SUSPECT = "|".join(
    (AT.replace(r"\u0080-\uffff", ""), ESCAPED, PLUS.replace(r"'\"\x3c", ""), LONG_NUMBER, CREDENTIAL_MARK, SUSPECT_KEY)
)
SUSPECT_BASE64 = _WORD_START + TEXT_IN_BASE64
