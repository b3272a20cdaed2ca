"""Remember where the script goes in heads that were searched before.

A page's head is mostly the same on every request for its path. A head that was searched is kept as bytes; the next
page of that path only has to begin with them. Heads that differ in tokens (nonces, CSRF tokens, counters) are kept as
the literal bytes between the tokens. Heads with a base address or policies, which change the script, are kept only as
a whole.

A token may differ without moving the place, for this reason. It is a run of letters, digits and ``_`` between other
bytes that does not follow ``<``, ``</``, ``<!`` or ``<?``; or it is a whole quoted attribute value of characters that
occur in base64. Neither can open or close a tag, a comment, a quoted value or raw text, so an HTML tokenizer is in the
same state after it. Attribute names and values may change. That affects only the search for a charset, so only
responses that name their charset in ``Content-Type`` use this memory.
"""

from __future__ import annotations

import re
from typing import NamedTuple

__all__ = ["KnownHeads"]

#: Limit for all heads of one configuration together. When it is exceeded, the oldest heads are dropped.
_LIMIT_BYTES = 4_194_304
_MAX_HEAD_BYTES = 1_048_576
_MAX_PATHS_SEEN_ONCE = 4_096
_MAX_TOKENS = 64
# How often the head of a path may differ in more than the known tokens. After that it is searched each time.
_MAX_RELEARNED = 8
# The place depends on the bytes before it and on the end tag that begins there.
_END_BYTES = len(b"</head>")
#: Memory of an entry beside its head and its path, roughly.
_ENTRY_BYTES = 256

_QUOTED = rb"[A-Za-z0-9+/=_.:-]*"
# The first two are whole quoted values.
_TOKEN = re.compile(rb"(?<==\")(" + _QUOTED + rb")(?=\")|(?<==')(" + _QUOTED + rb")(?=')|[A-Za-z0-9_]+")
_WORD_RUN = re.compile(rb"[A-Za-z0-9_]+").match
_QUOTED_RUN = re.compile(_QUOTED).match
_BEGINS_MARKUP = (b"<", b"</", b"<!", b"<?")


#: The policies: see ``HeadTags``.
Tags = tuple[str, ...]


class _Head(NamedTuple):
    """A head that was searched.

    Attributes:
        begin: the bytes before the first token that differs, or all bytes.
        rest: for each token whether it is a quoted value, and the bytes after it.
        text: the whole last head of this path.
        relearned: how often the head was learned again.
        tags: tags of the head that change the script; None for most heads.
    """

    begin: bytes
    rest: tuple[tuple[bool, bytes], ...]
    text: bytes
    relearned: int = 0
    tags: Tags | None = None

    @property
    def size_bytes(self) -> int:
        """Size of the bytes that are kept."""
        return len(self.text) if self.begin is self.text else 2 * len(self.text)


