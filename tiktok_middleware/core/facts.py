"""What a request says of itself, read only when asked; it knows ASGI scopes and WSGI environs, and no framework."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable, Mapping, MutableMapping
from typing import Any
from urllib.parse import parse_qsl, quote

from tiktok_middleware.core.cookies import read_cookies

__all__ = ["EnvironFacts", "Proxies", "RequestFacts", "ScopeFacts"]

_MAX_QUERY_CHARS = 8192

# A host goes into addresses and into the Domain of cookies: what is no name, IPv4 or IPv6 address is not believed.
_HOST = re.compile(r"(?:[a-z0-9_](?:[a-z0-9._-]{0,253}[a-z0-9_.])?|\[[0-9a-f:.]{2,45}\])(?::[0-9]{1,5})?")


class Proxies:
    """Which peers' forwarding headers count: a number of hops, or networks.

    Args:
        setting: a checked value of ``TIKTOK_TRUSTED_PROXIES``, such as ``2`` or ``10.0.0.0/8``.
    """

    def __init__(self, setting: str) -> None:
        self.hops = int(setting) if setting.isdigit() else 0
        self.networks = (
            () if setting.isdigit() else tuple(ipaddress.ip_network(part, strict=False) for part in setting.split(","))
        )

    def client_address(self, peer: str, forwarded_for: str) -> str:
        """The visitor's address: the first one, from the right, that no trusted proxy wrote.

        Args:
            peer: address of the connection.
            forwarded_for: the joined ``X-Forwarded-For`` values; its left end is whatever the visitor typed.
        """
        chain = [_bare_address(part) for part in forwarded_for.split(",") if part.strip()]
        chain.append(peer)
        if not self.networks:
            return chain[max(len(chain) - 1 - self.hops, 0)]
        while len(chain) > 1 and self._is_trusted(chain[-1]):
            chain.pop()
        return chain[-1]

    def trusts(self, peer: str) -> bool:
        """Whether this peer's ``X-Forwarded-Proto`` and ``X-Forwarded-Host`` count."""
        return self.hops > 0 or (bool(self.networks) and self._is_trusted(peer))

    def outermost(self, values: str) -> str:
        """Of a header that each proxy adds a value to, the one that the outermost trusted proxy wrote.

        Args:
            values: joined by commas; most proxies replace the header instead, so that there is but one.
        """
        written = [value.strip() for value in values.split(",")]
        return written[-min(max(self.hops, 1), len(written))]

    def _is_trusted(self, address: str) -> bool:
        parsed = _parsed_address(address)
        return parsed is not None and any(parsed in network for network in self.networks)


def _bare_address(part: str) -> str:
    part = part.strip().strip('"')
    if part.startswith("["):
        return part[1:].partition("]")[0]
    return part.rpartition(":")[0] if part.count(":") == 1 else part


def _parsed_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address; an IPv4 address in IPv6 clothes, as dual-stack servers show it, is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


class RequestFacts:
    """One request, whichever door it came through.

    Attributes:
        raw: the ASGI scope or WSGI environ itself, where the tracker is kept for raw access.
        mount: the path prefix that we are mounted under, without a trailing slash; routers behind us write their
            own into the same scope or environ later.
    """

    __slots__ = ("_cookies", "_headers", "_proxies", "mount", "raw")

    raw: MutableMapping[str, Any]

    def __init__(self, raw: MutableMapping[str, Any], proxies: Proxies) -> None:
        self.raw = raw
        self.mount = self._mount()
        self._proxies = proxies
        self._cookies: dict[str, str] | None = None
        self._headers: dict[bytes, bytes] | None = None

    @property
    def method(self) -> str:
        """The method, upper-case."""
        raise NotImplementedError

    @property
    def path(self) -> str:
        """The whole decoded path, mount point included."""
        raise NotImplementedError

    def _mount(self) -> str:
        raise NotImplementedError

    @property
    def query(self) -> str:
        """The raw query string."""
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

    def mentions(self, name: str, text: str) -> bool:
        """Whether a header holds a text: a cheap look, for the many requests that have none such."""
        raise NotImplementedError

    def replace_header(self, name: str, value: str) -> None:
        """Let the app find another value in a header that is there."""
        raise NotImplementedError

    def _own_scheme(self) -> str:
        raise NotImplementedError

    def _own_host(self) -> str:
        raise NotImplementedError

    @property
    def cookies(self) -> Mapping[str, str]:
        """Cookies by name, the first of each name."""
        if self._cookies is None:
            self._cookies = read_cookies(self.header("cookie"))
        return self._cookies

    @property
    def scheme(self) -> str:
        """``http`` or ``https``, as the visitor's browser used it."""
        if self._proxies.trusts(self.peer):
            forwarded = self._proxies.outermost(self.header("x-forwarded-proto")).lower()
            if forwarded in {"http", "https"}:
                return forwarded
        return self._own_scheme()

    @property
    def host(self) -> str:
        """The host as the browser named it, with its port where it is not the scheme's own.

        What cannot be a host is not believed; the server's own name stands in for it.
        """
        named = [self.header("host"), self._own_host()]
        if self._proxies.trusts(self.peer):
            named.insert(0, self._proxies.outermost(self.header("x-forwarded-host")))
        return next((host.lower() for host in named if _HOST.fullmatch(host.lower())), "localhost")

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
        path = quote(self.path, safe="/:@!$&'()*+,;=~-._")
        return f"{self.scheme}://{self.host}{path}" + (f"?{query}" if query else "")

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
        address = self._proxies.client_address(self.peer, self.header("x-forwarded-for"))
        return str(_parsed_address(address) or "")

    def query_value(self, key: str) -> str:
        """The last value of a query key, decoded; empty when absent."""
        query = self.query
        if key not in query or len(query) > _MAX_QUERY_CHARS:
            return ""
        return next((value for name, value in reversed(parse_qsl(query)) if name == key), "")


