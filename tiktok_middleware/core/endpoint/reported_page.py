"""The page that a script of ours speaks for, as if it had been requested just now; it believes no host but our own."""

from __future__ import annotations

from urllib.parse import unquote

from tiktok_middleware.core.http.request import RequestView

__all__ = ["ReportedPage"]

_MAX_ADDRESS_CHARS = 8192

# What a request for the page would say, instead of what the script's own request says.
_OF_A_PAGE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "", "origin": ""}


class ReportedPage(RequestView):
    """A page in a browser, by the request that its script has made.

    Scheme, host, visitor's address, cookies and all headers but the referrer are that request's: only the path and
    the query are the page's own word.

    Args:
        request: what the script sent.
        address: ``location.href``.
        referrer: ``document.referrer``.
        reported: what a consent platform's script says in that page, ``g``, ``d`` or empty; None where it is not asked.
    """

    __slots__ = ("_referrer", "_request", "reported")

    def __init__(self, request: RequestView, address: str, referrer: str, reported: str | None = None) -> None:
        self._request = request
        path, query = _split(address)
        proxies, cookies = request._proxies, request.cookie_header  # noqa: SLF001  # its own kind
        super().__init__(request.raw, proxies, mount=request.mount, path=path, query=query, cookie_header=cookies)
        self.reported: str | None = reported
        self._referrer = referrer[:_MAX_ADDRESS_CHARS]

    def at(self, path: str) -> ReportedPage:
        """The same visitor's page at this path; without a query where that is another page."""
        if path == self.path:
            return self
        other = ReportedPage(self._request, "", "", self.reported)
        other.path = path
        return other

    @property
    def method(self) -> str:
        return "GET"

    @property
    def peer(self) -> str:
        return self._request.peer

    def header(self, name: str) -> str:
        if name == "referer":
            return self._referrer
        return _OF_A_PAGE[name] if name in _OF_A_PAGE else self._request.header(name)

    def _own_scheme(self) -> str:
        return self._request._own_scheme()  # noqa: SLF001  # its own kind

    def _own_host(self) -> str:
        return self._request._own_host()  # noqa: SLF001  # its own kind


def _split(address: str) -> tuple[str, str]:
    """Path, decoded, and query of an absolute address; of anything else the root."""
    address = address[:_MAX_ADDRESS_CHARS].partition("#")[0]
    scheme, separator, rest = address.partition("://")
    if not separator or scheme not in {"http", "https"}:
        return "/", ""
    place, _, query = rest.partition("?")
    return "/" + unquote(place.partition("/")[2]), query
