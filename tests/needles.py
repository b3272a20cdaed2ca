"""Searches bytes for what a customer typed, in every spelling that software gives such values; it excuses nothing."""

from __future__ import annotations

import base64
import binascii
import re
import zlib
from collections.abc import Iterable, Iterator
from urllib.parse import quote, quote_plus, unquote_to_bytes

from tests.customer import CUSTOMER

__all__ = ["found_in", "typed"]

_ENCODED = re.compile(rb"[A-Za-z0-9+/_-]{12,}")


def typed() -> list[str]:
    """What nobody but the shop may learn: e-mail, phone and names, as typed and as cleaned."""
    email, phone = CUSTOMER["email"].strip(), CUSTOMER["phone"]
    digits = re.sub(r"\D", "", phone)
    names = [CUSTOMER["first_name"], *CUSTOMER["last_name"].split("-")]
    return [
        email,
        email.partition("@")[0],
        phone,
        digits,
        digits[1:],
        *names,
        CUSTOMER["last_name"],
        CUSTOMER["street"],
    ]


def found_in(haystack: bytes, values: Iterable[str] = ()) -> list[str]:
    """The values, those of the shop's customer if none are given, that stand in these bytes.

    Raw, escaped, percent-encoded, base64, or compressed inside base64.
    """
    searched = [part.lower() for part in (haystack, unquote_to_bytes(haystack), *_decoded(haystack))]
    return [value for value in values or typed() if any(one in part for part in searched for one in _spellings(value))]


def _spellings(value: str) -> set[bytes]:
    ascii_json = value.encode("unicode_escape").replace(b"\\x", b"\\u00")
    forms: Iterable[bytes] = (
        value.encode(),
        value.lower().encode(),
        value.lower().encode("latin-1", "replace"),
        ascii_json,
        quote(value, safe="").encode(),
        quote_plus(value).encode(),
        "".join(f"%{byte:02x}" for byte in value.encode()).encode(),
        value.encode("ascii", "xmlcharrefreplace"),
        value.encode().hex().encode(),
        value.encode("utf-16-le"),
        *_base64(value),
        *_base64(value.lower()),
    )
    return {one.lower() for one in forms}


def _base64(value: str) -> Iterator[bytes]:
    """The part that base64 shows of a value wherever it begins; as lower-case as the haystack is made."""
    for before in range(3):
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            raw = value.encode()
            encoded = encode(b"\0" * before + raw + b"\0" * 3)
            start, end = -(-before * 8 // 6), (before + len(raw)) * 8 // 6
            yield encoded[start:end]


def _decoded(haystack: bytes) -> Iterator[bytes]:
    """Whatever in these bytes can be read as base64, and what may be compressed inside."""
    for match in _ENCODED.finditer(haystack):
        run = match[0].replace(b"-", b"+").replace(b"_", b"/")
        with_padding = run + b"=" * (-len(run) % 4)
        try:
            raw = base64.b64decode(with_padding)
        except binascii.Error:
            continue
        yield raw
        try:
            yield zlib.decompress(raw)
        except zlib.error:
            continue
