"""Values for responses that the middleware sends itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from tiktok_middleware.core.http.request import RequestView

__all__ = ["Answer", "Wanted"]

# http.HTTPStatus has all phrases, but importing it takes time that the adapters can save.
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
    """A complete response of the middleware itself."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes

    @property
    def status_line(self) -> str:
        """The status line in WSGI's form, such as ``200 OK``."""
        return f"{self.status} {_PHRASES[self.status]}"


class Wanted(NamedTuple):
    """The request's body is needed before the response can be made.

    Attributes:
        limit_bytes: longest body that is accepted. Reading one byte more is enough to reject it.
        request: the request.
    """

    limit_bytes: int
    request: RequestView
