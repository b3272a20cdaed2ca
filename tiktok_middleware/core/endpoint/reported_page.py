"""Present the page of a report as a request for that page. Scheme and host are those of the report's own request."""

from __future__ import annotations

from urllib.parse import unquote

from tiktok_middleware.core.http.request import RequestView

__all__ = ["ReportedPage"]

_MAX_ADDRESS_CHARS = 8192

# Headers of a request for the page, which replace those of the script's request.
_OF_A_PAGE = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "sec-fetch-site": "", "origin": ""}


class ReportedPage(RequestView):
    """A page in a browser, made of the request of its script.

    Scheme, host, the visitor's IP address, cookies and most headers come from that request. Path, query and referrer
    come from the report's body.

    Args:
        request: request of the script.
        address: ``location.href``.
        referrer: ``document.referrer``.
        reported: choice from a consent platform's script in the page: ``g``, ``d`` or empty; None without ``bridge``.
    """

    __slots__ = ("_referrer", "_request", "reported")

    def __init__(self, request: RequestView, address: str, referrer: str, reported: str | None = None) -> None:
        self._request = request
        path, query = _split(address)
        proxies, cookies = request._proxies, request.cookie_header  # noqa: SLF001  # same class
        super().__init__(request.raw, proxies, mount=request.mount, path=path, query=query, cookie_header=cookies)
        self.reported: str | None = reported
        self._referrer = referrer[:_MAX_ADDRESS_CHARS]

    def at(self, path: str) -> ReportedPage:
        """Return the same visitor's page at this path; without a query if the path differs."""
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
        return self._request._own_scheme()  # noqa: SLF001  # same class

    def _own_host(self) -> str:
        return self._request._own_host()  # noqa: SLF001  # same class


def _split(address: str) -> tuple[str, str]:
    """Return the decoded path and the query of an absolute address; the root for anything else."""
    address = address[:_MAX_ADDRESS_CHARS].partition("#")[0]
    scheme, separator, rest = address.partition("://")
    if not separator or scheme not in {"http", "https"}:
        return "/", ""
    place, _, query = rest.partition("?")
    return "/" + unquote(place.partition("/")[2]), query
