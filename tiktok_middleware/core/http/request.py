"""What a request says of itself, read only when asked; it knows ASGI scopes and WSGI environs, and no framework."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Union
from urllib.parse import quote, unquote_plus

from tiktok_middleware.core.http.cookies import read_cookies
from tiktok_middleware.core.http.proxies import Proxies, parsed_address

__all__ = [
    "EnvironRequest",
    "Names",
    "RequestView",
    "ScopeRequest",
    "UnreadableRequest",
    "Values",
    "headers_by_name",
    "query_value",
]

_MAX_QUERY_CHARS = 8192

# A host goes into addresses and into the Domain of cookies: what is no name, IPv4 or IPv6 address is not believed.
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9._-]{0,253}[a-z0-9_.])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")

#: What a request holds under :class:`Names`: as its server gave it, None where it has no such header.
Values = tuple[Union[bytes, str, None], ...]  # noqa: UP007  # a run-time alias on Python 3.10


class Names:
    """Several header names, as each door looks them up.

    Args:
        names: lower-case.
    """

    __slots__ = ("in_environ", "in_scope", "texts")

    def __init__(self, *names: str) -> None:
        self.texts: tuple[str, ...] = names
        self.in_scope: tuple[bytes, ...] = tuple(name.encode("latin-1") for name in names)
        self.in_environ: tuple[str, ...] = tuple(map(_environ_key, names))


# What needs no percent-encoding, and an address that there is but one way to write.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/:@!$&'()*+,;=~._-]*")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")


class RequestView:
    """One request, whichever door it came through.

    Attributes:
        raw: a copy of the ASGI scope or WSGI environ: routers behind us write into the original, and the original
            knows our tracker, which knows us: in a circle nothing would be freed with its request.
        mount: the path prefix that we are mounted under, without a trailing slash.
        path: the whole decoded path, mount point included.
        query: the raw query string.
        cookie_header: the ``Cookie`` header; empty when absent.
        if_none_match: the entity tags of a conditional request; empty when it is none.
    """

    __slots__ = (
        "_cookies",
        "_headers",
        "_kept",
        "_proxies",
        "cookie_header",
        "if_none_match",
        "mount",
        "path",
        "query",
        "raw",
    )

    #: What a consent platform's script says in the page that reports: ``g``, ``d`` or empty. None for other requests.
    reported: str | None = None

    def __init__(  # what nearly every request is asked for, each door at its own price
        self,
        raw: MutableMapping[str, Any],
        proxies: Proxies,
        *,
        mount: str = "",
        path: str = "/",
        query: str = "",
        cookie_header: str = "",
    ) -> None:
        self.raw: MutableMapping[str, Any] = raw
        self.mount: str = mount
        self.path: str = path
        self.query: str = query
        self.cookie_header: str = cookie_header
        self.if_none_match: str = ""
        self._proxies = proxies
        self._headers: Mapping[bytes, bytes] = {}
        self._cookies: Mapping[str, str] | None = None
        self._kept: Mapping[str, str] | None = None

    @property
    def method(self) -> str:
        """The method, upper-case."""
        raise NotImplementedError

    @property
    def peer(self) -> str:
        """Address of the connection; empty when unknown, as on a Unix socket."""
        raise NotImplementedError

    def header(self, name: str) -> str:
        """The header's values, joined by commas (cookies by semicolons); empty when absent.

        Args:
            name: lower-case.
        """
        raise NotImplementedError

    def values(self, names: Names) -> Values:
        """Several headers at once, unread: what can be looked up without being understood."""
        return tuple(map(self.header, names.texts))

    def ask_with(self, raw: MutableMapping[str, Any], if_none_match: str) -> None:  # noqa: ARG002  # for the doors
        """Let the app find other entity tags in a conditional request.

        Args:
            raw: the scope or environ that the app will see.
            if_none_match: the tags.
        """
        self.if_none_match = if_none_match

    def at(self, path: str) -> RequestView:  # noqa: ARG002  # only a reported page can be on another path
        """Return this visitor's request for the page at ``path``; this request, where its path is its own."""
        return self

    def _own_scheme(self) -> str:
        raise NotImplementedError

    def _own_host(self) -> str:
        raise NotImplementedError

    @property
    def cookies(self) -> Mapping[str, str]:
        """Cookies by name, the first of each name."""
        if self._cookies is None:
            self._cookies = read_cookies(self.cookie_header)
        return self._cookies

    def cookies_hold(self, text: str) -> bool:
        """Whether a text stands anywhere in the ``Cookie`` header."""
        return text in self.cookie_header

    @property
    def kept(self) -> Mapping[str, str]:
        """The same of those cookies that TikTok and we keep, all of whose names hold ``tt``; others may be missing."""
        if self._kept is None:
            self._kept = read_cookies(self.cookie_header, "tt")
        return self._kept

    @property
    def place(self) -> tuple[str, ...]:
        """What :attr:`scheme` and :attr:`host` are made of: unchecked where no proxy is trusted."""
        if self._proxies.are_any:
            return self.scheme, self.host
        return self._own_scheme(), self.header("host"), self._own_host()

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as the visitor's browser used it."""
        if self._proxies.are_any and self._proxies.trusts(self.peer):
            forwarded = self._proxies.scheme(self.header)
            if forwarded in {"http", "https"}:
                return forwarded
        return self._own_scheme()

    @property
    def host(self) -> str:
        """The host as the browser named it, with its port where it is not the scheme's own.

        What cannot be a host is not believed; the server's own name stands in for it.
        """
        if self._proxies.are_any and self._proxies.trusts(self.peer):
            forwarded = self._proxies.host(self.header)
            if _HOST.fullmatch(forwarded):
                return forwarded
        host = self.header("host").lower()
        if _HOST.fullmatch(host):
            return host
        own = self._own_host().lower()
        return own if _HOST.fullmatch(own) else "localhost"

    def is_own(self, host: str) -> bool:
        """Whether an origin's host, lower-case, is ours; proxies may write a default port out, browsers do not."""
        return self.host in {host, f"{host}:443", f"{host}:80"}

    @property
    def hostname(self) -> str:
        """The host without its port."""
        host = self.host
        if host.startswith("["):
            return host[1:].partition("]")[0]
        return host.partition(":")[0]

    @property
    def url(self) -> str:
        """The absolute address of the request, path percent-encoded, with its query."""
        query = self.query
        path = self.path
        if _PLAIN_PATH.fullmatch(path) is None:
            path = quote(path, safe="/:@!$&'()*+,;=~-._")
        return f"{self.scheme}://{self.host}{path}" + (f"?{query}" if query else "")

    @property
    def is_browser(self) -> bool:
        """Whether it looks like a browser's request, rather than an app's or a payment provider's."""
        return self.header("user-agent").startswith("Mozilla/") or any(self.values(_OF_BROWSERS))

    @property
    def page_url(self) -> str:
        """The page that the visitor is on: for a fetch the page it came from, where it is of the same site."""
        if (
            self.header("sec-fetch-mode") in {"cors", "same-origin", "no-cors"}
            and self.header("sec-fetch-site") == "same-origin"
        ):
            return self.header("referer") or self.url
        return self.url

    @property
    def target(self) -> str:
        """Path and query as they came, without scheme and host."""
        query = self.query
        return f"{self.path}?{query}" if query else self.path

    @property
    def client(self) -> str:
        """The visitor's IP address, behind the trusted proxies; empty when it is not an address."""
        address = self.peer
        if self._proxies.are_any:
            address = self._proxies.address(address, self.header)
        if _IPV4.fullmatch(address):  # what most are, and as it is written
            return address
        return str(parsed_address(address) or "")

    def query_value(self, key: str) -> str:
        """The last value of a query key, decoded; empty when absent or empty."""
        query = self.query
        return query_value(query, key) if key in query else ""