class KnownHeads:
    """Places of the script, by path.

    Attributes:
        size_bytes: size of all heads that are kept.
    """

    __slots__ = ("_heads", "_seen_once", "size_bytes")

    def __init__(self) -> None:
        self._heads: dict[object, _Head | None] = {}
        self._seen_once: set[object] = set()
        self.size_bytes: int = 0

    def place(self, path: object, piece: bytes) -> int:
        """Return the script's place, counted from the beginning of a page; -1 if it is not known.

        Args:
            path: path of the page, as in its request.
            piece: the first bytes of the page.
        """
        known = self._heads.get(path)
        if known is None:
            return -1
        begin, rest = known.begin, known.rest
        if not piece.startswith(begin):
            return -1
        end = len(begin)
        for is_quoted, literal in rest:
            run = (_QUOTED_RUN if is_quoted else _WORD_RUN)(piece, end)
            if run is None:
                return -1
            end = run.end()
            if not piece.startswith(literal, end):
                return -1
            end += len(literal)
        return end - _END_BYTES

    def tags(self, path: object) -> Tags | None:
        """Return the tags that change the script, of the head whose place :meth:`place` has returned for a path."""
        known = self._heads.get(path)
        return None if known is None else known.tags

    def learn(self, path: object, piece: bytes, place: int, tags: Tags | None = None) -> None:
        """Remember the place of a page that was searched, from the second page of a path on.

        Args:
            path: as for :meth:`place`.
            piece: the first bytes of the page.
            place: where the script goes. It is remembered only if the head has an end tag there.
            tags: tags of the head that change the script; None without any.
        """
        end = place + _END_BYTES
        if end > _MAX_HEAD_BYTES or piece[place:end].lower() != b"</head>":
            return
        if path in self._heads:
            known = self._heads[path]
            if known is not None:
                self._keep(path, _merged(known, piece[:end], tags))
        elif path in self._seen_once:
            self._seen_once.discard(path)
            text = piece[:end]
            self._keep(path, _Head(text, (), text, tags=tags))
        else:
            if len(self._seen_once) >= _MAX_PATHS_SEEN_ONCE:
                self._seen_once.clear()
            self._seen_once.add(path)

    def _keep(self, path: object, head: _Head | None) -> None:
        if path in self._heads:
            self.size_bytes -= _size_bytes(path, self._heads.pop(path))
        self.size_bytes += _size_bytes(path, head)
        while self.size_bytes > _LIMIT_BYTES and self._heads:
            oldest = next(iter(self._heads))
            self.size_bytes -= _size_bytes(oldest, self._heads.pop(oldest))
        self._heads[path] = head


def _size_bytes(path: object, head: _Head | None) -> int:
    """Return the size of an entry, also of a path whose head is not kept because it changes too often."""
    return _ENTRY_BYTES + len(str(path)) + (0 if head is None else head.size_bytes)


def _merged(known: _Head, text: bytes, tags: Tags | None) -> _Head | None:
    """Return what a known head and another head of the same path have in common; None if that changes too often."""
    relearned = known.relearned + 1
    if relearned > _MAX_RELEARNED:
        return None
    tokens = [] if tags is not None or known.tags is not None else _differing(known, text)
    if not tokens:
        return _Head(text, (), text, relearned, tags)
    ends = [*(token.start() for token in tokens[1:]), len(text)]
    rest = tuple((_is_quoted(token), text[token.end() : end]) for token, end in zip(tokens, ends, strict=True))
    return _Head(text[: tokens[0].start()], rest, text, relearned)


def _is_quoted(token: re.Match[bytes]) -> bool:
    return token.lastindex is not None


def _differing(known: _Head, text: bytes) -> list[re.Match[bytes]]:
    """Return the tokens of a head that may differ; empty if the heads differ in more than tokens."""
    before, now = list(_TOKEN.finditer(known.text)), list(_TOKEN.finditer(text))
    if len(before) != len(now):
        return []
    may_differ = _token_places(known)
    found: list[re.Match[bytes]] = []
    end_before = end_now = 0
    for old, new in zip(before, now, strict=True):
        if known.text[end_before : old.start()] != text[end_now : new.start()] or old.lastindex != new.lastindex:
            return []
        end_before, end_now = old.end(), new.end()
        if old[0] != new[0] or old.start() in may_differ:
            if text[max(new.start() - 2, 0) : new.start()].endswith(_BEGINS_MARKUP):
                return []
            found.append(new)
    return found if known.text[end_before:] == text[end_now:] and len(found) <= _MAX_TOKENS else []


def _token_places(known: _Head) -> set[int]:
    """Return the indexes in a known head's text at which the tokens that may differ begin."""
    places: set[int] = set()
    end = len(known.begin)
    for is_quoted, literal in known.rest:
        places.add(end)
        run = (_QUOTED_RUN if is_quoted else _WORD_RUN)(known.text, end)
        end = (run.end() if run is not None else end) + len(literal)
    return places
