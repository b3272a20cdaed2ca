"""A whole response of ours, or the word that a request's body is wanted for it; it decides nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tiktok_middleware.core.http.request import RequestView

__all__ = ["Answer", "Wanted"]

# http.HTTPStatus has them all, at the price of an import that a door need not pay.
_PHRASES = {
    200: "OK",
    400: "Bad Request",
    403: "Forbidden",
    405: "Method Not Allowed",
    408: "Request Timeout",
    413: "Content Too Large",
    429: "Too Many Requests",
    503: "Service Unavailable",
}


class Answer(NamedTuple):
    """A whole response of ours."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def status_line(self) -> str:
        """The status as WSGI wants it."""
        return f"{self.status} {_PHRASES[self.status]}"


class Wanted(NamedTuple):
    """The answer depends on the request's body.

    Attributes:
        limit_bytes: one byte more than this is all that need be read.
        request: the request.
    """

    limit_bytes: int
    request: RequestView
