"""A script into a coded body that arrives in pieces, by way of ``core.html``; it knows nothing of headers or events.

The body is read as far as needed to find the place; until a place is found it can leave byte for byte as it came.
From the place on (or from ``release``, for a page that streams before its head has ended) everything is written anew:
what follows refers back to what came before, so that no coded byte behind the place could stay as it is. What the
app made readable in a step leaves readable in that step. What goes wrong in the input goes wrong in the output:

* before anything was written anew, all leaves untouched;
* after it, what could be read leaves written anew, and from the byte that makes no sense on, everything as it came;
* bytes after the end of the stream follow the end of ours; a stream without an end stays without one.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from tiktok_middleware.core.page.coding_stream import CodingStream
from tiktok_middleware.core.page.head_end import LIMIT_BYTES, Injector, Search
from tiktok_middleware.core.page.head_tags import HeadTags

__all__ = ["CodedInjector"]

# Coded bytes that read as less than the bound of the search: empty blocks, comments. No page has so many.
_MAX_HELD_BYTES = 2 * LIMIT_BYTES


class CodedInjector:
    """Searches one coded document for the place of the script and writes it anew from there.

    ``feed`` until it answers FOUND or NEVER; then ``splice`` or ``surrender`` once, ``more`` for each further piece.

    Args:
        layers: the codings of the body, from ``codings.layers_of``, the outermost first.
        injector: searches the readable bytes.

    Attributes:
        is_untouched: whether all that has left is as the app sent it; then a promised length can still be kept.
    """

    __slots__ = (
        "_after",
        "_before",
        "_has_place",
        "_held_bytes",
        "_injector",
        "_is_feeding",
        "_is_last",
        "_is_searching",
        "_layers",
        "_reason",
        "_undo",
        "_unread",
        "_untouched",
        "is_untouched",
    )

    def __init__(self, layers: Sequence[CodingStream], injector: Injector | None = None) -> None:
        self.is_untouched: bool = True
        self._layers = layers
        self._injector = injector if injector is not None else Injector()
        self._is_searching = True
        self._is_feeding = False
        self._untouched: list[bytes] = []  # what was fed, as long as it can leave as it came
        self._held_bytes = 0
        self._before: list[bytes] = []  # read, and free to leave
        self._after = b""  # read, behind the place
        self._unread: Iterator[bytes] = iter(())  # what is still to be read of the last piece
        self._is_last = False
        self._reason = ""
        self._has_place = False
        self._undo = b""  # what was spliced, as the app sent it

    @property
    def is_document(self) -> bool:
        """Whether the readable bytes begin like a document, as far as is known."""
        return bool(self._injector.is_document)

    @property
    def reason(self) -> str:
        """Why the search ended without a place, in a snake_case word."""
        return self._reason or self._injector.reason

    @property
    def tags(self) -> HeadTags:
        """What the head's tags say to us."""
        return self._injector.tags

    @property
    def held_bytes(self) -> int:
        """How much is kept of what was fed, coded and read, while the search goes on."""
        return self._held_bytes + sum(map(len, self._before)) + len(self._injector.held)

    @property
    def is_open(self) -> bool:
        """Whether ``end`` can still add a script: all of the body has been read, to its proper end."""
        is_whole = all(layer.is_complete and not layer.has_rest for layer in self._layers)
        return is_whole and not self.is_untouched and self._has_place

    def feed(self, piece: bytes, *, last: bool) -> Search:
        """One step of the search; FOUND and NEVER are final.

        Args:
            piece: the next coded bytes of the body.
            last: True when no more follow.
        """
        self._is_feeding = True  # until this has come back: see ``surrender``
        self._is_last = last
        if self.is_untouched:
            self._untouched.append(piece)
            self._held_bytes += len(piece)
        self._unread = self._read(piece)
        search = self._search(last=last)
        self._is_feeding = False
        self._has_place = search is Search.FOUND
        return search

    def release(self) -> bytes:
        """While the search goes on: what no longer matters to it, written anew; afterwards nothing is untouched."""
        if not any(self._before):
            return b""
        self._begin_writing()
        return self._write(self._take(b""), last=False)

    def splice(self, script: bytes) -> bytes:
        """After FOUND: all that was fed, with the script in its place; the whole body if the piece was the last.

        Args:
            script: in the bytes of the document.
        """
        self._undo = b"".join(self._untouched)
        self._begin_writing()
        return self._write(self._take(script), last=self._is_last)

    def forget(self) -> None:
        """What was spliced has left: from now on it can no longer be surrendered."""
        self._undo = b""

    def growth_bytes(self, script: bytes, spliced: bytes, promised: str) -> int | None:  # noqa: ARG002  # see ``Body``
        """How much longer the body is than was promised; None unless ``spliced`` is all of it.

        Args:
            script: as given to ``splice``.
            spliced: what ``splice`` gave.
            promised: the ``Content-Length`` of the body as the app sent it.
        """
        if not self._is_last or not promised.isdecimal() or len(spliced) == int(promised):
            return None
        return len(spliced) - int(promised)

    def surrender(self, piece: bytes = b"") -> bytes:
        """After NEVER, or when we fail, even after ``splice``: all that was fed and has not left, without a script.

        It is untouched if it can be.

        Args:
            piece: what was to be fed when we failed, whether ``feed`` has seen it or not.
        """
        if self._undo:
            undo, self._undo = self._undo, b""
            self.is_untouched = True
            return undo
        unseen = b"" if self._is_feeding else piece
        self._is_feeding = False
        held = self._injector.held if self._is_searching else b""
        self._is_searching = False
        plain = self._take(held)
        if self.is_untouched:
            untouched, self._untouched = self._untouched, []
            return b"".join((*untouched, unseen))
        return self._write(chain(plain, self._read(unseen)), last=self._is_last)

    def more(self, piece: bytes, *, last: bool) -> bytes:
        """After ``splice`` or ``surrender``: what leaves for the next piece.

        Args:
            piece: the next coded bytes of the body.
            last: True when no more follow, not even by ``end``.
        """
        return piece if self.is_untouched else self._write(self._read(piece), last=last)

    def end(self, script: bytes) -> bytes:
        """After the last piece, given to ``more`` as one that is not the last: a script if ``is_open``, and the end.

        Args:
            script: in the bytes of the document; may be empty.
        """
        return b"" if self.is_untouched else self._write((script,) if self.is_open else (), last=True)

    # -- reading

    def _read(self, coded: bytes, depth: int = 0) -> Iterator[bytes]:
        if depth == len(self._layers):
            yield coded
            return
        for part in self._layers[depth].read(coded):
            yield from self._read(part, depth + 1)

    def _search(self, *, last: bool) -> Search:
        for plain in self._unread:
            if any(layer.is_broken for layer in self._layers):
                self._before += (self._injector.held, plain)
                return self._never("malformed")
            search = self._step(plain, last=False)
            if search is not Search.MORE:
                return search
        if self._has_ended_badly:
            self._before.append(self._injector.held)
            return self._never("malformed")
        if not last and self.is_untouched and self._held_bytes > _MAX_HELD_BYTES:
            return self._never("head_too_long")
        return self._step(b"", last=True) if last else Search.MORE

    def _step(self, plain: bytes, *, last: bool) -> Search:
        self._after = plain  # should the search fail, this is where it stands
        place = self._injector.feed(plain, last=last)
        self._is_searching = place.search is Search.MORE
        self._before.append(place.data[: place.cut])
        self._after = b"" if self._is_searching else place.data[place.cut :]
        return place.search

    def _never(self, reason: str) -> Search:
        self._reason = reason
        self._is_searching = False
        return Search.NEVER

    @property
    def _has_ended_badly(self) -> bool:
        """Whether no script could be written any more."""
        return any(layer.is_broken or (layer.has_rest and not self.is_untouched) for layer in self._layers)

    # -- writing

    def _take(self, between: bytes) -> Iterator[bytes]:
        """All that was read and is still to be read of the last piece, which is kept no longer."""
        # In one part: an encoder's first call is its dearest, and brotli's pays for a second small one as much again.
        read, unread = b"".join((*self._before, between, self._after)), self._unread
        self._before, self._after, self._unread = [], b"", iter(())
        return chain((read,), unread)

    def _begin_writing(self) -> None:
        self.is_untouched = False
        self._untouched = []
        self._held_bytes = 0

    def _write(self, plain: Iterable[bytes], *, last: bool) -> bytes:
        """The coded bytes of these, which can all be read on arrival."""
        out = []
        for part in plain:
            coded = part
            for layer in reversed(self._layers):
                coded = layer.write(coded)
            out.append(coded)
        out.append(self._pause(last=last))
        return b"".join(out)

    def _pause(self, *, last: bool) -> bytes:
        coded = b""
        for depth in reversed(range(len(self._layers))):
            layer = self._layers[depth]
            # What is no longer of an outer coding cannot be of an inner one either.
            is_end = last or any(outer.has_rest for outer in self._layers[: depth + 1])
            coded = layer.write(coded) + layer.pause(is_end=is_end)
        return coded
