"""Find where a document names its character encoding, as browsers do before they parse it.

The algorithm is the HTML standard's "prescan a byte stream to determine its encoding"
(https://html.spec.whatwg.org/multipage/parsing.html#prescan-a-byte-stream-to-determine-its-encoding), and the names are
the labels of the Encoding standard (https://encoding.spec.whatwg.org/#names-and-labels).
"""

from __future__ import annotations

import html
import re

from tiktok_middleware.core.page.charset_labels import LABELS

__all__ = ["BOM", "PRESCAN_BYTES", "UTF_16_BOMS", "declared_by", "is_label", "prescan"]

#: How far browsers look for a declaration in the document.
PRESCAN_BYTES = 1024

#: The byte order mark of UTF-8, which outranks every declaration.
BOM = b"\xef\xbb\xbf"

#: The byte order marks of encodings in which a script of ASCII bytes would be other characters. They outrank
#: ``Content-Type``.
UTF_16_BOMS = frozenset({b"\xff\xfe", b"\xfe\xff"})

_W = rb"[\t\n\f\r ]"
_SPACE = "\t\n\f\r "
_META = re.compile(rb"<meta[\t\n\f\r /]", re.IGNORECASE)
_ANY_TAG = re.compile(rb"</?[A-Za-z][^\t\n\f\r >]*(?=[\t\n\f\r >])")
# One attribute, or the end of the tag. Every alternative must be followed by a byte, so an attribute that is cut off
# at the end of the bytes does not match. The prescan then ends, as the standard requires.
_ATTRIBUTE = re.compile(
    rb"[\t\n\f\r /]*(?:(?=>)|([^\t\n\f\r />][^\t\n\f\r />=]*)"
    rb"(?:" + _W + rb"*=" + _W + rb"*(?:\"([^\"]*)\"|'([^']*)'|(?=>)|([^\t\n\f\r >\"'][^\t\n\f\r >]*)(?=[\t\n\f\r >]))"
    rb"|(?=[/>])|" + _W + rb"+(?=[^\t\n\f\r =])))"
)
_CONTENT_CHARSET = re.compile(
    rb"charset" + _W + rb"*=" + _W + rb"*(?:\"([^\"]*)\"|'([^']*)'|([^\t\n\f\r ;\"'][^\t\n\f\r ;]*)|(?=[\"';]|$))",
    re.IGNORECASE,
)


def is_label(text: str) -> bool:
    """Return whether browsers have an encoding of this name."""
    return text.strip(_SPACE).lower() in LABELS


def prescan(data: bytes) -> tuple[int, int] | None:
    """Return where the ``<meta>`` that determines the encoding begins and ends; None if there is none.

    Args:
        data: the first bytes of the document; browsers look at :data:`PRESCAN_BYTES`.
    """
    end = min(len(data), PRESCAN_BYTES)
    position = data.find(b"<", 0, end)
    while position >= 0:
        if data.startswith(b"<!--", position, end):
            stop = data.find(b"-->", position + 2, end)
            after = stop + 3 if stop >= 0 else -1
        elif _META.match(data, position, end):
            stop, is_named = _read_meta(data, position + 5, end)
            if is_named:
                return position, stop + 1
            after = stop
        elif (tag := _ANY_TAG.match(data, position, end)) is not None:
            after = _skip_attributes(data, tag.end(), end)
        elif data[position + 1 : position + 2] in {b"!", b"/", b"?"} and position + 1 < end:
            after = data.find(b">", position, end)
        else:
            after = position + 1
        if after < 0:
            return None
        position = data.find(b"<", after, end)
    return None


def declared_by(tag: bytes) -> bool:
    """Return whether a parser reads an encoding that browsers have in a ``<meta>`` start tag.

    A parser decodes the character references in attribute values; the prescan does not.

    Args:
        tag: the whole tag, from its "<" to its ">".
    """
    return _META.match(tag) is not None and any(_read_meta(text, 5, len(text))[1] for text in (tag, _decoded(tag)))


def _decoded(tag: bytes) -> bytes:
    if b"&" not in tag:
        return tag
    return html.unescape(tag.decode("latin-1")).encode("ascii", "replace")


def _skip_attributes(data: bytes, position: int, end: int) -> int:
    """Return the position of the tag's ">"; -1 if the bytes end before it."""
    while (found := _ATTRIBUTE.match(data, position, end)) is not None:
        position = found.end()
        if found[1] is None:
            return position
    return -1


def _read_meta(data: bytes, position: int, end: int) -> tuple[int, bool]:
    """Return the index of a ``<meta>`` tag's ">", -1 if the bytes end before it, and whether it names an encoding."""
    values: dict[bytes, bytes] = {}
    while (found := _ATTRIBUTE.match(data, position, end)) is not None:
        position = found.end()
        if found[1] is None:
            return position, _names_encoding(values)
        values.setdefault(found[1].lower(), found[2] or found[3] or found[4] or b"")
    return -1, False


def _names_encoding(values: dict[bytes, bytes]) -> bool:
    """Return whether these attributes of a ``<meta>`` name an encoding; ``charset`` overrides ``content``."""
    charset = values.get(b"charset")
    if charset is not None:
        return is_label(charset.decode("latin-1"))
    is_pragma = values.get(b"http-equiv", b"").lower() == b"content-type"
    return is_pragma and is_label(_extracted(values.get(b"content", b"")))


def _extracted(content: bytes) -> str:
    """Return the label in a ``<meta>``'s ``content``: "extracting a character encoding from a meta element"."""
    found = _CONTENT_CHARSET.search(content)
    label = next(filter(None, found.groups()), b"") if found is not None else b""
    return label.decode("latin-1")
