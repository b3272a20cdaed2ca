"""Search a response body for the place of the script, with one interface for plain and encoded bodies."""

from __future__ import annotations

from typing import Protocol

from tiktok_middleware.core.page.codings import has_coding, layers_of
from tiktok_middleware.core.page.encoded_body import CodedInjector
from tiktok_middleware.core.page.head_end import Injector, Search, first_run
from tiktok_middleware.core.page.head_tags import HeadTags
from tiktok_middleware.core.page.known_heads import KnownHeads

__all__ = ["Body", "PlainBody", "open_body"]


_FOUND = Search.FOUND
_NO_TAGS = HeadTags()


class Body(Protocol):
    """A body that arrives in pieces.

    Call ``feed`` until it returns FOUND or NEVER, then ``splice`` or ``surrender``, then ``more`` for each later piece.
    """

    @property
    def is_document(self) -> bool:
        """Whether the bytes begin like a document, as far as is known."""
        ...

    @property
    def reason(self) -> str:
        """Why the search ended without a place: a reason code."""
        ...

    @property
    def tags(self) -> HeadTags:
        """The head's tags that affect the script."""
        ...

    @property
    def held_bytes(self) -> int:
        """How many bytes are held while the search continues."""
        ...

    @property
    def is_open(self) -> bool:
        """Whether ``end`` can still add a script."""
        ...

    @property
    def is_untouched(self) -> bool:
        """Whether the bytes after the search can be sent unchanged, without ``more``."""
        ...

    def feed(self, piece: bytes, *, last: bool) -> Search:
        """Search the next piece."""
        ...

    def release(self) -> bytes:
        """Return the bytes that the search no longer needs; only while the search continues."""
        ...

    def splice(self, script: bytes) -> bytes:
        """Return all bytes that were fed and not sent, with the script in its place; only after FOUND."""
        ...

    def forget(self) -> None:
        """Drop the copy of the spliced bytes after they were sent; ``surrender`` can no longer return them."""

    def growth_bytes(self, script: bytes, spliced: bytes, promised: str) -> int | None:
        """Return how much longer the body is than its ``Content-Length``; None if not known yet."""

    def surrender(self, piece: bytes = b"") -> bytes:
        """Return all bytes that were fed and not sent, without a script.

        Call it after NEVER, or after an error of the middleware, even after ``splice``.

        Args:
            piece: the piece that was being fed or passed on when the error occurred.
        """
        ...

    def more(self, piece: bytes, *, last: bool) -> bytes:
        """Return the bytes to send for the next piece after the search."""
        ...

    def end(self, script: bytes) -> bytes:
        """Return a script and the end of the body, after the last piece.

        That piece must have been passed to ``more`` with ``last=False``.
        """
        ...


def open_body(
    content_encoding: str,
    *,
    is_charset_named: bool,
    is_page: bool,
    heads: KnownHeads | None = None,
    page: object = None,
) -> Body:
    """Return the body of a response. All its content codings must be known.

    Args:
        content_encoding: the response's ``Content-Encoding``.
        is_charset_named: whether the response's ``Content-Type`` names its charset.
        is_page: whether the bytes are a page even if they do not begin like one.
        heads: places in heads that were searched before; None to search each.
        page: key of this page in ``heads``.
    """
    if content_encoding and has_coding(content_encoding):
        return CodedInjector(layers_of(content_encoding), Injector(is_charset_named=is_charset_named, is_page=is_page))
    return PlainBody(is_charset_named=is_charset_named, is_page=is_page, heads=heads, page=page)


