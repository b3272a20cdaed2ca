"""One response, as the app sent it and as it came out of the middleware: takes our script off again and compares.

It uses no code of the package to find our script: only the outer form of the script element.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence

from .headers import Pair, header_faults
from .ledger import Ledger

__all__ = ["PREFIX", "SNIPPET", "Judge"]

#: What a busy run puts before every HTML answer, so that each is a document with a place for the script.
PREFIX = b"<!doctype html>"

#: Our script element, by its outer form.
SNIPPET = re.compile(
    rb"<script>(?:(?!</?script)[\s\S])*/_tiktok/helper-[0-9a-f]{16}\.js(?:(?!</?script)[\s\S])*</script>"
)
_DOCUMENT = re.compile(
    rb"(?:\xef\xbb\xbf)?(?:\s|<!--.*?-->)*<(?:!doctype html|html|head|body|title|meta|base)[\s>/]",
    re.IGNORECASE | re.DOTALL,
)


class Judge:
    """One response.

    Args:
        ledger: where counts and faults go.
        is_head: whether the request was a HEAD.
        is_busy: whether an answer that is no document is to be made one.
    """

    def __init__(self, ledger: Ledger, *, is_head: bool, is_busy: bool) -> None:
        self._ledger = ledger
        self._is_head = is_head
        self._is_busy = is_busy
        self._status = 0
        self._app_headers: list[Pair] = []
        self._our_headers: list[Pair] | None = None
        self._app: list[bytes] = []
        self._ours: list[bytes] = []
        self._prefix = b""  # still to be put before the app's bytes
        self._cut = 0  # bytes of the prefix that are still to be taken off
        self.is_unseen = False  # the body goes past the middleware

    def app_started(self, status: int, headers: Sequence[Pair]) -> list[Pair]:
        """The app's head; returns the one to send."""
        self._status, self._app_headers = status, list(headers)
        sent = list(headers)
        if self._is_busy and self._is_html and not self._encoding(headers) and not _attached(headers):
            self._prefix, self._cut = PREFIX, len(PREFIX)
            sent = [
                (name, str(int(value) + len(PREFIX)) if name.lower() == "content-length" else value)
                for name, value in headers
            ]
            self._app_headers = sent
        return sent

    def app_sent(self, data: bytes) -> bytes:
        """Bytes from the app; returns those to send."""
        data, self._prefix = self._prefix + data, b""
        self._app.append(data)
        return data

    def app_ended(self) -> bytes:
        """The app has no more; returns what is still to be sent for it."""
        return self.app_sent(b"") if self._prefix else b""

    def ours_started(self, headers: Sequence[Pair]) -> None:
        """The head that came out."""
        if self._our_headers is not None:
            self._ledger.fault("the head left twice")
        self._our_headers = list(headers)

    def ours_sent(self, data: bytes, *, last: bool = False) -> bytes:
        """Bytes that came out; returns those to hand to the test, as the app would have sent them."""
        if self._our_headers is None:
            self._ledger.fault("bytes left before the head")
        self._ours.append(data)
        if self._encoding(self._app_headers) and self._is_html:
            return b"".join(self._app) if last else b""  # encoded bytes can only be read as a whole
        stripped = SNIPPET.sub(b"", data)
        cut, self._cut = self._cut, max(0, self._cut - len(stripped))
        return stripped[cut:]

    def ended(self, *, is_whole: bool) -> None:
        """The response has ended.

        Args:
            is_whole: False where it broke off, so that bytes may still have been on their way.
        """
        app, ours = b"".join(self._app), b"".join(self._ours)
        encoding = self._encoding(self._app_headers) if self._is_html else ""
        readable = _decoded(ours, encoding)
        plain, scripts = SNIPPET.subn(b"", readable)
        original = _decoded(app, encoding)
        if plain != original and not (not is_whole and original.startswith(plain)):
            self._ledger.fault(f"body {original[:200]!r} became {plain[:200]!r}")
        if scripts > 1:
            self._ledger.fault(f"{scripts} snippets")
        if self._our_headers is not None:
            growth = len(ours) - len(app) if is_whole else len(readable) - len(plain)
            for text in header_faults(self._app_headers, self._our_headers, growth):
                self._ledger.fault(text)
        self._count(original, scripts)

    def _count(self, original: bytes, scripts: int) -> None:
        counts = self._ledger.counts
        counts["responses"] += 1
        if not self._is_html or self.is_unseen:
            return
        counts["html"] += 1
        if _DOCUMENT.match(original):
            kind = "redirects" if 300 <= self._status < 400 else "documents"  # no browser shows the former
            counts[kind] += 1
            counts[f"{kind}_injected"] += scripts > 0
            if not scripts:
                self._ledger.miss(f"{self._status} {self._app_headers} {original[:120]!r}")
        else:
            counts["fragments"] += 1
            counts["fragments_injected"] += scripts > 0

    @property
    def _is_html(self) -> bool:
        """Whether the answer has a body that calls itself HTML."""
        kind = _header(self._app_headers, "content-type") if self._app_headers else ""
        return (
            kind.lower().startswith("text/html")
            and not self._is_head
            and self._status >= 200
            and self._status not in {204, 205, 206, 304}
        )

    @staticmethod
    def _encoding(headers: Sequence[Pair]) -> str:
        return _header(headers, "content-encoding").lower()


def _attached(headers: Sequence[Pair]) -> bool:
    return _header(headers, "content-disposition").lower().startswith("attachment")


def _header(headers: Sequence[Pair], wanted: str) -> str:
    return ", ".join(value for name, value in headers if name.lower() == wanted)


def _decoded(data: bytes, encoding: str) -> bytes:
    read: Callable[[bytes], bytes] | None = {
        "gzip": lambda body: zlib.decompressobj(31).decompress(body),
        "deflate": lambda body: zlib.decompressobj().decompress(body),
    }.get(encoding)
    return read(data) if read is not None else data
