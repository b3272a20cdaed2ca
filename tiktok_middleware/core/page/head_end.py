"""Find the place for a script in HTML that arrives in pieces: the end of the head, as the HTML standard's parser
sees it (https://html.spec.whatwg.org/multipage/parsing.html).

The search follows the parser's insertion modes from the first byte to the end of the head, in linear time. It holds
bytes back only while a name, or what could be the end of raw text, is unfinished, and where the place depends on what
follows (see ``charset_place``).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from enum import Enum
from typing import NamedTuple, Union

from tiktok_middleware.core.page.charset import BOM, PRESCAN_BYTES
from tiktok_middleware.core.page.charset_place import AT_RISK, UNDECIDED, is_declared_before, place_behind_charset
from tiktok_middleware.core.page.head_tags import LIMIT_BYTES as TAG_LIMIT_BYTES
from tiktok_middleware.core.page.head_tags import HeadTags
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

__all__ = ["LIMIT_BYTES", "OURS", "HeadEnd", "Injector", "Search", "first_run"]

#: How far the end of the head is searched for. The longest of 656 heads of real pages had 1,076,000 bytes, the next
#: 938,000.
LIMIT_BYTES = 1 << 20

#: What every page's script of ours begins with, whichever client has written it.
OURS = b"(function(w,d,c){var t=w.tiktok=w.tiktok||{}"

_DOCTYPE = b"<!doctype"
_BEGINS_DOCUMENT = frozenset({b"html", b"head", b"body", b"title", b"meta", b"base"})
_STAY_IN_HEAD = frozenset({b"html", b"head", b"base", b"basefont", b"bgsound", b"link", b"meta"})
_READ = frozenset({b"meta", b"base"})
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


def first_run(data: bytes, *, is_charset_named: bool) -> tuple[int, bool]:
    """Return how far a document begins plainly, and whether the script goes there: for most pages, in one step.

    Args:
        data: the first bytes of the body.
        is_charset_named: whether the response says how its bytes are to be read.
    """
    match = FIRST_RUN.match(data, 0, LIMIT_BYTES)
    if match is None:
        return 0, False
    if not match.lastindex:
        return match.end(), False
    cut = match.start(1)
    is_place = is_charset_named or is_declared_before(data[:PRESCAN_BYTES], cut)
    return cut, is_place and data.find(OURS, 0, cut) < 0


class Injector:
    """Searches one document for the end of its head.

    Args:
        begun_at: how far :func:`first_run` has come in the piece that is fed first.
        is_charset_named: whether the response says how its bytes are to be read. Otherwise the place is none that
            pushes the document's own declaration out of browsers' reach.
        is_page: whether the bytes are a page even if they do not begin like one.

    Attributes:
        is_document: None until known, then whether the bytes begin like a document and not like a fragment.
        reason: why the search ended without a place, in a snake_case word.
        held: bytes that were fed and have not been given back yet.
        tags: what the head's tags say to us.
    """

    __slots__ = (
        "_after_tag",
        "_before",
        "_beginning",
        "_begun_at",
        "_is_charset_named",
        "_is_ours",
        "_raw",
        "_recorded",
        "_seen",
        "_state",
        "_tag",
        "_templates",
        "held",
        "is_document",
        "reason",
        "tags",
    )

    def __init__(self, begun_at: int = 0, *, is_charset_named: bool = True, is_page: bool = False) -> None:
        self.is_document: bool | None = True if begun_at or is_page else None
        self.reason: str = ""
        self.held: bytes = b""
        self.tags: HeadTags = HeadTags()
        self._seen = 0  # bytes before `held`
        self._begun_at = begun_at
        self._state: _State = Injector._head if begun_at else Injector._start
        self._tag = ""  # state of an unfinished tag
        self._after_tag: _State = Injector._start  # the state once it has ended
        self._recorded: bytearray | None = None  # its bytes, where they are read
        self._raw = b""  # the element whose raw text this is, or how far a script is escaped
        self._templates = 0  # how many are open
        self._is_charset_named = is_charset_named
        self._beginning = b""  # the first bytes of all, where the charset is not named
        self._before = b""  # the last bytes before `held`, where a script of ours may have begun
        self._is_ours = False  # a script of ours is there already

    def feed(self, piece: bytes, *, last: bool) -> HeadEnd:
        """One step further.

        Args:
            piece: the next bytes of the body, never fed before.
            last: True when no more follow.
        """
        data = self.held + piece if self.held else piece
        if not self._is_charset_named and len(self._beginning) < PRESCAN_BYTES:
            self._beginning += piece[: PRESCAN_BYTES - len(self._beginning)]
        search, position = self._search(data, last=last)
        if search is _FOUND:
            search, position = self._settle(position, last=last)
        self._look_for_ours(data, position)
        if search is _MORE:
            self.held = data[position:]
            self._seen += position
            return HeadEnd(_MORE, data, position)
        self.held = b""
        if search is _FOUND and not self._is_ours:
            return HeadEnd(_FOUND, data, position)
        if self._is_ours:
            self.reason = "already_injected"
        if not self.is_document:
            self.is_document, self.reason = False, "not_a_document"
        return HeadEnd(_NEVER, data, len(data))

    def _search(self, data: bytes, *, last: bool) -> tuple[Search, int]:
        """The end of the head, as far as it goes with these bytes."""
        end = len(data)
        if self._seen + end > LIMIT_BYTES:
            end = LIMIT_BYTES - self._seen
            last = False
        search: Search | None = None
        position, self._begun_at = self._begun_at, 0
        while search is None:
            search, position = self._state(self, data, position, end)
        if search is not _MORE:
            return search, position
        if last and self._ends_well(data, position):
            return _FOUND, position
        if not last and end == len(data):
            return _MORE, position
        self.reason = "head_unfinished" if last else "head_too_long"
        return _NEVER, position

    def _ends_well(self, data: bytes, position: int) -> bool:
        """Whether the document may end here: the parser then closes the head by itself."""
        return (
            bool(self.is_document)
            and self._state is Injector._head
            and not self._templates
            and not data.startswith(b"<!", position)  # a comment that is cut off belongs where it stands
        )

    def _settle(self, position: int, *, last: bool) -> tuple[Search, int]:
        """The place, now that the end of the head is known."""
        if self._is_charset_named:
            return _FOUND, position
        is_all = last and len(self._beginning) < PRESCAN_BYTES
        place = place_behind_charset(self._beginning, self._seen + position, is_all=is_all)
        if place == UNDECIDED:
            self._state = Injector._at_head_end
            return _MORE, position
        if place == AT_RISK:
            self.reason = "charset_at_risk"
            return _NEVER, position
        return _FOUND, place - self._seen

    def _look_for_ours(self, data: bytes, position: int) -> None:
        """Whether a page that was made ready before, by a cache or a middleware behind us, is given to us again."""
        seam = self._before + data[: min(position, len(OURS) - 1)]
        if not self._is_ours:
            self._is_ours = OURS in seam or data.find(OURS, 0, position) >= 0
        self._before = (seam if position < len(OURS) else data[:position])[1 - len(OURS) :]

    # -- the end of the head

    def _at_head_end(self, data: bytes, position: int, end: int) -> _Step:  # noqa: ARG002  # a state
        """Found before, but whether it is the place depends on what follows."""
        return _FOUND, position

    # -- in and before the head

    def _start(self, data: bytes, _: int, end: int) -> _Step:
        """The first bytes of all, where a byte order mark may stand."""
        if end < len(BOM) and BOM.startswith(data):
            return _MORE, 0
        self._state = Injector._head
        match = FIRST_RUN.match(data, 0, end)
        if match is None:
            return None, len(BOM) if data.startswith(BOM) else 0
        self.is_document = True
        return (_FOUND, match.start(1)) if match.lastindex else (None, match.end())

    def _head(self, data: bytes, position: int, end: int) -> _Step:
        """Between two tokens in or before the head, or in a template of the head."""
        if self._templates:
            found = data.find(b"<", position, end)  # text decides nothing there
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
            self._recorded = bytearray(match[0]) if name in _READ and not (slash or self._templates) else None
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
        start = position
        self._tag, position = skip_tag(self._tag, data, position, end)
        if self._recorded is not None:
            self._record(data[start:position])
        if self._tag:
            return _MORE, position
        self._state = self._after_tag
        return None, position

    def _record(self, part: bytes) -> None:
        """Keep what is read of a tag that comes in pieces, until it has ended."""
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
