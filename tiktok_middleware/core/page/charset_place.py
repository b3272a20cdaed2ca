"""Find the place of a script in a document whose encoding is named only by the document itself.

Browsers look for the declaration only in the first 1,024 bytes. If it follows the end of the head, a script at the end
of the head could push it beyond that limit. In this case the script goes after the declaration, or nowhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from tiktok_middleware.core.page.charset import BOM, PRESCAN_BYTES, declared_by, prescan
from tiktok_middleware.core.page.html_tokens import COMMENT_END, RAW_END, skip_script, skip_tag

__all__ = ["AT_RISK", "UNDECIDED", "is_declared_before", "place_behind_charset"]

#: No place: a script would change the encoding that the browser uses.
AT_RISK = -1
#: Too few bytes to decide.
UNDECIDED = -2

_NAME = re.compile(rb"</?([A-Za-z][^\t\n\f\r />]*)")
# Inside these elements, a script would not be part of the document's body.
_UNCLEAR = frozenset({b"svg", b"math", b"frameset", b"template", b"plaintext"})


class _Tag(NamedTuple):
    """One tag; ``end`` is 0 if the bytes end before the tag does."""

    name: bytes
    start: int
    end: int
    ends_raw_text: bool = False


def is_declared_before(data: bytes, position: int) -> bool:
    """Return whether a browser finds the encoding before this position.

    Args:
        data: the first 1,024 bytes of the document, or as many as have arrived.
        position: index in ``data``.
    """
    if data.startswith(BOM):
        return True
    found = prescan(data)
    return found is not None and found[1] <= position


def place_behind_charset(beginning: bytes, head_end: int, *, is_all: bool) -> int:
    """Return where the script goes: the end of the head, a place after the declaration, AT_RISK or UNDECIDED.

    Args:
        beginning: the first 1,024 bytes of the document, or as many as have arrived.
        head_end: index of the end of the head; may be beyond ``beginning``.
        is_all: whether the document ends with ``beginning``.
    """
    if is_declared_before(beginning, head_end):
        return head_end
    if len(beginning) < PRESCAN_BYTES and not is_all:
        return UNDECIDED
    if head_end >= len(beginning):
        return head_end
    tags = list(_tags(beginning))
    found = prescan(beginning)
    # Chromium finds tags with its parser, not with the standard's prescan. Both declarations must stay in reach.
    declaration = next(
        (tag for tag in tags if tag.name == b"meta" and declared_by(beginning[tag.start : tag.end])), None
    )
    barrier = max(found[1] if found is not None else 0, declaration.end if declaration is not None else 0)
    if declaration is None and _is_cut_off_meta(tags, head_end):
        return AT_RISK
    return _first_place(tags, head_end, barrier) if barrier > head_end else head_end


def _is_cut_off_meta(tags: list[_Tag], head_end: int) -> bool:
    """Return whether a declaration may begin within the bytes that Chromium reads, and end after them."""
    return bool(tags) and tags[-1].end == 0 and tags[-1].start >= head_end and b"meta".startswith(tags[-1].name)


def _first_place(tags: list[_Tag], head_end: int, barrier: int) -> int:
    for tag in tags:
        if tag.start < head_end:
            continue
        if tag.name in _UNCLEAR:
            break
        if tag.end >= barrier and (tag.name == b"meta" or tag.ends_raw_text):
            return tag.end
    return AT_RISK


def _tags(data: bytes) -> Iterator[_Tag]:
    """Yield the document's start tags, and the end tags of raw text. The last tag may be cut off."""
    position, size = 0, len(data)
    while (position := data.find(b"<", position)) >= 0:
        named = _NAME.match(data, position)
        if named is None:
            position = _after_markup(data, position)
            if position < 0:
                return
            continue
        is_cut_off, end = skip_tag("tag_name", data, named.end(), size)
        name, is_start = named[1].lower(), data[position + 1] != 0x2F
        if is_start:
            yield _Tag(name, position, 0 if is_cut_off else end)
        if is_cut_off or (is_start and name == b"plaintext"):
            return
        position = end
        if is_start and (name in RAW_END or name == b"script"):
            start = _raw_end(name, data, position)
            if start < 0:
                return
            is_cut_off, position = skip_tag("tag_name", data, start + len(b"</") + len(name), size)
            if is_cut_off:
                return
            yield _Tag(name, start, position, ends_raw_text=True)


def _after_markup(data: bytes, position: int) -> int:
    """Return the position after a comment, doctype, bogus comment, or literal "<"; -1 if the bytes end before."""
    if data.startswith(b"<!--", position):
        if data.startswith((b">", b"->"), position + 4):
            return data.index(b">", position) + 1
        end = COMMENT_END.search(data, position + 4)
        return end.end() if end is not None else -1
    if data[position + 1 : position + 2] in {b"!", b"/", b"?"}:
        return data.find(b">", position) + 1 or -1
    return position + 1


def _raw_end(name: bytes, data: bytes, position: int) -> int:
    """Return where the end tag of raw text begins; -1 if the bytes end before it."""
    if name == b"script":
        _, start, is_over = skip_script(name, data, position, len(data))
        return start if is_over else -1
    end = RAW_END[name].search(data, position)
    return end.start() if end is not None else -1
