"""Parse the head of an HTML document that arrives in pieces, up to the position where it ends.

The states follow the insertion modes of the HTML standard's parser
(https://html.spec.whatwg.org/multipage/parsing.html) from the first byte to the end of the head, in linear time. Bytes
are left for the next piece only while a name or a possible end of raw text is incomplete.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import Union

from tiktok_middleware.core.page.charset import BOM, UTF_16_BOMS
from tiktok_middleware.core.page.head_tags import TAG_LIMIT_BYTES, HeadTags
from tiktok_middleware.core.page.html_tokens import (
    COMMENT_END,
    FIRST_RUN,
    LONGEST_NAME,
    NAME,
    RAW_END,
    RUN,
    SPACE,
    TAG,
    held_back,
    skip_script,
    skip_tag,
)

__all__ = ["HeadParser", "Search"]

_DOCTYPE = b"<!doctype"
_BEGINS_DOCUMENT = frozenset({b"html", b"head", b"body", b"title", b"meta", b"base"})
_STAY_IN_HEAD = frozenset({b"html", b"head", b"base", b"basefont", b"bgsound", b"link", b"meta"})
_READ = frozenset({b"meta"})
_RAW_IN_HEAD = frozenset({b"title", b"style", b"noscript", b"noframes", b"script"})
_RAW_IN_TEMPLATE = _RAW_IN_HEAD | {b"textarea", b"xmp", b"iframe", b"noembed"}
# In a template these elements change the meaning of later tags, and browsers differ in that.
_UNCLEAR_IN_TEMPLATE = frozenset({b"svg", b"math", b"plaintext", b"select", b"col", b"colgroup", b"frameset"})
_END_TAGS_THAT_END_HEAD = frozenset({b"head", b"body", b"html", b"br"})


class Search(Enum):
    """The state of the search."""

    MORE = "more"
    FOUND = "found"
    NEVER = "never"


_MORE, _FOUND, _NEVER = Search.MORE, Search.FOUND, Search.NEVER

# The result of a state: MORE to wait for bytes, FOUND or NEVER to end, None to continue; and the new position.
_Step = tuple[Union[Search, None], int]  # noqa: UP007  # a run-time alias on Python 3.10


class HeadParser:
    """Parses one document up to the end of its head.

    Args:
        is_begun: whether the first piece begins with plain markup that need not be parsed.
        is_page: whether the bytes are a page even if they do not begin like one.

    Attributes:
        is_document: None until known, then whether the bytes begin like a document and not like a fragment.
        reason: why the head has no end: a reason code.
        tags: the head's tags that affect the script.
    """

    __slots__ = (
        "_after_tag",
        "_raw",
        "_recorded",
        "_state",
        "_tag",
        "_templates",
        "is_document",
        "reason",
        "tags",
    )

    def __init__(self, *, is_begun: bool, is_page: bool) -> None:
        self.is_document: bool | None = True if is_begun or is_page else None
        self.reason: str = ""
        self.tags: HeadTags = HeadTags()
        self._state: _State = HeadParser._head if is_begun else HeadParser._start
        self._tag = ""  # state of an unfinished tag
        self._after_tag: _State = HeadParser._start  # the state after that tag
        self._recorded: bytearray | None = None  # bytes of that tag, if it is one that must be read
        self._raw = b""  # the element of the current raw text, or the escape state of a script
        self._templates = 0  # number of open templates

    # In and before the head

    def _start(self, data: bytes, _: int, end: int) -> _Step:
        """At the first bytes of the document, where a byte order mark may be."""
        if any(end < len(mark) and mark.startswith(data) for mark in (BOM, *UTF_16_BOMS)):
            return _MORE, 0
        if data[:2] in UTF_16_BOMS:
            self.is_document, self.reason = True, "charset"
            return _NEVER, 0
        self._state = HeadParser._head
        match = FIRST_RUN.match(data, 0, end)
        if match is None:
            return None, len(BOM) if data.startswith(BOM) else 0
        self.is_document = True
        return (_FOUND, match.start(1)) if match.lastindex else (None, match.end())

    def _head(self, data: bytes, position: int, end: int) -> _Step:
        """Between two tokens in or before the head, or in a template of the head."""
        if self._templates:
            found = data.find(b"<", position, end)  # text in a template is skipped
            position = end if found < 0 else found
        elif self.is_document:
            match = RUN.match(data, position, end)
            if match is not None:
                if match.lastindex:
                    return _FOUND, match.start(1)
                position = match.end()
            tag = TAG.match(data, position, end)
            if tag is not None:
                self.tags.read(tag[1])
                return None, tag.end()
        else:
            space = SPACE.match(data, position, end)
            position = space.end() if space is not None else position
        if position == end:
            return _MORE, end
        if data[position] != 0x3C:
            if not data[position]:
                self.reason = "nul_byte"  # the standard ends the head here, Chromium skips it
                return _NEVER, position
            return self._ends_head(position)
        name = NAME.match(data, position, end)
        return self._markup(data, position, end) if name is None else self._named(name)

    def _markup(self, data: bytes, position: int, end: int) -> _Step:
        """At a comment, a doctype, a bogus comment (the standard's term), or a lone "<", which is text."""
        opening = data[position : min(position + len(_DOCTYPE), end)].lower()
        if opening in {b"<", b"</"}:
            return _MORE, position
        if opening[1:2] not in {b"!", b"?", b"/"}:
            return (None, position + 1) if self._templates else self._ends_head(position)
        if opening.startswith(b"<!--"):
            self._state = HeadParser._comment_beginning
            return None, position + 4
        if b"<!--".startswith(opening) or (_DOCTYPE.startswith(opening) and opening != _DOCTYPE):
            return _MORE, position
        if opening == _DOCTYPE and self.is_document is None:
            self.is_document = True
        self._state = HeadParser._bogus_comment
        return None, position + 2

    def _named(self, match: re.Match[bytes]) -> _Step:
        """At a tag whose name has arrived, at least in part."""
        slash, name, stop = match.groups()
        if stop:
            name = name.lower()
        elif len(name) <= LONGEST_NAME:
            return _MORE, match.start()
        after = self._end_tag(name) if slash else self._start_tag(name)
        if after is None:
            return (_NEVER if self.reason else self._ends_head(match.start())[0]), match.start()
        if stop == b">":
            self._state = after
        else:
            self._tag = "before_name" if stop else "tag_name"
            self._after_tag = after
            self._recorded = bytearray(match[0]) if name in _READ and not (slash or self._templates) else None
            self._state = HeadParser._in_tag
        return None, match.end()

    def _start_tag(self, name: bytes) -> _State | None:
        """Return the state after a start tag; None if the tag ends the head."""
        if self.is_document is None:
            self.is_document = name in _BEGINS_DOCUMENT
        if not self.is_document:
            return None
        if self._templates and name in _UNCLEAR_IN_TEMPLATE:
            self.reason = "unclear_template"
            return None
        if name in (_RAW_IN_TEMPLATE if self._templates else _RAW_IN_HEAD):
            self._raw = name
            return HeadParser._script if name == b"script" else HeadParser._raw_text
        if name == b"template":
            self._templates += 1
        elif not self._templates and name not in _STAY_IN_HEAD:
            return None
        return HeadParser._head

    def _end_tag(self, name: bytes) -> _State | None:
        """Return the state after an end tag; None if the tag ends the head. The parser ignores other end tags."""
        if self._templates:
            self._templates -= name == b"template"
        elif name in _END_TAGS_THAT_END_HEAD:
            return None
        return HeadParser._head

    def _ends_head(self, position: int) -> _Step:
        """Return FOUND, because the head ends here; NEVER if the bytes do not begin like a document."""
        return (_FOUND if self.is_document else _NEVER), position

    def may_end(self) -> bool:
        """Return whether the document may end here, between two tokens. A browser then closes the head by itself."""
        return bool(self.is_document) and self._state is HeadParser._head and not self._templates

    # Inside one token

    def _in_tag(self, data: bytes, position: int, end: int) -> _Step:
        start = position
        self._tag, position = skip_tag(self._tag, data, position, end)
        if self._recorded is not None:
            self._record(data[start:position])
        if self._tag:
            return _MORE, position
        self._state = self._after_tag
        return None, position

    def _record(self, part: bytes) -> None:
        """Collect the bytes of a tag that arrives in pieces, and read the tag when it has ended."""
        recorded = self._recorded
        if recorded is not None and len(recorded) + len(part) <= TAG_LIMIT_BYTES:
            recorded += part
            if self._tag:
                return
            self.tags.read(bytes(recorded))
        self._recorded = None

    def _bogus_comment(self, data: bytes, position: int, end: int) -> _Step:
        found = data.find(b">", position, end)
        if found < 0:
            return _MORE, end
        self._state = HeadParser._head
        return None, found + 1

    def _comment_beginning(self, data: bytes, position: int, end: int) -> _Step:
        """Directly after "<!--", where ">" and "->" end the comment at once."""
        opening = data[position : min(position + 2, end)]
        if opening in {b"", b"-"}:
            return _MORE, position
        if opening.startswith(b">") or opening == b"->":
            self._state = HeadParser._head
            return None, position + opening.index(b">") + 1
        self._state = HeadParser._comment
        return None, position

    def _comment(self, data: bytes, position: int, end: int) -> _Step:
        match = COMMENT_END.search(data, position, end)
        if match is None:
            return _MORE, max(position, end - len("--!"))
        self._state = HeadParser._head
        return None, match.end()

    def _raw_text(self, data: bytes, position: int, end: int) -> _Step:
        match = RAW_END[self._raw].search(data, position, end)
        if match is None:
            return _MORE, held_back(data, position, end)
        self._state = HeadParser._head
        return None, match.start()

    def _script(self, data: bytes, position: int, end: int) -> _Step:
        self._raw, position, is_over = skip_script(self._raw, data, position, end)
        if not is_over:
            return _MORE, position
        self._state = HeadParser._head
        return None, position


_State = Callable[[HeadParser, bytes, int, int], _Step]
