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

from tiktok_middleware.core.codings import Layer
from tiktok_middleware.core.html import LIMIT_BYTES, Injector, Search

__all__ = ["CodedInjector"]

# Coded bytes that read as less than the bound of the search: empty blocks, comments. No page has so many.
_MAX_HELD_BYTES = 2 * LIMIT_BYTES


class CodedInjector:
    """Searches one coded document for the place of the script and writes it anew from there.

    ``feed`` until it answers FOUND or NEVER; then ``splice`` or ``surrender`` once, ``more`` for each further piece.

    Args:
        layers: the codings of the body, from ``codings.layers_of``, the outermost first.

    Attributes:
        is_untouched: whether all that has left is as the app sent it; then a promised length can still be kept.
    """

    __slots__ = ("_after", "_before", "_injector", "_is_last", "_layers", "_reason", "_unread", "_untouched", "is_untouched")

    def __init__(self, layers: Sequence[Layer]) -> None:
        self.is_untouched = True
        self._layers: Sequence[Layer] = layers
        self._injector: Injector | None = Injector()
        self._untouched: list[bytes] = []  # what was fed, as long as it can leave as it came
        self._before: list[bytes] = []  # read, and free to leave
        self._after = b""  # read, behind the place
        self._unread: Iterator[bytes] = iter(())  # what is still to be read of the last piece
        self._is_last = False
        self._reason = ""
