"""The response's headers after we touched it: still true, and kept from shared caches; decided once for both doors."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from typing import Any, Union

__all__ = ["Headers", "encoded", "with_changes"]

#: ASGI's pairs of bytes or WSGI's pairs of text.
Headers = Union[list[tuple[bytes, bytes]], list[tuple[str, str]]]  # noqa: UP007  # a run-time alias on Python 3.10

# What a change can make untrue, by name. What describes the very bytes of the body goes once a script is among them.
_OF_THE_BYTES, _LENGTH, _CACHING, _TARGETED, _POLICY = "of the bytes", "length", "caching", "targeted", "policy"
_KINDS: dict[bytes | str, str] = {
    "content-length": _LENGTH,
    "cache-control": _CACHING,
    "content-security-policy": _POLICY,
    "content-security-policy-report-only": _POLICY,
}
for _name in (
    *("etag", "last-modified", "accept-ranges", "content-md5", "digest", "content-digest", "repr-digest"),
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
) -> Headers:
    """A copy of the headers that is right for the changed response; as text where there were none.

    Args:
        headers: as the app sent them, in the types of its door.
        added: name and value of headers to add, such as ``Set-Cookie``.
        body_growth_bytes: how much longer the body is; 0 when it is untouched, None when nobody knows yet.
        is_private: whether the response now holds what only this visitor may see.
        extend_policy: gives each Content Security Policy the sources that the script needs.
    """
    kept: list[Any] = []
    says_cache_control = False
    for pair in headers:
        name = pair[0]
        kind = _KINDS.get(name) or _KINDS.get(name.lower())
        if kind is None:
            kept.append(pair)
        elif kind is _POLICY:
            kept.append((name, _like(pair[1], extend_policy(_text(pair[1])))) if extend_policy is not None else pair)
        elif kind is _TARGETED:
            if not is_private:
                kept.append(pair)
        elif kind is _CACHING:
            says_cache_control = True
            kept.append((name, _private(pair[1])) if is_private else pair)
        elif body_growth_bytes == 0:
            kept.append(pair)
        elif kind is _LENGTH and body_growth_bytes is not None:
            kept.append((name, _grown(pair[1], body_growth_bytes)))
    ours = list(added)
    if is_private and not says_cache_control:
        ours.append(("Cache-Control", "private"))
    is_bytes = bool(headers) and isinstance(headers[0][0], bytes)
    return [*kept, *(encoded(ours) if is_bytes else ours)]


def _private(value: Any) -> Any:
    """A Cache-Control that keeps the response from shared caches."""
    text = _text(value)
    if not any(word in text.lower() for word in _SPEAKS_OF_SHARING):
        kept = [part.strip() for part in text.split(",") if not _SHARES.match(part)]
        text = ", ".join([*filter(None, kept), "private"])
    return _like(value, text)


def _grown(value: Any, growth_bytes: int) -> Any:
    """A Content-Length; what is no number is the app's own mistake, and its server's to answer."""
    text = _text(value)
    return _like(value, str(int(text) + growth_bytes)) if text.strip().isdecimal() else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else bytes(value).decode("latin-1")


def _like(value: Any, text: str) -> Any:
    return text if isinstance(value, str) else text.encode("latin-1")


def encoded(headers: Headers) -> Headers:
    """The headers as ASGI wants them: pairs of bytes, names that were text in lower case."""
    if not headers or isinstance(headers[0][0], bytes):
        return headers
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
