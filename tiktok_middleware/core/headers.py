"""The response's headers after we touched it: still true, and kept from shared caches; decided once for both doors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Union

from tiktok_middleware.core.validators import marked_tag

__all__ = ["Headers", "encoded", "with_changes"]

#: ASGI's pairs of bytes or WSGI's pairs of text.
Headers = Union[list[tuple[bytes, bytes]], list[tuple[str, str]]]  # noqa: UP007  # a run-time alias on Python 3.10

# What a change can make untrue, by name. What describes the very bytes of the body goes once a script is among them.
_OF_THE_BYTES, _LENGTH, _TAG, _DATE = "of the bytes", "length", "tag", "date"
_CACHING, _TARGETED, _POLICY = "caching", "targeted", "policy"
_KINDS: dict[bytes | str, str] = {
    "content-length": _LENGTH,
    "etag": _TAG,
    "last-modified": _DATE,
    "cache-control": _CACHING,
    "content-security-policy": _POLICY,
    "content-security-policy-report-only": _POLICY,
}
for _name in (
    *("accept-ranges", "content-md5", "digest", "content-digest", "repr-digest"),
    *("signature", "signature-input"),
):
    _KINDS[_name] = _OF_THE_BYTES
for _name in (
    *("surrogate-control", "edge-control", "x-accel-expires", "expires"),
    *("cdn-cache-control", "cloudflare-cdn-cache-control", "vercel-cdn-cache-control", "netlify-cdn-cache-control"),
):
    _KINDS[_name] = _TARGETED  # what lets a cache keep the response goes once it is one visitor's
_KINDS.update({str(_name).encode(): kind for _name, kind in tuple(_KINDS.items())})

_SHARES = re.compile(r"\s*(public|s-maxage\b.*)\s*$", re.IGNORECASE)
_SPEAKS_OF_SHARING = ("private", "no-store", "no-cache")


def with_changes(
    headers: Headers,
    *,
    added: Sequence[tuple[str, str]] = (),
    body_growth_bytes: int | None = 0,
    is_private: bool = False,
    extend_policy: Callable[[str], str] | None = None,
    mark: str = "",
) -> Headers:
    """A copy of the headers that is right for the changed response; as text where there were none.

    Args:
        headers: as the app sent them, in the types of its door.
        added: name and value of headers to add, such as ``Set-Cookie``.
        body_growth_bytes: how much longer the body is; 0 when it is untouched, None when nobody knows yet.
        is_private: whether the response now holds what only this visitor may see.
        mark: names our script where the body holds nothing else of ours: then entity tags are marked, not dropped.
        extend_policy: gives each Content Security Policy the sources that the script needs.
    """
    is_grown = body_growth_bytes != 0
    gone_if_grown = _gone if is_grown else None
    # Text to text for each kind of header; empty: the header goes; None: it stays as it is.
    changes: dict[str, Callable[[str], str] | None] = {
        _OF_THE_BYTES: gone_if_grown,
        _LENGTH: gone_if_grown if body_growth_bytes is None else partial(_grown, body_growth_bytes),
        _TAG: (lambda tag: marked_tag(tag, mark)) if mark else gone_if_grown,
        _DATE: None if mark else gone_if_grown,
        _CACHING: _private if is_private else None,
        _TARGETED: _gone if is_private else None,
        _POLICY: extend_policy,
    }
    kept: list[Any] = []
    says_cache_control = False
    for pair in headers:
        name, value = pair
        kind = _KINDS.get(name) or _KINDS.get(name.lower())
        change = changes[kind] if kind is not None else None
        says_cache_control = says_cache_control or kind is _CACHING
        if change is None:
            kept.append(pair)
        elif text := change(value if isinstance(value, str) else bytes(value).decode("latin-1")):
            kept.append((name, text if isinstance(value, str) else text.encode("latin-1")))
    ours = list(added)
    if is_private and not says_cache_control:
        ours.append(("Cache-Control", "private"))
    is_bytes = bool(headers) and isinstance(headers[0][0], bytes)
    return [*kept, *(encoded(ours) if is_bytes else ours)]


def _gone(_: str) -> str:
    return ""


def _private(value: str) -> str:
    """A Cache-Control that keeps the response from shared caches."""
    if any(word in value.lower() for word in _SPEAKS_OF_SHARING):
        return value
    kept = [part.strip() for part in value.split(",") if not _SHARES.match(part)]
    return ", ".join([*filter(None, kept), "private"])


def _grown(growth_bytes: int, value: str) -> str:
    """A Content-Length; what is no number is the app's own mistake, and its server's to answer."""
    return str(int(value) + growth_bytes) if growth_bytes and value.strip().isdecimal() else value


def encoded(headers: Headers) -> Headers:
    """The headers as ASGI wants them: pairs of bytes, names that were text in lower case."""
    if not headers or isinstance(headers[0][0], bytes):
        return headers
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
