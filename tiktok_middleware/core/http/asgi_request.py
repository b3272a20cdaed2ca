"""Read requests from ASGI scopes."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from typing import Any

from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.http.request import Names, RequestView, Values, as_host

__all__ = ["ScopeRequest", "headers_by_name"]


class ScopeRequest(RequestView):
    """A request from an ASGI scope.

    Args:
        raw: the scope; it is copied, unless ``headers`` are given.
        proxies: the trusted proxies.
        headers: the result of :func:`headers_by_name`. If given, no other code may write to ``raw``.
    """

    __slots__ = ()

    def __init__(
        self, raw: MutableMapping[str, Any], proxies: Proxies, headers: Mapping[bytes, bytes] | None = None
    ) -> None:
        self.raw: MutableMapping[str, Any] = dict(raw) if headers is None else raw
        path, mount, query = str(raw["path"]), raw.get("root_path"), raw.get("query_string")
        self.mount: str = ""
        if mount:
            self.mount = mount = str(mount).rstrip("/")
            # In ASGI 3, `path` includes `root_path`; older servers leave it out.
            if path != mount and not path.startswith(mount + "/"):
                path = mount + path
        self.path: str = path
        # Django's asynchronous test client passes text.
        self.query: str = query if isinstance(query, str) else bytes(query).decode("latin-1") if query else ""
        self._headers = headers = headers_by_name(raw) if headers is None else headers
        cookies, tags = headers.get(b"cookie"), headers.get(b"if-none-match")
        self.cookie_header: str = cookies.decode("latin-1") if cookies else ""
        self.if_none_match: str = tags.decode("latin-1") if tags else ""
        self._proxies = proxies
        self._cookies = self._kept = None

    @property
    def method(self) -> str:
        return str(self.raw.get("method", ""))  # WebSocket scopes have no method

    @property
    def peer(self) -> str:
        client = self.raw.get("client")
        return str(client[0]) if client else ""

    def header(self, name: str) -> str:
        value = self._headers.get(name.encode("latin-1"))
        return value.decode("latin-1") if value else ""

    def values(self, names: Names) -> Values:
        return tuple(map(self._headers.get, names.in_scope))

    def ask_with(self, raw: MutableMapping[str, Any], if_none_match: str) -> None:
        super().ask_with(raw, if_none_match)
        tags = if_none_match.encode("latin-1")
        others = [pair for pair in raw["headers"] if pair[0].lower() != b"if-none-match"]
        raw["headers"] = [*others, (b"if-none-match", tags)]
        self._headers = {**self._headers, b"if-none-match": tags}

    def _own_scheme(self) -> str:
        scheme = str(self.raw.get("scheme") or "http")
        return {"ws": "http", "wss": "https"}.get(scheme, scheme)  # a WebSocket belongs to a page

    def _own_host(self) -> str:
        server = self.raw.get("server")
        return as_host(str(server[0])) if server else ""


def headers_by_name(scope: MutableMapping[str, Any]) -> Mapping[bytes, bytes]:
    """Return a scope's headers by lower-case name. Repeated headers are joined as in RFC 9110 and RFC 9113.

    Args:
        scope: if its headers are another iterable, they are replaced by a list.
    """
    pairs = scope["headers"]
    if not isinstance(pairs, list):
        pairs = scope["headers"] = list(pairs)  # so that the app can still iterate over all of them
    found = dict(pairs)
    # Fast path: no repeated names, and lower-case names. A server that keeps the letter case would send `Host`.
    if len(found) == len(pairs) and b"host" in found:
        return found
    found = {}
    for key, value in pairs:
        name = key.lower()
        if name in found:
            found[name] += (b"; " if name == b"cookie" else b", ") + value
        else:
            found[name] = bytes(value)
    return found