def query_value(query: str, key: str) -> str:
    """The last value of a key in a raw query string, decoded; empty when absent, empty, or in a query too long."""
    if len(query) > _MAX_QUERY_CHARS:
        return ""
    for pair in reversed(query.split("&")):
        name, _, value = pair.partition("=")
        if value and (name == key or ("%" in name and unquote_plus(name) == key)):
            return unquote_plus(value)
    return ""


class UnreadableRequest(RequestView):
    """Stands in for a request that we failed to read: it says nothing."""

    __slots__ = ()

    @property
    def method(self) -> str:
        return ""

    @property
    def peer(self) -> str:
        return ""

    def header(self, name: str) -> str:  # noqa: ARG002  # has none
        return ""

    def _own_scheme(self) -> str:
        return "http"

    def _own_host(self) -> str:
        return ""


class ScopeRequest(RequestView):
    """A request as an ASGI scope tells it.

    Args:
        raw: the scope; it is copied, unless its headers are given.
        proxies: whose forwarding headers count.
        headers: as :func:`headers_by_name` gives them, together with a ``raw`` that nobody else writes to.
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
            # ASGI 3: `path` holds `root_path` too, but servers before that rule left it out.
            if path != mount and not path.startswith(mount + "/"):
                path = mount + path
        self.path: str = path
        self.query: str = bytes(query).decode("latin-1") if query else ""
        self._headers = headers = headers_by_name(raw) if headers is None else headers
        cookies, tags = headers.get(b"cookie"), headers.get(b"if-none-match")
        self.cookie_header: str = cookies.decode("latin-1") if cookies else ""
        self.if_none_match: str = tags.decode("latin-1") if tags else ""
        self._proxies = proxies
        self._cookies = self._kept = None

    @property
    def method(self) -> str:
        return str(self.raw.get("method", ""))  # a socket has none

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
        return {"ws": "http", "wss": "https"}.get(scheme, scheme)  # a socket belongs to a page

    def _own_host(self) -> str:
        server = self.raw.get("server")
        return _as_host(str(server[0])) if server else ""


class EnvironRequest(RequestView):
    """A request as a WSGI environ tells it.

    Args:
        raw: the environ; it is copied, unless its headers are given.
        proxies: whose forwarding headers count.
        headers: ``raw`` itself, where nobody else writes to it.
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
        return str(self.raw.get(_environ_key(name)) or "")

    def values(self, names: Names) -> Values:
        return tuple(map(self.raw.get, names.in_environ))

    def ask_with(self, raw: MutableMapping[str, Any], if_none_match: str) -> None:
        super().ask_with(raw, if_none_match)
        self.raw["HTTP_IF_NONE_MATCH"] = raw["HTTP_IF_NONE_MATCH"] = if_none_match

    def _own_scheme(self) -> str:
        return str(self.raw.get("wsgi.url_scheme") or "http")

    def _own_host(self) -> str:
        return _as_host(str(self.raw.get("SERVER_NAME") or ""))


def headers_by_name(scope: MutableMapping[str, Any]) -> Mapping[bytes, bytes]:
    """Return a scope's headers by lower-case name; a repeated one is joined, as RFC 9110 and RFC 9113 say.

    Args:
        scope: its headers become a list, if they are another iterable.
    """
    pairs = scope["headers"]
    if not isinstance(pairs, list):
        pairs = scope["headers"] = list(pairs)  # the app must still find all of them
    found = dict(pairs)
    # Nearly always that is all. Every request has a Host; a server that keeps the case of names writes `Host`.
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


@lru_cache(maxsize=256)
def _environ_key(name: str) -> str:
    return "HTTP_" + name.upper().replace("-", "_")


def _from_wsgi(text: str) -> str:
    """A path as text: PEP 3333 hands over its bytes in the guise of latin-1."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _as_host(server: str) -> str:
    return f"[{server}]" if ":" in server else server


_OF_BROWSERS = Names("sec-fetch-mode", "sec-fetch-site", "hx-request", "x-requested-with", "turbo-frame", "origin")
