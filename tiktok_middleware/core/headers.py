"""The response's headers after we touched it: still true, and kept from shared caches; decided once for both doors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Union

__all__ = ["Headers", "encoded", "with_changes"]

#: ASGI's pairs of bytes or WSGI's pairs of text.
Headers = Union[list[tuple[bytes, bytes]], list[tuple[str, str]]]  # noqa: UP007  # a run-time alias on Python 3.10

# What describes the very bytes of the body is no longer true once a script stands among them.
_OF_THE_BYTES = frozenset(
    {"etag", "last-modified", "content-md5", "digest", "content-digest", "repr-digest", "accept-ranges", "signature"}
)
_SPEAKS_OF_SHARING = ("private", "no-store", "no-cache")


def with_changes(
    headers: Headers,
    *,
    added: Sequence[tuple[str, str]] = (),
    body_growth_bytes: int = 0,
    is_private: bool = False,
) -> Headers:
    """A copy of the headers that is right for the changed response; as text where there were none.

    Args:
        headers: as the app sent them, in the types of its door.
        added: name and value of headers to add, such as ``Set-Cookie``.
        body_growth_bytes: how much longer the body is; 0 when it is untouched.
        is_private: whether the response now holds what only this visitor may see.
    """
    kept: list[tuple[str, str]] = []
    says_cache_control = False
    for name, value in _as_text(headers):
        lowered = name.lower()
        if body_growth_bytes and lowered in _OF_THE_BYTES:
            continue
        changed = value
        if body_growth_bytes and lowered == "content-length":
            # What is no number is the app's own mistake, and its server's to answer.
            changed = str(int(value) + body_growth_bytes) if value.strip().isdecimal() else value
        elif lowered == "cache-control":
            says_cache_control = True
            if is_private and not any(word in value.lower() for word in _SPEAKS_OF_SHARING):
                changed = f"{value}, private" if value.strip() else "private"
        kept.append((name, changed))
    kept.extend(added)
    if is_private and not says_cache_control:
        kept.append(("Cache-Control", "private"))
    return _as_native(kept, headers)


def _as_text(headers: Headers) -> Iterable[tuple[str, str]]:
    for name, value in headers:
        if isinstance(name, bytes):
            yield name.decode("latin-1"), bytes(value).decode("latin-1")  # type: ignore[arg-type]  # a pair is of one type
        else:
            yield name, str(value)


def _as_native(pairs: list[tuple[str, str]], like: Headers) -> Headers:
    return encoded(pairs) if like and isinstance(like[0][0], bytes) else pairs


def encoded(headers: Headers) -> Headers:
    """The headers as ASGI wants them: pairs of bytes, names that were text in lower case."""
    if not headers or isinstance(headers[0][0], bytes):
        return headers
    return [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]  # type: ignore[attr-defined,union-attr]
