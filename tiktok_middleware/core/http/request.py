"""A visitor's request, whatever the protocol. Most values are computed only when they are used."""

from __future__ import annotations

import re
from collections.abc import Mapping, MutableMapping
from functools import lru_cache
from typing import Any, Union
from urllib.parse import quote, unquote, unquote_plus

from tiktok_middleware.core.http.cookies import read_cookies
from tiktok_middleware.core.http.proxies import Proxies, parsed_address

__all__ = ["Names", "RequestView", "UnreadableRequest", "Values", "as_host", "environ_key", "query_value"]

_MAX_QUERY_CHARS = 8192

# Hosts are used in addresses and in the Domain of cookies, so only names, IPv4 and IPv6 addresses are accepted.
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9._-]{0,253}[a-z0-9_.])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")

#: A request's raw header values for :class:`Names`, as the server gave them; None for a header that is absent.
Values = tuple[Union[bytes, str, None], ...]  # noqa: UP007  # a run-time alias on Python 3.10


class Names:
    """Several header names, in the forms that ASGI scopes and WSGI environs use.

    Args:
        names: header names, lower-case.
    """

    __slots__ = ("in_environ", "in_scope", "texts")

    def __init__(self, *names: str) -> None:
        self.texts: tuple[str, ...] = names
        self.in_scope: tuple[bytes, ...] = tuple(name.encode("latin-1") for name in names)
        self.in_environ: tuple[str, ...] = tuple(map(environ_key, names))


# Address of a script, as workers send it.
_SCRIPT = re.compile(r"^[^?#]{1,2000}\.(?:js|mjs|cjs|ts)(?:[?#]|$)")

# Paths that need no percent-encoding, and IPv4 addresses in their only spelling.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9/:@!$&'()*+,;=~._-]*")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_IPV4 = re.compile(rf"{_OCTET}(?:\.{_OCTET}){{3}}")


