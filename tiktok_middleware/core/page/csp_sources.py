"""What one source list of a Content Security Policy lets load (CSP Level 3); it knows neither directives nor pages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple
from urllib.parse import unquote

__all__ = ["NONCE", "Address", "SourceList"]

#: A nonce source; group 1 is the nonce.
NONCE = re.compile(r"'nonce-([A-Za-z0-9+/_-]+={0,2})'", re.IGNORECASE)

_ADDRESS = re.compile(r"([a-z][a-z0-9+.-]*)://(\[[^\]]*\]|[^:/?#@]+)(?::([0-9]{1,5}))?(/[^?#]*)?", re.IGNORECASE)
_DEFAULT_PORTS = {"http": "80", "ws": "80", "https": "443", "wss": "443"}

# https://www.w3.org/TR/CSP3/#framework-directive-source-list, with underscores in hosts, as browsers have it. No two
# neighbours share a character that could be given to either, so that a long token is read once.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_HOST = re.compile(
    r"(?:([a-z][a-z0-9+.-]*)://)?"
    r"(\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)"
    r"(?::([0-9]+|\*))?"
    r"(/[^?#]*)?(?:[?#].*)?",
    re.IGNORECASE,
)
_HASH = re.compile(r"'sha(?:256|384|512)-[a-z0-9+/_-]+={0,2}'", re.IGNORECASE)

# Beside itself a scheme names what it can be upgraded to (https://www.w3.org/TR/CSP3/#match-schemes). The standard
# lets ws name http and https as well; Chromium refuses them, and a warning too many is better than a silence.
_UPGRADES = {"http": ("http", "https"), "ws": ("ws", "wss")}


class Address(NamedTuple):
    """An absolute address, in lower case up to its path; all empty where the text is none.

    Attributes:
        port: digits; the scheme's own where the text names none.
    """

    scheme: str = ""
    host: str = ""
    port: str = ""
    path: str = ""

    @classmethod
    def read(cls, text: str) -> Address:
        """The address that the text begins with; it never raises."""
        found = _ADDRESS.match(text)
        if found is None:
            return cls()
        scheme = found[1].lower()
        return cls(scheme, found[2].lower(), found[3] or _DEFAULT_PORTS.get(scheme, ""), found[4] or "/")

    @property
    def origin(self) -> str:
        """Scheme, host and, where it is not the scheme's own, port: a source expression for all paths of the host."""
        if not self.host:
            return ""
        port = "" if self.port == _DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


class _HostSource(NamedTuple):
    """A host and what narrows it; empty where it does not say."""

    scheme: str
    host: str
    port: str
    path: str

    def allows(self, address: Address, page: Address) -> bool:
        if self == _ANYTHING:
            return address.scheme in {"http", "https", page.scheme}
        # A page that we know nothing of is taken for one of https, which allows less.
        scheme = self.scheme or page.scheme or "https"
        if address.scheme not in _upgrades(scheme):
            return False
        is_host = address.host.endswith(self.host[1:]) if self.host.startswith("*") else address.host == self.host
        return is_host and _is_of_port(address, scheme, self.port) and _is_of_path(address.path, self.path)


_ANYTHING = _HostSource("", "*", "", "")


class SourceList:
    """The values of one directive.

    Args:
        sources: the directive's words, without its name.

    Attributes:
        nonces: all that are well-formed.
        is_strict_dynamic: only a nonce or hash lets a script of the markup run, and what runs may load any script.
        allows_any_inline: ``'unsafe-inline'`` stands there and is not void.
        has_self: ``'self'`` stands there.
    """

    def __init__(self, sources: Sequence[str]) -> None:
        keywords = {source.lower() for source in sources}
        self._sources = sources
        self.nonces: tuple[str, ...] = tuple(found[1] for found in map(NONCE.fullmatch, sources) if found)
        self.has_self: bool = "'self'" in keywords
        self.is_strict_dynamic: bool = "'strict-dynamic'" in keywords
        # https://www.w3.org/TR/CSP3/#allow-all-inline
        is_void = self.is_strict_dynamic or bool(self.nonces) or any(map(_HASH.fullmatch, sources))
        self.allows_any_inline: bool = "'unsafe-inline'" in keywords and not is_void

    @cached_property
    def _schemes(self) -> list[str]:
        return [found[1].lower() for found in map(_SCHEME.fullmatch, self._sources) if found]

    @cached_property
    def _hosts(self) -> list[_HostSource]:
        found = filter(None, map(_HOST.fullmatch, self._sources))
        return [_HostSource((m[1] or "").lower(), m[2].lower(), m[3] or "", m[4] or "") for m in found]

    def allows(self, address: Address, page: Address) -> bool:
        """Whether an address is named (https://www.w3.org/TR/CSP3/#match-url-to-source-expression).

        Args:
            address: what is to load.
            page: of the page, which ``'self'`` and sources without a scheme lean on.
        """
        if not address.host:
            return False
        return (
            (self.has_self and _is_self(address, page))
            or any(address.scheme in _upgrades(scheme) for scheme in self._schemes)
            or any(source.allows(address, page) for source in self._hosts)
        )


def _upgrades(scheme: str) -> tuple[str, ...]:
    return _UPGRADES.get(scheme, (scheme,))


def _is_self(address: Address, page: Address) -> bool:
    if address.host != page.host or address.scheme not in _upgrades(page.scheme):
        return False
    return address.port == page.port or _is_upgraded_port(page.port, page.scheme, address)


def _is_upgraded_port(port: str, scheme: str, address: Address) -> bool:
    return scheme == "http" and port == "80" and address.scheme == "https" and address.port == "443"


def _is_of_port(address: Address, scheme: str, port: str) -> bool:
    if port == "*":
        return True
    if not port:
        return address.port == _DEFAULT_PORTS.get(address.scheme)
    return address.port == port.lstrip("0") or _is_upgraded_port(port, scheme, address)


def _is_of_path(path: str, source: str) -> bool:
    """A source's path ending in a slash names all below it, any other itself alone."""
    if not source:
        return True
    if source.endswith("/"):
        return unquote(path).startswith(unquote(source))
    return unquote(path) == unquote(source)
