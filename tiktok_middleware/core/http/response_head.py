"""Read the response headers on which the treatment of a response depends."""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple

from tiktok_middleware.core.http.cache_headers import is_file_order, is_targeted
from tiktok_middleware.core.http.header_names import ByHeaderName

__all__ = [
    "CONTENT_TYPE",
    "CONTENT_TYPE_CHARS",
    "PLANNED",
    "Head",
    "is_html",
    "place_of",
    "says_html",
    "seconds_left",
]


class Head(NamedTuple):
    """The response headers that the middleware reads, as text; empty if absent.

    The values of a repeated header are joined by commas.
    """

    content_type: str = ""
    content_encoding: str = ""
    cache_control: str = ""
    targeted: str = ""  # headers for one cache alone, such as CDN-Cache-Control; they override the others there
    x_accel_expires: str = ""
    expires: str = ""
    content_disposition: str = ""
    file_order: str = ""  # headers that make a proxy replace the body, such as X-Accel-Redirect
    # The plan of a response does not depend on the following fields: see `PLANNED`.
    content_length: str = ""
    content_security_policy: str = ""
    content_security_policy_report_only: str = ""
    access_control_allow_origin: str = ""

    @classmethod
    def read(cls, headers: Iterable[tuple[bytes, bytes]] | Iterable[tuple[str, str]]) -> Head:
        """Return the head from ASGI's pairs of bytes or WSGI's pairs of text, with names in any letter case."""
        texts = [""] * len(cls._fields)
        for name, value in headers:
            place = _PLACES[name]
            if place is not None:
                text = value if isinstance(value, str) else value.decode("latin-1")
                texts[place] = f"{texts[place]}, {text}" if texts[place] else text
        return cls._make(texts)

    @property
    def has_policy(self) -> bool:
        """Whether the response has a Content Security Policy."""
        return bool(self.content_security_policy or self.content_security_policy_report_only)


#: ``policy.plan`` reads only this many fields, from the first on. Responses with equal values there get the same plan.
PLANNED = Head._fields.index("content_length")


_KINDS = {"targeted": is_targeted, "file_order": is_file_order}


def _kind(name: str) -> int | None:
    """Return the index of the field for headers that have several names, else None."""
    return next((Head._fields.index(field) for field, is_one in _KINDS.items() if is_one(name)), None)


_PLACES = ByHeaderName(
    {name.replace("_", "-"): place for place, name in enumerate(Head._fields) if name not in _KINDS}, _kind
)


def place_of(name: str) -> int | None:
    """Return the index of a response header in :class:`Head`; None if it is not read.

    Args:
        name: header name, lower-case.
    """
    return _PLACES[name]


def seconds_left(expires: str, now_s: float) -> float:
    """Return how long a response with this ``Expires`` may be cached, in seconds; 0 or less if it may not.

    Args:
        expires: the header's value.
        now_s: Unix seconds.
    """
    from email.utils import parsedate_to_datetime  # noqa: PLC0415  # 7 ms of imports for a header that is seldom sent

    try:
        return parsedate_to_datetime(expires).timestamp() - now_s
    except (ValueError, OverflowError):
        return 0.0  # RFC 9111 section 5.3: an invalid date, especially "0", is in the past


def says_html(headers: Iterable[tuple[bytes, bytes]] | Iterable[tuple[str, str]]) -> bool:
    """Return whether the ``Content-Type`` is some kind of HTML. This quick check sorts out most other responses."""
    for name, value in headers:
        if name in CONTENT_TYPE or (len(name) == CONTENT_TYPE_CHARS and name.lower() in CONTENT_TYPE):
            return is_html(value)
    return False


@lru_cache(maxsize=256)
def is_html(content_type: bytes | str) -> bool:
    """Return whether a value of ``Content-Type`` is some kind of HTML."""
    return "html" in (content_type if isinstance(content_type, str) else content_type.decode("latin-1")).lower()


#: The header's name, as frameworks write it.
CONTENT_TYPE = frozenset({b"content-type", "content-type", b"Content-Type", "Content-Type"})
CONTENT_TYPE_CHARS = len("content-type")
