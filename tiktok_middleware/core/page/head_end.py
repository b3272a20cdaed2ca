"""Where a script belongs in HTML that arrives in pieces: at the end of the head, as the HTML standard's parser
would see it (https://html.spec.whatwg.org/multipage/parsing.html). It knows nothing of responses or encodings.

The parser's insertion modes are followed from the first byte to the end of the head and no further. No byte is looked
at twice for long, and bytes are held back only while a name, or what could be the end of raw text, is unfinished.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Union

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

__all__ = ["LIMIT_BYTES", "HeadEnd", "Injector", "Search", "first_run"]

#: How far the end of the head is searched for. Real heads are far smaller; the bound keeps hostile ones cheap.
LIMIT_BYTES = 65_536

# A run of plain constructs looks this far ahead, so that one that leads nowhere is not paid for again and again.
_WINDOW_BYTES = 4_096

_BOM = b"\xef\xbb\xbf"
_DOCTYPE = b"<!doctype"
_BEGINS_DOCUMENT = frozenset({b"html", b"head", b"body", b"title", b"meta", b"base"})
_STAY_IN_HEAD = frozenset({b"html", b"head", b"base", b"basefont", b"bgsound", b"link", b"meta"})
_RAW_IN_HEAD = frozenset({b"title", b"style", b"noscript", b"noframes", b"script"})
_RAW_IN_TEMPLATE = _RAW_IN_HEAD | {b"textarea", b"xmp", b"iframe", b"noembed"}
# In a template these change what the names after them mean, in ways that also differ between browsers.
_UNCLEAR_IN_TEMPLATE = frozenset({b"svg", b"math", b"plaintext", b"select", b"col", b"colgroup", b"frameset"})
_END_TAGS_THAT_END_HEAD = frozenset({b"head", b"body", b"html", b"br"})


class Search(Enum):
    """How far the search has come."""

    MORE = "more"
    FOUND = "found"
    NEVER = "never"


class HeadEnd(NamedTuple):
    """One step of the search.

    Attributes:
        search: FOUND and NEVER are final.
        data: the bytes that were held, followed by the new ones.
        cut: FOUND: the script goes here. MORE: bytes before this index may leave, the rest is held. NEVER: all leave.
    """

    search: Search
    data: bytes
    cut: int


_MORE, _FOUND, _NEVER = Search.MORE, Search.FOUND, Search.NEVER

# What a state answers: where it has come to, and MORE to wait for bytes, FOUND and NEVER to end, None to go on.
_Step = tuple[Union[Search, None], int]  # noqa: UP007  # a run-time alias on Python 3.10


def first_run(data: bytes) -> tuple[int, bool]:
    """How far a document begins plainly, and whether it comes to the end of its head so: most pages do, in one step.

    Args:
        data: the first bytes of the body.
    """
    match = FIRST_RUN.match(data, 0, _plain_end(data, 0, len(data)))
    if match is None:
        return 0, False
    return (match.start(1), True) if match.lastindex else (match.end(), False)


class Injector:
    """Searches one document for the end of its head.

    Args:
        begun_at: how far :func:`first_run` has come in the piece that is fed first.

    Attributes:
        is_document: None until known, then whether the bytes begin like a document and not like a fragment.
        reason: why the search ended without a place, in a snake_case word.
        held: bytes that were fed and have not been given back yet.
    """

    __slots__ = (
        "_after_tag",
        "_begun_at",
        "_raw",
        "_seen",
        "_state",
        "_tag",
        "_templates",
        "held",
        "is_document",
        "reason",
    )

    def __init__(self, begun_at: int = 0) -> None:
        self.is_document: bool | None = True if begun_at else None
        self.reason = ""
        self.held = b""
        self._seen = 0  # bytes before `held`
        self._begun_at = begun_at
        self._state: _State = Injector._head if begun_at else Injector._beginning
        self._tag = ""  # state of an unfinished tag
        self._after_tag: _State = Injector._beginning  # the state once it has ended
        self._raw = b""  # the element whose raw text this is, or how far a script is escaped
        self._templates = 0  # how many are open

    def feed(self, piece: bytes, *, last: bool) -> HeadEnd:
        """One step further.

        Args:
            piece: the next bytes of the body, never fed before.
            last: True when no more follow.
        """
        data = self.held + piece if self.held else piece
        end = len(data)
        if self._seen + end > LIMIT_BYTES:
            end = LIMIT_BYTES - self._seen
            last = False
        search: Search | None = None
        position, self._begun_at = self._begun_at, 0
        while search is None:
            search, position = self._state(self, data, position, end)
        if search is _FOUND:
            self.held = b""
            return HeadEnd(_FOUND, data, position)
        if search is _MORE:
            if last and self._ends_well(data, position):
                self.held = b""
                return HeadEnd(_FOUND, data, position)
            if not last and end == len(data):
                self.held = data[position:]
                self._seen += position
                return HeadEnd(_MORE, data, position)
            self.reason = "head_unfinished" if last else "head_too_long"
        if not self.is_document:
            self.is_document, self.reason = False, "not_a_document"
        self.held = b""
        return HeadEnd(_NEVER, data, len(data))

    def _ends_well(self, data: bytes, position: int) -> bool:
        """Whether the document may end here: the parser then closes the head by itself."""
        return (
            bool(self.is_document)
            and self._state is Injector._head
            and not self._templates
            and not data.startswith(b"<!", position)  # a comment that is cut off belongs where it stands
        )

    # -- in and before the head

    def _beginning(self, data: bytes, _: int, end: int) -> _Step:
        """The first bytes of all, where a byte order mark may stand."""
        if end < len(_BOM) and _BOM.startswith(data):
            return _MORE, 0
        self._state = Injector._head
        match = FIRST_RUN.match(data, 0, _plain_end(data, 0, end))
        if match is None:
            return None, len(_BOM) if data.startswith(_BOM) else 0
        self.is_document = True
        return (_FOUND, match.start(1)) if match.lastindex else (None, match.end())

    def _head(self, data: bytes, position: int, end: int) -> _Step:
        """Between two tokens in or before the head, or in a template of the head."""
        if self._templates:
            found = data.find(b"<", position, end)  # text decides nothing there
            position = end if found < 0 else found
        elif self.is_document:
            stop = _plain_end(data, position, end)
            match = RUN.match(data, position, stop)
            if match is not None and match.lastindex:
                return _FOUND, match.start(1)
            before, position = position, match.end() if match is not None else position
            if stop < end:
                tag = TAG.match(data, position, end)
                if tag is not None:
                    return None, tag.end()
                if before < position == stop:
                    return None, position  # the run may go on behind what it could see
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
        """Comments, doctypes, what the standard calls bogus comments, and a lone "<", which is text."""
        opening = data[position : min(position + len(_DOCTYPE), end)].lower()
        if opening in {b"<", b"</"}:
            return _MORE, position
        if opening[1:2] not in {b"!", b"?", b"/"}:
            return (None, position + 1) if self._templates else self._ends_head(position)
        if opening.startswith(b"<!--"):
            self._state = Injector._comment_beginning
            return None, position + 4
        if b"<!--".startswith(opening) or (_DOCTYPE.startswith(opening) and opening != _DOCTYPE):
            return _MORE, position
        if opening == _DOCTYPE and self.is_document is None:
            self.is_document = True
        self._state = Injector._bogus_comment
        return None, position + 2

    def _named(self, match: re.Match[bytes]) -> _Step:
        """A tag whose name has come, or some of it."""
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
            self._state = Injector._in_tag
        return None, match.end()

    def _start_tag(self, name: bytes) -> _State | None:
        """The state after the tag; None where it ends the head."""
        if self.is_document is None:
            self.is_document = name in _BEGINS_DOCUMENT
        if not self.is_document:
            return None
        if self._templates and name in _UNCLEAR_IN_TEMPLATE:
            self.reason = "unclear_template"
            return None
        if name in (_RAW_IN_TEMPLATE if self._templates else _RAW_IN_HEAD):
            self._raw = name
            return Injector._script if name == b"script" else Injector._raw_text
        if name == b"template":
            self._templates += 1
        elif not self._templates and name not in _STAY_IN_HEAD:
            return None
        return Injector._head

    def _end_tag(self, name: bytes) -> _State | None:
        """The same for an end tag; those that mean nothing here are dropped by the parser."""
        if self._templates:
            self._templates -= name == b"template"
        elif name in _END_TAGS_THAT_END_HEAD:
            return None
        return Injector._head

    def _ends_head(self, position: int) -> _Step:
        """What is here belongs behind the head; or nothing has said yet that this is a document."""
        return (_FOUND if self.is_document else _NEVER), position

    # -- inside one token

    def _in_tag(self, data: bytes, position: int, end: int) -> _Step:
        self._tag, position = skip_tag(self._tag, data, position, end)
        if self._tag:
            return _MORE, position
        self._state = self._after_tag
        return None, position

    def _bogus_comment(self, data: bytes, position: int, end: int) -> _Step:
        found = data.find(b">", position, end)
        if found < 0:
            return _MORE, end
        self._state = Injector._head
        return None, found + 1

    def _comment_beginning(self, data: bytes, position: int, end: int) -> _Step:
        """Right after "<!--", where ">" and "->" end the comment at once."""
        opening = data[position : min(position + 2, end)]
        if opening in {b"", b"-"}:
            return _MORE, position
        if opening.startswith(b">") or opening == b"->":
            self._state = Injector._head
            return None, position + opening.index(b">") + 1
        self._state = Injector._comment
        return None, position

    def _comment(self, data: bytes, position: int, end: int) -> _Step:
        match = COMMENT_END.search(data, position, end)
        if match is None:
            return _MORE, max(position, end - len("--!"))
        self._state = Injector._head
        return None, match.end()

    def _raw_text(self, data: bytes, position: int, end: int) -> _Step:
        match = RAW_END[self._raw].search(data, position, end)
        if match is None:
            return _MORE, held_back(data, position, end)
        self._state = Injector._head
        return None, match.start()

    def _script(self, data: bytes, position: int, end: int) -> _Step:
        self._raw, position, is_over = skip_script(self._raw, data, position, end)
        if not is_over:
            return _MORE, position
        self._state = Injector._head
        return None, position


_State = Callable[[Injector, bytes, int, int], _Step]


def _plain_end(data: bytes, position: int, end: int) -> int:
    """How far runs of plain constructs may look."""
    stop = position + _WINDOW_BYTES
    if stop > end:  # noqa: PLR1730  # a call of min() costs as much as the search below
        stop = end
    apostrophe = data.find(b"'", position, stop)
    return stop if apostrophe < 0 else apostrophe