class RequestView:
    """One request, from an ASGI scope or a WSGI environ.

    Attributes:
        raw: a copy of the ASGI scope or WSGI environ. It is a copy for two reasons: the app's routers write into the
            original, and the original refers to the tracker, which refers to this object. With that reference cycle,
            nothing would be freed at the end of the request.
        mount: the path prefix that the app is mounted under, without a trailing slash.
        path: the whole decoded path, including the mount point.
        query: the raw query string.
        cookie_header: the ``Cookie`` header; empty when absent.
        if_none_match: the entity tags of a conditional request; empty for other requests.
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

    #: Consent as a page reports it from its consent platform: ``g``, ``d`` or empty. None for other requests.
    reported: str | None = None

    def __init__(  # what nearly every request needs; the subclasses set it in their own, faster way
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
        """Return the method, upper-case."""
        raise NotImplementedError

    @property
    def peer(self) -> str:
        """Return the address of the connection; empty when unknown, as on a Unix socket."""
        raise NotImplementedError

    def header(self, name: str) -> str:
        """Return the header's values, joined by commas (cookies by semicolons); empty when absent.

        Args:
            name: header name, lower-case.
        """
        raise NotImplementedError

    def values(self, names: Names) -> Values:
        """Return the raw values of several headers at once, without decoding them."""
        return tuple(map(self.header, names.texts))

    def ask_with(self, raw: MutableMapping[str, Any], if_none_match: str) -> None:  # noqa: ARG002  # for the subclasses
        """Replace the entity tags of a conditional request before the app reads them.

        Args:
            raw: the scope or environ that the app receives.
            if_none_match: the new tags.
        """
        self.if_none_match = if_none_match

    def at(self, path: str) -> RequestView:  # noqa: ARG002  # only a reported page can be on another path
        """Return this visitor's request for the page at ``path``; here always this request itself."""
        return self

    def _own_scheme(self) -> str:
        raise NotImplementedError

    def _own_host(self) -> str:
        raise NotImplementedError

    @property
    def cookies(self) -> Mapping[str, str]:
        """Return the cookies by name, the first of each name."""
        if self._cookies is None:
            self._cookies = read_cookies(self.cookie_header)
        return self._cookies

    def cookies_hold(self, text: str) -> bool:
        """Return whether the ``Cookie`` header contains a text."""
        return text in self.cookie_header

    @property
    def kept(self) -> Mapping[str, str]:
        """Return TikTok's and our own cookies by name. All their names contain ``tt``; other cookies may be missing."""
        if self._kept is None:
            self._kept = read_cookies(self.cookie_header, "tt")
        return self._kept

    @property
    def place(self) -> tuple[str, ...]:
        """Return the values that determine :attr:`scheme` and :attr:`host`; not validated if no proxy is trusted."""
        if self._proxies.are_any:
            return self.scheme, self.host
        return self._own_scheme(), self.header("host"), self._own_host()

    @property
    def scheme(self) -> str:
        """Return the scheme that the visitor's browser used, ``http`` or ``https``."""
        if self._proxies.are_any and self._proxies.trusts(self.peer):
            forwarded = self._proxies.scheme(self.header)
            if forwarded in {"http", "https"}:
                return forwarded
        return self._own_scheme()

    @property
    def host(self) -> str:
        """Return the host as the browser sent it, with the port if it is not the scheme's default.

        An invalid host is replaced by the server's own name.
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
        """Return whether an origin's host, lower-case, is ours. Proxies may add a default port; browsers do not."""
        return self.host in {host, f"{host}:443", f"{host}:80"}

    @property
    def hostname(self) -> str:
        """Return the host without its port."""
        host = self.host
        if host.startswith("["):
            return host[1:].partition("]")[0]
        return host.partition(":")[0]

    @property
    def url(self) -> str:
        """Return the absolute address of the request: percent-encoded path, and query."""
        query = self.query
        path = self.path
        if _PLAIN_PATH.fullmatch(path) is None:
            path = quote(path, safe="/:@!$&'()*+,;=~-._")
        return f"{self.scheme}://{self.host}{path}" + (f"?{query}" if query else "")

    @property
    def is_browser(self) -> bool:
        """Return whether this looks like a browser's request, rather than an app's or a payment provider's."""
        return self.header("user-agent").startswith("Mozilla/") or any(self.values(_OF_BROWSERS))

    @property
    def page_url(self) -> str:
        """Return the visitor's page: the request's address; for a same-origin fetch the sending page's.

        A worker sends its script's address as referrer, and no page's: then it is the site's front page.
        """
        if (
            self.header("sec-fetch-mode") in {"cors", "same-origin", "no-cors"}
            and self.header("sec-fetch-site") == "same-origin"
        ):
            if self.is_of_worker:
                return f"{self.scheme}://{self.host}/"
            return self.header("referer") or self.url
        return self.url

    @property
    def is_of_worker(self) -> bool:
        """Return whether a worker asked, whose answers no page hears: its referrer is a script."""
        return _SCRIPT.search(self.header("referer")) is not None

    @property
    def page_path(self) -> str:
        """Return the decoded path of the visitor's page."""
        address = self.page_url.partition("#")[0].partition("?")[0]
        return "/" + unquote(address.partition("://")[2].partition("/")[2])

    @property
    def target(self) -> str:
        """Return path and query as received, without scheme and host."""
        query = self.query
        return f"{self.path}?{query}" if query else self.path

    @property
    def client(self) -> str:
        """Return the visitor's IP address, behind the trusted proxies; empty when it is not an address."""
        address = self.peer
        if self._proxies.are_any:
            address = self._proxies.address(address, self.header)
        if _IPV4.fullmatch(address):  # most addresses; they need no parsing
            return address
        return str(parsed_address(address) or "")

    def query_value(self, key: str) -> str:
        """Return the last value of a query key, decoded; empty when absent or empty."""
        query = self.query
        return query_value(query, key) if key in query else ""


def query_value(query: str, key: str) -> str:
    """Return the last non-empty value of a key in a raw query string, decoded.

    Empty if there is none, or if the query is longer than 8,192 characters.
    """
    if len(query) > _MAX_QUERY_CHARS:
        return ""
    for pair in reversed(query.split("&")):
        name, _, value = pair.partition("=")
        if value and (name == key or ("%" in name and unquote_plus(name) == key)):
            return unquote_plus(value)
    return ""


class UnreadableRequest(RequestView):
    """Placeholder for a request that could not be read: all its values are empty."""

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


@lru_cache(maxsize=256)
def environ_key(name: str) -> str:
    """Return the key of a header in a WSGI environ."""
    return "HTTP_" + name.upper().replace("-", "_")


def as_host(server: str) -> str:
    """Return a server's name as a host of an address: IPv6 addresses in brackets."""
    return f"[{server}]" if ":" in server else server


_OF_BROWSERS = Names("sec-fetch-mode", "sec-fetch-site", "hx-request", "x-requested-with", "turbo-frame", "origin")
