"""How much may be added to a response's headers so that proxies in front of the app still take it.

nginx reads a response head into one buffer of 4 KB and answers 502 where it does not fit; uWSGI reads a request head
into 4 KB and closes the connection. Both are their defaults.
"""

from __future__ import annotations

from typing import NamedTuple

from tiktok_middleware.core.http.response_headers import Headers
from tiktok_middleware.core.response.first_party_cookies import Header

__all__ = ["ADDED_LIMIT_BYTES", "HeaderRoom", "bytes_of", "is_roomy"]

#: All that we add to one response's headers.
ADDED_LIMIT_BYTES = 1536
#: What the app's head and ours may have together: the server adds a few lines of its own.
_HEAD_LIMIT_BYTES = 3584
#: What the browser's next Cookie header may have: its request has other headers.
_COOKIE_LIMIT_CHARS = 3072


class HeaderRoom(NamedTuple):
    """What is left.

    Attributes:
        head_bytes: of the response's head.
        cookie_chars: of the browser's next Cookie header.
    """

    head_bytes: int = ADDED_LIMIT_BYTES
    cookie_chars: int = _COOKIE_LIMIT_CHARS

    @classmethod
    def beside(cls, headers: Headers, cookie_header: str) -> HeaderRoom:
        """The room beside what the app sends and the browser keeps.

        Args:
            headers: the app's.
            cookie_header: the request's; what the app sets anew comes on top.
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
        """Whether these may be added.

        Args:
            headers: name and value of each.
            cookie_header: the request's; a cookie that it has is replaced.
        """
        cookies = [value for name, value in headers if name == "Set-Cookie"]
        growth = sum(_growth(cookie, cookie_header) for cookie in cookies)
        return bytes_of(headers) <= self.head_bytes and growth <= self.cookie_chars


def is_roomy(headers: Headers, cookies: bytes | str | None) -> bool:
    """Whether all that we may ever add has room, at a quick look.

    Args:
        headers: the app's.
        cookies: the request's Cookie header.
    """
    taken = len(cookies) if cookies else 0
    for name, value in headers:
        taken += len(name) + len(value) + 4
    return taken <= _COOKIE_LIMIT_CHARS - ADDED_LIMIT_BYTES


def _growth(set_cookie: str, cookie_header: str) -> int:
    """How much longer the Cookie header becomes by a cookie; deletions and new values count as nothing."""
    pair = set_cookie.partition(";")[0]
    name = pair.partition("=")[0]
    return 0 if pair.endswith("=") or f"{name}=" in cookie_header else len(pair) + 2


def bytes_of(headers: list[Header]) -> int:
    """How long these headers are on the wire."""
    return sum(len(name) + len(value) + 4 for name, value in headers)
