"""Limit what is added to a response's headers, so that proxies in front of the app still accept it.

nginx reads a response head into one buffer of 4 KB and answers 502 if it does not fit; uWSGI reads a request head
into 4 KB and closes the connection. Both are their defaults.
"""

from __future__ import annotations

from typing import NamedTuple

from tiktok_middleware.core.http.response_headers import Headers
from tiktok_middleware.core.response.first_party_cookies import Header

__all__ = ["ADDED_LIMIT_BYTES", "HeaderRoom", "bytes_of", "is_roomy"]

#: Limit of all headers that we add to one response.
ADDED_LIMIT_BYTES = 1536
#: Limit of the app's head and our headers together; the rest is for the server's own headers.
_HEAD_LIMIT_BYTES = 3584
#: Limit of the browser's next Cookie header; the rest is for the request's other headers.
_COOKIE_LIMIT_CHARS = 3072


class HeaderRoom(NamedTuple):
    """Room for added headers.

    Attributes:
        head_bytes: bytes left in the response head.
        cookie_chars: characters left in the browser's next Cookie header.
    """

    head_bytes: int = ADDED_LIMIT_BYTES
    cookie_chars: int = _COOKIE_LIMIT_CHARS

    @classmethod
    def beside(cls, headers: Headers, cookie_header: str) -> HeaderRoom:
        """Return the room beside the app's headers and the browser's cookies.

        Args:
            headers: headers of the app.
            cookie_header: ``Cookie`` header of the request; new cookies of the app are added to it.
        """
        head_bytes, cookie_chars = 0, len(cookie_header)
        for name, value in headers:
            head_bytes += len(name) + len(value) + 4
            if len(name) == len("set-cookie") and name.lower() in {b"set-cookie", "set-cookie"}:
                text = value if isinstance(value, str) else bytes(value).decode("latin-1")
                pair = text.partition(";")[0].strip()
                cookie_chars += 0 if f"{pair.partition('=')[0]}=" in cookie_header else len(pair) + 2
        return cls(min(ADDED_LIMIT_BYTES, _HEAD_LIMIT_BYTES - head_bytes), _COOKIE_LIMIT_CHARS - cookie_chars)

    def takes(self, headers: list[Header], cookie_header: str) -> bool:
        """Return whether these headers fit.

        Args:
            headers: name and value of each.
            cookie_header: ``Cookie`` header of the request; cookies in it are replaced and need no more room.
        """
        cookies = [value for name, value in headers if name == "Set-Cookie"]
        growth = sum(_growth(cookie, cookie_header) for cookie in cookies)
        # Replaced cookies extend nothing, also where the browser's header is too long already.
        return bytes_of(headers) <= self.head_bytes and (growth == 0 or growth <= self.cookie_chars)


def is_roomy(headers: Headers, cookies: bytes | str | None) -> bool:
    """Return whether :data:`ADDED_LIMIT_BYTES` fit in any case; a quick estimate, not exact.

    Args:
        headers: headers of the app.
        cookies: ``Cookie`` header of the request.
    """
    taken = len(cookies) if cookies else 0
    for name, value in headers:
        taken += len(name) + len(value) + 4
    return taken <= _COOKIE_LIMIT_CHARS - ADDED_LIMIT_BYTES


def _growth(set_cookie: str, cookie_header: str) -> int:
    """Return by how many characters a cookie extends the Cookie header; 0 for deletions and replaced values."""
    pair = set_cookie.partition(";")[0]
    name = pair.partition("=")[0]
    return 0 if pair.endswith("=") or f"{name}=" in cookie_header else len(pair) + 2


def bytes_of(headers: list[Header]) -> int:
    """Return the length of these headers on the wire, in bytes."""
    return sum(len(name) + len(value) + 4 for name, value in headers)
