"""Correct a response's headers after the response was changed, and keep personal responses out of shared caches.

Both adapters use these rules.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Union

from tiktok_middleware.core.http.cache_headers import is_targeted
from tiktok_middleware.core.http.etags import marked_tag
from tiktok_middleware.core.http.header_names import ByHeaderName
from tiktok_middleware.core.http.response_head import seconds_left

__all__ = ["CACHING", "OF_THE_BYTES", "Headers", "change_of", "encoded", "with_changes"]

#: ASGI's pairs of bytes or WSGI's pairs of text.
Headers = Union[list[tuple[bytes, bytes]], list[tuple[str, str]]]  # noqa: UP007  # a run-time alias on Python 3.10


class _Changed:
    """How the response was changed; see :func:`with_changes`."""

    __slots__ = ("body_growth_bytes", "extend_policy", "is_private", "mark", "now_s")

    def __init__(
        self,
        body_growth_bytes: int | None,
        extend_policy: Callable[[str], str] | None,
        mark: str,
        *,
        is_private: bool,
        now_s: float,
    ) -> None:
        self.body_growth_bytes = body_growth_bytes
        self.extend_policy = extend_policy
        self.mark = mark
        self.is_private = is_private
        self.now_s = now_s


def with_changes(
    headers: Headers,
    *,
    added: Sequence[tuple[str, str]] = (),
    body_growth_bytes: int | None = 0,
    is_private: bool = False,
    extend_policy: Callable[[str], str] | None = None,
    mark: str = "",
    now_s: float = 0.0,
) -> Headers:
    """Return a copy of the headers that fits the changed response; as text if the app sent no headers.

    Args:
        headers: as the app sent them: bytes from ASGI, text from WSGI.
        added: name and value of headers to add, such as ``Set-Cookie``.
        body_growth_bytes: how much longer the body is; 0 when it is unchanged, None when not known yet.
        is_private: whether the response now contains data for this visitor alone.
        mark: name of our script if the body contains no other additions; entity tags are then marked, not removed.
        extend_policy: returns a Content Security Policy with the sources that the script needs.
        now_s: current time, Unix seconds; compared with ``Expires``.
    """
    changed = _Changed(body_growth_bytes, extend_policy, mark, is_private=is_private, now_s=now_s)
    kept: list[Any] = []
    says_cache_control = False
    for pair in headers:
        name, value = pair
        change = _CHANGES[name]
        if change is None:
            kept.append(pair)
            continue
        says_cache_control = says_cache_control or change is _caching
        text = value if isinstance(value, str) else bytes(value).decode("latin-1")
        new = change(text, changed)
        if new == text:
            kept.append(pair)
        elif new:
            kept.append((name, new if text is value else new.encode("latin-1")))
    if is_private and not says_cache_control:
        added = (*added, ("Cache-Control", "private"))
    if added:
        kept += encoded(list(added)) if headers and isinstance(headers[0][0], bytes) else added
    return kept


# -- one function for each kind of header: it returns the new value, or an empty one to remove the header


def _of_the_bytes(text: str, changed: _Changed) -> str:
    """Remove a header that describes the exact bytes of the body if the body was changed."""
    return text if changed.body_growth_bytes == 0 else ""


def _length(text: str, changed: _Changed) -> str:
    """Add the growth to the length. A value that is no number is the app's mistake and is left to its server."""
    growth_bytes = changed.body_growth_bytes
    if growth_bytes is None:
        return ""
    return str(int(text) + growth_bytes) if growth_bytes and text.strip().isdecimal() else text


def _tag(text: str, changed: _Changed) -> str:
    return marked_tag(text, changed.mark) if changed.mark else _of_the_bytes(text, changed)


def _date(text: str, changed: _Changed) -> str:
    return text if changed.mark else _of_the_bytes(text, changed)


_SHARES = re.compile(r"\s*(?:public\s*$|s-maxage\b)", re.IGNORECASE)
_SPEAKS_OF_SHARING = ("private", "no-store", "no-cache")


def _caching(text: str, changed: _Changed) -> str:
    """Make ``Cache-Control`` private if the response is personal and not already kept out of shared caches."""
    if not changed.is_private or any(word in text.lower() for word in _SPEAKS_OF_SHARING):
        return text
    kept = [part.strip() for part in text.split(",") if not _SHARES.match(part)]
    return ", ".join([*filter(None, kept), "private"])


_FORBIDS = re.compile(r"(?:^|,)\s*(?:no-store|private|no-cache)\s*(?:,|$)", re.IGNORECASE)


def _targeted(text: str, changed: _Changed) -> str:
    """Remove a header that lets one cache store a personal response; keep one that forbids it."""
    return "" if changed.is_private and not _FORBIDS.search(text) else text


def _accelerated(text: str, changed: _Changed) -> str:
    return "" if changed.is_private and text.strip("0 ") else text


def _expiry(text: str, changed: _Changed) -> str:
    """Remove a future date from a personal response. Keep a past date: it forbids caching.

    Without a past date, browsers would keep a permanent redirect forever.
    """
    return "" if changed.is_private and seconds_left(text, changed.now_s) > 0 else text


def _policy(text: str, changed: _Changed) -> str:
    return text if changed.extend_policy is None else changed.extend_policy(text)


_CHANGES: ByHeaderName[Callable[[str, _Changed], str]] = ByHeaderName(
    {
        "content-length": _length,
        "etag": _tag,
        "last-modified": _date,
        "cache-control": _caching,
        "content-security-policy": _policy,
        "content-security-policy-report-only": _policy,
        **dict.fromkeys(("accept-ranges", "content-md5", "digest", "content-digest", "repr-digest"), _of_the_bytes),
        **dict.fromkeys(("signature", "signature-input"), _of_the_bytes),
        "x-accel-expires": _accelerated,
        "expires": _expiry,
    },
    lambda name: _targeted if is_targeted(name) else None,
)


#: What a header describes: the bytes of the body, or caching alone.
OF_THE_BYTES, CACHING = "of the bytes", "caching"


def change_of(name: str) -> str:
    """Return when :func:`with_changes` may change a header.

    :data:`OF_THE_BYTES`: when the body is changed. :data:`CACHING`: only when the response is personal. Empty: never.

    Args:
        name: header name, lower-case.
    """
    change = _CHANGES[name]
    if change is None:
        return ""
    return CACHING if change in _FOR_CACHES else OF_THE_BYTES


_FOR_CACHES = frozenset({_caching, _targeted, _accelerated, _expiry})


def encoded(headers: Headers) -> Headers:
    """Return the headers as ASGI's pairs of bytes. Names that were text become lower-case."""
    if not headers or isinstance(headers[0][0], bytes):
        return headers
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]  # pyright: ignore[reportAttributeAccessIssue]