class ScopeFacts(RequestFacts):
    """A request as an ASGI scope tells it."""

    __slots__ = ()

    @property
    def method(self) -> str:
        return str(self.raw["method"])

    @property
    def path(self) -> str:
        # ASGI 3: `path` holds `root_path` too, but servers before that rule left it out.
        path, mount = str(self.raw["path"]), self.mount
        return path if not mount or path == mount or path.startswith(mount + "/") else mount + path

    def _mount(self) -> str:
        return str(self.raw.get("root_path") or "").rstrip("/")

    @property
    def query(self) -> str:
        return bytes(self.raw.get("query_string") or b"").decode("latin-1")

    @property
    def peer(self) -> str:
        client = self.raw.get("client")
        return str(client[0]) if client else ""

    def header(self, name: str) -> str:
        headers = self._headers
        if headers is None:
            headers = self._headers = _by_name(self.raw["headers"])
        return headers.get(name.encode("latin-1"), b"").decode("latin-1")

    def mentions(self, name: str, text: str) -> bool:
        wanted = text.encode("latin-1")
        return any(wanted in value and key.lower() == name.encode("latin-1") for key, value in self.raw["headers"])

    def replace_header(self, name: str, value: str) -> None:
        wanted = name.encode("latin-1")
        others = [pair for pair in self.raw["headers"] if pair[0].lower() != wanted]
        self.raw["headers"] = [*others, (wanted, value.encode("latin-1"))]
        self._headers = None

    def _own_scheme(self) -> str:
        scheme = str(self.raw.get("scheme") or "http")
        return {"ws": "http", "wss": "https"}.get(scheme, scheme)  # a socket belongs to a page

    def _own_host(self) -> str:
        server = self.raw.get("server")
        return _as_host(str(server[0])) if server else ""


class EnvironFacts(RequestFacts):
    """A request as a WSGI environ tells it."""

    __slots__ = ()

    @property
    def method(self) -> str:
        return str(self.raw["REQUEST_METHOD"])

    @property
    def path(self) -> str:
        return _from_wsgi(str(self.raw.get("SCRIPT_NAME", "")) + str(self.raw.get("PATH_INFO", ""))) or "/"

    def _mount(self) -> str:
        return _from_wsgi(str(self.raw.get("SCRIPT_NAME") or "")).rstrip("/")

    @property
    def query(self) -> str:
        return str(self.raw.get("QUERY_STRING") or "")

    @property
    def peer(self) -> str:
        return str(self.raw.get("REMOTE_ADDR") or "")

    def mentions(self, name: str, text: str) -> bool:
        return text in self.header(name)

    def replace_header(self, name: str, value: str) -> None:
        self.raw["HTTP_" + name.upper().replace("-", "_")] = value

    def header(self, name: str) -> str:
        return str(self.raw.get("HTTP_" + name.upper().replace("-", "_")) or "")

    def _own_scheme(self) -> str:
        return str(self.raw.get("wsgi.url_scheme") or "http")

    def _own_host(self) -> str:
        return _as_host(str(self.raw.get("SERVER_NAME") or ""))


def _by_name(pairs: Iterable[tuple[bytes, bytes]]) -> dict[bytes, bytes]:
    """Headers by lower-case name; one that comes several times is joined, as RFC 9110 and RFC 9113 say."""
    found: dict[bytes, bytes] = {}
    for key, value in pairs:
        name = key.lower()
        if name in found:
            found[name] += (b"; " if name == b"cookie" else b", ") + value
        else:
            found[name] = bytes(value)
    return found


def _from_wsgi(text: str) -> str:
    """A path as text: PEP 3333 hands over its bytes in the guise of latin-1."""
    return text.encode("latin-1", "replace").decode("utf-8", "replace")


def _as_host(server: str) -> str:
    return f"[{server}]" if ":" in server else server