class PlainBody:
    """A body without a content coding.

    Args:
        is_charset_named: as for :func:`open_body`.
        is_page: as for :func:`open_body`.
        heads: as for :func:`open_body`.
        page: as for :func:`open_body`.

    Attributes:
        is_document: whether the bytes begin like a document, as far as is known.
        is_untouched: always True, because plain bytes after the place are never changed.
    """

    __slots__ = ("_after", "_before", "_heads", "_injector", "_is_charset_named", "_is_page", "_page", "is_document")

    is_untouched = True

    def __init__(
        self,
        *,
        is_charset_named: bool = True,
        is_page: bool = False,
        heads: KnownHeads | None = None,
        page: object = None,
    ) -> None:
        self._is_charset_named = is_charset_named
        self._is_page = is_page
        self._heads = heads if is_charset_named else None  # used for the first piece
        self._page = page
        self._injector: Injector | None = None
        self._before: list[bytes | memoryview] = []  # searched, and ready to be sent
        self._after: bytes | memoryview = b""  # bytes after the place
        self.is_document: bool = False

    @property
    def place(self) -> int:
        """How many unsent bytes precede the place; only after FOUND."""
        return sum(map(len, self._before))

    @property
    def reason(self) -> str:
        """Why the search ended without a place: a reason code."""
        return self._injector.reason if self._injector is not None else ""

    @property
    def tags(self) -> HeadTags:
        """The head's tags that affect the script. Only an `Injector` reads such tags: without one, there are none."""
        return self._injector.tags if self._injector is not None else _NO_TAGS

    @property
    def held_bytes(self) -> int:
        """How many bytes are held while the search continues."""
        unsearched = len(self._injector.held) if self._injector is not None else 0
        return sum(map(len, self._before)) + unsearched

    @property
    def is_open(self) -> bool:
        """Always True: a script can always be added to plain bytes."""
        return True

    def feed(self, piece: bytes, *, last: bool) -> Search:
        """Search the next piece."""
        heads, self._heads = self._heads, None
        if heads is not None:
            cut = heads.place(self._page, piece)
            if cut < 0:
                return self._searched(piece, last=last, heads=heads)
            if heads.tags(self._page) is None:
                self.is_document = True
                return self._found(piece, cut)
        return self._searched(piece, last=last)

    def _searched(self, piece: bytes, *, last: bool, heads: KnownHeads | None = None) -> Search:
        """Search the next piece; remember the place in ``heads``, if they are given."""
        injector = self._injector
        if injector is None:
            cut, is_end = first_run(piece, is_charset_named=self._is_charset_named)
            if is_end:
                self.is_document = True
                if heads is not None:
                    heads.learn(self._page, piece, cut)
                return self._found(piece, cut)
            injector = self._injector = Injector(cut, is_charset_named=self._is_charset_named, is_page=self._is_page)
        place = injector.feed(piece, last=last)
        self.is_document = bool(injector.is_document)
        if place.search is _FOUND:
            if heads is not None:
                heads.learn(self._page, piece, place.cut, injector.tags.key)
            return self._found(place.data, place.cut)
        self._before.append(place.data[: place.cut])
        return place.search

    def _found(self, data: bytes, cut: int) -> Search:
        view = memoryview(data)  # a page of 200 KB is copied once, when it is joined
        self._before.append(view[:cut])
        self._after = view[cut:]
        return _FOUND

    def release(self) -> bytes:
        """Return the bytes that the search no longer needs; only while the search continues."""
        before, self._before = self._before, []
        return b"".join(before)

    def splice(self, script: bytes) -> bytes:
        """Return all bytes that were fed and not sent, with the script in its place; only after FOUND."""
        return b"".join((*self._before, script, self._after))

    def forget(self) -> None:
        """Drop the spliced bytes after they were sent."""
        self._before, self._after = [], b""

    def growth_bytes(self, script: bytes, spliced: bytes, promised: str) -> int | None:  # noqa: ARG002  # see ``Body``
        """Return the length of the script: a plain body grows by exactly that."""
        return len(script)

    def surrender(self, piece: bytes = b"") -> bytes:
        """Return all bytes that were fed and not sent, without a script."""
        unsearched = self._injector.held if self._injector is not None else b""
        held = b"".join((*self._before, self._after, unsearched, piece))
        self._before, self._after = [], b""
        return held

    def more(self, piece: bytes, *, last: bool) -> bytes:  # noqa: ARG002  # see ``Body``
        """Return the piece itself."""
        return piece

    def end(self, script: bytes) -> bytes:
        """Return the script."""
        return script
