"""Where a script belongs in HTML that arrives in pieces: at the end of the head, as the HTML standard's parser
would see it (https://html.spec.whatwg.org/multipage/parsing.html). It knows nothing of responses or encodings.

The parser's insertion modes are followed from the first byte to the end of the head and no further. Bytes are
held back only while a construct is unfinished: a tag, the first bytes of a comment, a possible end of raw text.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import NamedTuple

__all__ = ["LIMIT_BYTES", "Injector", "Place", "Search"]

#: How far the end of the head is searched for. Real heads are far smaller; the bound keeps hostile ones cheap.
LIMIT_BYTES = 65_536

_W = rb"[\t\n\f\r ]"
# White space and plainly written void elements, many at a time; whatever is written otherwise goes the exact way.
_PLAIN_RUN = re.compile(
    rb"(?:[\t\n\f\r ]+"
    rb"|<(?:meta|link|base)(?=[\t\n\f\r ])(?:[^>\"'=]*[^>\"'=\t\n\f\r /]=\"[^\"]*\")*[^>\"'=]*>)*"
)
_SPACE = re.compile(_W + rb"*")
# A name's look-ahead and the single separator keep every byte matchable in one way only: no backtracking storms.
_ATTRIBUTES = (
    rb"(?:[\t\n\f\r /]"
    rb"|[^\t\n\f\r />][^\t\n\f\r />=]*(?=[\t\n\f\r />=])"
    rb"(?:"
    + _W
    + rb"*="
    + _W
    + rb"*(?:\"[^\"]*\"|'[^']*'|[^\t\n\f\r >\"'][^\t\n\f\r >]*(?=[\t\n\f\r >])|(?=>))|(?!"
    + _W
    + rb"*=)))*"
)
_TAG = re.compile(rb"<(/?)([A-Za-z][^\t\n\f\r />\x00]*)(?=[\t\n\f\r />])" + _ATTRIBUTES + rb">")
_TAG_OPEN = re.compile(rb"</?[A-Za-z]")
_SCRIPT_TOKEN = re.compile(rb"<!--|-->|<(/?)script(?=[\t\n\f\r />])", re.IGNORECASE)
_COMMENT_END = re.compile(rb"--!?>")

_BEGINS_DOCUMENT = frozenset({b"html", b"head", b"body", b"title", b"meta", b"base"})
_STAY_IN_HEAD = frozenset({b"html", b"head", b"base", b"basefont", b"bgsound", b"link", b"meta"})
_RAW_IN_HEAD = frozenset({b"title", b"style", b"noscript", b"noframes", b"script"})
_RAW_IN_TEMPLATE = _RAW_IN_HEAD | {b"textarea", b"xmp", b"iframe", b"noembed"}
_FOREIGN = frozenset({b"svg", b"math", b"plaintext"})
_END_TAGS_THAT_END_HEAD = frozenset({b"head", b"body", b"html", b"br"})
_RAW_END = {
    name: re.compile(rb"</" + name + rb"(?=[\t\n\f\r />])", re.IGNORECASE) for name in _RAW_IN_TEMPLATE - {b"script"}
}
# The longest token that may be cut at the end of a piece, without the byte that its look-ahead needs.
_LONGEST_RAW_TOKEN_BYTES = len(b"</noscript")


class Search(Enum):
    """How far the search has come."""

    MORE = "more"
    FOUND = "found"
    NEVER = "never"


class Place(NamedTuple):
    """One step of the search.

    Attributes:
        search: FOUND and NEVER are final.
        data: the bytes that were held, followed by the new ones.
        cut: FOUND: the script goes here. MORE: bytes before this index may leave, the rest is held. NEVER: all leave.
    """

    search: Search
    data: bytes
    cut: int


class _Mode(Enum):
    HEAD = "in or before the head"
    COMMENT = "comment"
    RAW = "raw text"
    SCRIPT = "script"
    ESCAPED = "script, escaped"
    DOUBLE = "script, double escaped"


class Injector:
    """Searches one document for the end of its head.

    Attributes:
        is_document: None until known, then whether the bytes begin like a document and not like a fragment.
        reason: why the search ended without a place, in a snake_case word.
    """

    __slots__ = ("_held", "_mode", "_raw", "_seen", "_templates", "_tried", "is_document", "reason")

    def __init__(self) -> None:
        self.is_document: bool | None = None
        self.reason = ""
        self._held = b""
        self._seen = 0
        self._mode = _Mode.HEAD
        self._raw = b""
        self._templates = 0
        self._tried = 0  # length of `_held` that held no complete tag

    @property
    def held(self) -> bytes:
        """Bytes that were fed and have not been given back yet."""
        return self._held

    def feed(self, piece: bytes, *, last: bool) -> Place:
        """One step further.

        Args:
            piece: the next bytes of the body, never fed before.
            last: True when no more follow.
        """
        data = self._held + piece if self._held else piece
        if self._tried and not last and data.find(b">", self._tried) < 0 and self._seen + len(data) <= LIMIT_BYTES:
            self._held, self._tried = data, len(data)
            return Place(Search.MORE, data, 0)
        self._tried = 0
        if not self._seen and len(data) < 3 and not last and b"\xef\xbb\xbf".startswith(data):
            self._held = data
            return Place(Search.MORE, data, 0)
        start = 3 if not self._seen and data.startswith(b"\xef\xbb\xbf") else 0
        search, cut = self._scan(data, start, last=last)
        if search is Search.MORE:
            if self._seen + len(data) > LIMIT_BYTES:
                return self._never("head_too_long", data)
            self._held, self._seen = data[cut:], self._seen + cut
        elif search is Search.NEVER:
            return self._never(self.reason, data)
        return Place(search, data, cut)

    def _never(self, reason: str, data: bytes) -> Place:
        self.reason = reason
        self.is_document = bool(self.is_document)
        self._held = b""
        return Place(Search.NEVER, data, len(data))

    def _scan(self, data: bytes, position: int, *, last: bool) -> tuple[Search, int]:
        """Follow the document from one token to the next."""
        while True:
            before = position
            if self._mode is _Mode.HEAD:
                step = self._token(data, position, last=last)
            elif self._mode is _Mode.COMMENT:
                step = self._comment(data, position)
            elif self._mode is _Mode.RAW:
                step = self._raw_text(data, position)
            else:
                step = self._script(data, position)
            search, position = step
            if search is not None:
                return self._at_end(search, position, last=last)
            if position == before == len(data):
                return self._at_end(Search.MORE, position, last=last)

    def _at_end(self, search: Search, position: int, *, last: bool) -> tuple[Search, int]:
        if search is not Search.MORE or not last:
            return search, position
        if self._mode is _Mode.HEAD and self.is_document and not self._templates:
            return Search.FOUND, position
        self.reason = self.reason or ("head_unfinished" if self.is_document else "not_a_document")
        return Search.NEVER, position

    def _token(self, data: bytes, position: int, *, last: bool) -> tuple[Search | None, int]:
        """One token in or before the head, or in a template of the head."""
        position = self._skip(data, position)
        if position >= len(data):
            return None if not last else Search.MORE, len(data)
        if data[position] != 0x3C:
            return self._ends_head(position)
        match = _TAG.match(data, position)
        if match is not None:
            return self._tag(match)
        if _TAG_OPEN.match(data, position):
            self._tried = len(data) - position
            return Search.MORE, position
        return self._markup(data, position, last=last)

    def _skip(self, data: bytes, position: int) -> int:
        """Past what can be skipped without a decision; in a template that is all text."""
        if self._templates:
            found = data.find(b"<", position)
            return len(data) if found < 0 else found
        run = (_PLAIN_RUN if self.is_document else _SPACE).match(data, position)
        return run.end() if run is not None else position

    def _markup(self, data: bytes, position: int, *, last: bool) -> tuple[Search | None, int]:
        """Comments, doctypes, and what the standard calls bogus comments."""
        opening = data[position : position + 6]
        if opening.startswith(b"<!--"):
            if len(opening) < 6 and not last and opening != b"<!-->":
                return Search.MORE, position
            if opening.startswith((b"<!-->", b"<!--->")):
                return None, position + (5 if opening[4:5] == b">" else 6)
            self._mode = _Mode.COMMENT
            return None, position + 4
        if opening[1:2] not in {b"!", b"?", b"/"} and len(opening) > 1:
            return self._ends_head(position)  # a lone "<" is text
        end = data.find(b">", position)
        if end < 0 or (len(opening) < 4 and not last and b"<!--".startswith(opening)):
            return Search.MORE, position
        if (
            opening.startswith(b"<!")
            and data[position + 2 : position + 9].lower() == b"doctype"
            and self.is_document is None
        ):
            self.is_document = True
        return None, end + 1

    def _tag(self, match: re.Match[bytes]) -> tuple[Search | None, int]:
        name = match[2].lower()
        if match[1]:
            return self._end_tag(name, match)
        if self.is_document is None:
            self.is_document = name in _BEGINS_DOCUMENT
            if not self.is_document:
                return self._refuse("not_a_document", match.end())
        if self._templates:
            return self._tag_in_template(name, match.end())
        if name in _RAW_IN_HEAD:
            self._enter_raw(name)
        elif name == b"template":
            self._templates = 1
        elif name not in _STAY_IN_HEAD:
            return Search.FOUND, match.start()
        return None, match.end()

    def _tag_in_template(self, name: bytes, end: int) -> tuple[Search | None, int]:
        if name in _FOREIGN:
            return self._refuse("foreign_content_in_template", end)
        if name in _RAW_IN_TEMPLATE:
            self._enter_raw(name)
        elif name == b"template":
            self._templates += 1
        return None, end

    def _end_tag(self, name: bytes, match: re.Match[bytes]) -> tuple[Search | None, int]:
        if self._templates:
            self._templates -= name == b"template"
            return None, match.end()
        if name in _END_TAGS_THAT_END_HEAD:
            return self._ends_head(match.start())
        return None, match.end()  # the parser drops it

    def _enter_raw(self, name: bytes) -> None:
        self._raw = name
        self._mode = _Mode.SCRIPT if name == b"script" else _Mode.RAW

    def _comment(self, data: bytes, position: int) -> tuple[Search | None, int]:
        match = _COMMENT_END.search(data, position)
        if match is None:
            return Search.MORE, max(position, len(data) - 3)
        self._mode = _Mode.HEAD
        return None, match.end()

    def _raw_text(self, data: bytes, position: int) -> tuple[Search | None, int]:
        match = _RAW_END[self._raw].search(data, position)
        if match is None:
            return Search.MORE, max(position, len(data) - _LONGEST_RAW_TOKEN_BYTES)
        self._mode = _Mode.HEAD
        return None, match.start()

    def _script(self, data: bytes, position: int) -> tuple[Search | None, int]:
        """Script text, where ``<!--`` and a nested ``<script`` may hide an end tag (section 13.2.5.4 and on)."""
        while True:
            match = _SCRIPT_TOKEN.search(data, position)
            if match is None:
                return Search.MORE, max(position, len(data) - _LONGEST_RAW_TOKEN_BYTES)
            token = match[0].lower()
            # "<!-->" both opens and closes: its dashes are looked at again.
            position = match.start() + 2 if token == b"<!--" else match.end()
            if token == b"</script" and self._mode is not _Mode.DOUBLE:
                self._mode = _Mode.HEAD
                return None, match.start()
            self._mode = _SCRIPT_MODES.get((self._mode, token), self._mode)

    def _ends_head(self, position: int) -> tuple[Search | None, int]:
        if self.is_document is None:
            return self._refuse("not_a_document", position)
        return Search.FOUND, position

    def _refuse(self, reason: str, position: int) -> tuple[Search, int]:
        self.reason = reason
        return Search.NEVER, position


_SCRIPT_MODES = {
    (_Mode.SCRIPT, b"<!--"): _Mode.ESCAPED,
    (_Mode.ESCAPED, b"-->"): _Mode.SCRIPT,
    (_Mode.DOUBLE, b"-->"): _Mode.SCRIPT,
    (_Mode.ESCAPED, b"<script"): _Mode.DOUBLE,
    (_Mode.DOUBLE, b"</script"): _Mode.ESCAPED,
}
