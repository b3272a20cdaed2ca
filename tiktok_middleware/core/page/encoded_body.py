"""Insert a script into a body that has a content coding and arrives in pieces.

The body is decoded as far as needed to find the place. Until then it can be sent unchanged, byte for byte. From the
place on, everything is encoded again, because encoded bytes refer back to earlier ones and cannot stay as they are. The
same happens after ``release``, for a page that streams before its head has ended. Bytes that the app flushed in a step
are flushed in the same step. Invalid input leads to invalid output:

* Before anything was encoded again, the whole body is sent unchanged.
* Afterwards, the bytes before the first invalid byte are encoded again, and the rest is sent unchanged.
* Bytes after the end of the stream follow the end of our stream. A stream without an end stays without an end.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from tiktok_middleware.core.page.coding_stream import CodingStream
from tiktok_middleware.core.page.head_end import HEAD_LIMIT_BYTES, Injector, Search
from tiktok_middleware.core.page.head_tags import HeadTags

__all__ = ["CodedInjector"]

# Limit for encoded bytes that decode to less than the bound of the search, such as empty blocks. Real pages have fewer.
_MAX_HELD_BYTES = 2 * HEAD_LIMIT_BYTES


class CodedInjector:
    """Searches one encoded document for the place of the script, and encodes it again from there.

    Call ``feed`` until it returns FOUND or NEVER, then ``splice`` or ``surrender`` once, then ``more`` for each later
    piece.

    Args:
        layers: the codings of the body, from ``codings.layers_of``, the outermost first.
        injector: searches the decoded bytes.

    Attributes:
        is_untouched: whether all bytes that were sent are the app's own. The ``Content-Length`` can then still be kept.
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
        self._untouched: list[bytes] = []  # what was fed, while it can still be sent unchanged
        self._held_bytes = 0
        self._before: list[bytes] = []  # decoded, and ready to be sent
        self._after = b""  # decoded, after the place
        self._unread: Iterator[bytes] = iter(())  # the part of the last piece that is still to be decoded
        self._is_last = False
        self._reason = ""
        self._has_place = False
        self._undo = b""  # the spliced bytes, as the app sent them

    @property
    def is_document(self) -> bool:
        """Whether the decoded bytes begin like a document, as far as is known."""
        return bool(self._injector.is_document)

    @property
    def reason(self) -> str:
        """Why the search ended without a place: a reason code."""
        return self._reason or self._injector.reason

    @property
    def tags(self) -> HeadTags:
        """The head's tags that affect the script."""
        return self._injector.tags

    @property
    def held_bytes(self) -> int:
        """How many bytes are held while the search continues: encoded and decoded ones."""
        return self._held_bytes + sum(map(len, self._before)) + len(self._injector.held)

    @property
    def is_open(self) -> bool:
        """Whether ``end`` can still add a script: the whole body was decoded, up to a valid end."""
        is_whole = all(layer.is_complete and not layer.has_rest for layer in self._layers)
        return is_whole and not self.is_untouched and self._has_place

    def feed(self, piece: bytes, *, last: bool) -> Search:
        """Search the next piece. FOUND and NEVER are final.

        Args:
            piece: the next encoded bytes of the body.
            last: True when no more follow.
        """
        self._is_feeding = True  # until this method returns: see ``surrender``
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
        """Return the bytes that the search no longer needs, encoded again; only while the search continues.

        After that the body can no longer be sent unchanged.
        """
        if not any(self._before):
            return b""
        self._begin_writing()
        return self._write(self._take(b""), last=False)

    def splice(self, script: bytes) -> bytes:
        """Return all bytes that were fed, with the script in its place; only after FOUND.

        If the last piece was fed, this is the whole body.

        Args:
            script: the script, without a content coding.
        """
        self._undo = b"".join(self._untouched)
        self._begin_writing()
        return self._write(self._take(script), last=self._is_last)

    def forget(self) -> None:
        """Drop the copy of the spliced bytes after they were sent; ``surrender`` can no longer return them."""
        self._undo = b""

    def growth_bytes(self, script: bytes, spliced: bytes, promised: str) -> int | None:  # noqa: ARG002  # see ``Body``
        """Return how much longer the body is than its ``Content-Length``; None unless ``spliced`` is the whole body.

        Args:
            script: the script that was passed to ``splice``.
            spliced: the result of ``splice``.
            promised: the ``Content-Length`` of the body as the app sent it.
        """
        if not self._is_last or not promised.isdecimal() or len(spliced) == int(promised):
            return None
        return len(spliced) - int(promised)

    def surrender(self, piece: bytes = b"") -> bytes:
        """Return all bytes that were fed and not sent, without a script; unchanged if possible.

        Call it after NEVER, or after an error of the middleware, even after ``splice``.

        Args:
            piece: the piece that was being fed when the error occurred, whether ``feed`` had started or not.
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
        """Return the bytes to send for the next piece, after ``splice`` or ``surrender``.

        Args:
            piece: the next encoded bytes of the body.
            last: True when no more follow, not even through ``end``.
        """
        return piece if self.is_untouched else self._write(self._read(piece), last=last)

    def end(self, script: bytes) -> bytes:
        """Return a script, if ``is_open``, and the end of the body, after the last piece.

        That piece must have been passed to ``more`` with ``last=False``.

        Args:
            script: the script, without a content coding; may be empty.
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
        self._after = plain  # so that it is not lost if the search fails
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
        """Whether a script can no longer be written."""
        return any(layer.is_broken or (layer.has_rest and not self.is_untouched) for layer in self._layers)

    # -- writing

    def _take(self, between: bytes) -> Iterator[bytes]:
        """Return the decoded bytes and the rest of the last piece, and drop them."""
        # Joined into one part, because the first call of an encoder is its slowest, and in brotli a second small call
        # is as slow.
        read, unread = b"".join((*self._before, between, self._after)), self._unread
        self._before, self._after, self._unread = [], b"", iter(())
        return chain((read,), unread)

    def _begin_writing(self) -> None:
        self.is_untouched = False
        self._untouched = []
        self._held_bytes = 0

    def _write(self, plain: Iterable[bytes], *, last: bool) -> bytes:
        """Return these bytes encoded and flushed, so that the receiver can decode all of them at once."""
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
            # Bytes that do not belong to an outer coding cannot belong to an inner one either.
            is_end = last or any(outer.has_rest for outer in self._layers[: depth + 1])
            coded = layer.write(coded) + layer.pause(is_end=is_end)
        return coded
