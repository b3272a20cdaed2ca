"""Read requests from WSGI environs."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.http.request import Names, RequestView, Values, as_host, environ_key

__all__ = ["EnvironRequest"]


class EnvironRequest(RequestView):
    """A request from a WSGI environ.

    Args:
        raw: the environ; it is copied, unless ``headers`` are given.
        proxies: the trusted proxies.
        headers: ``raw`` itself, if no other code writes to it.
    """

    __slots__ = ()

    def __init__(
        self, raw: MutableMapping[str, Any], proxies: Proxies, headers: Mapping[str, Any] | None = None
    ) -> None:
        self.raw: MutableMapping[str, Any] = dict(raw) if headers is None else raw
        path, mount = str(raw.get("PATH_INFO") or ""), raw.get("SCRIPT_NAME")
        self.mount: str = ""
        if mount:
            mount = str(mount)
            path = mount + path
            self.mount = _from_wsgi(mount).rstrip("/")
        self.path: str = (path if path.isascii() else _from_wsgi(path)) or "/"
        self.query: str = str(raw.get("QUERY_STRING") or "")
        self.cookie_header: str = str(raw.get("HTTP_COOKIE") or "")
        self.if_none_match: str = str(raw.get("HTTP_IF_NONE_MATCH") or "")
        self._proxies = proxies
        self._cookies = self._kept = None

    @property
    def method(self) -> str:
        return str(self.raw["REQUEST_METHOD"])

    @property
    def peer(self) -> str:
        return str(self.raw.get("REMOTE_ADDR") or "")

    def header(self, name: str) -> str:
        return str(self.raw.get(environ_key(name)) or "")

    def values(self, names: Names) -> Values:
        return tuple(map(self.raw.get, names.in_environ))

    def ask_with(self, raw: MutableMapping[str, Any], if_none_match: str) -> None:
        super().ask_with(raw, if_none_match)
        self.raw["HTTP_IF_NONE_MATCH"] = raw["HTTP_IF_NONE_MATCH"] = if_none_match

    def _own_scheme(self) -> str:
        return str(self.raw.get("wsgi.url_scheme") or "http")

    def _own_host(self) -> str:
        return as_host(str(self.raw.get("SERVER_NAME") or ""))


def _from_wsgi(text: str) -> str:
    """Return a path as text. PEP 3333 passes its bytes decoded as latin-1."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")
