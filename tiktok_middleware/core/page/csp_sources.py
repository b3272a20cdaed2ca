"""Match addresses against a source list of a Content Security Policy (CSP Level 3)."""

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

# https://www.w3.org/TR/CSP3/#framework-directive-source-list, with underscores in hosts, as browsers allow them. No
# character can match two neighbouring parts of a pattern, so a long token is read only once.
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)
_HOST = re.compile(
    r"(?:([a-z][a-z0-9+.-]*)://)?"
    r"(\*|(?:\*\.)?[a-z0-9_-]+(?:\.[a-z0-9_-]+)*\.?)"
    r"(?::([0-9]+|\*))?"
    r"(/[^?#]*)?(?:[?#].*)?",
    re.IGNORECASE,
)
_HASH = re.compile(r"'sha(?:256|384|512)-[a-z0-9+/_-]+={0,2}'", re.IGNORECASE)

# A scheme matches itself and its upgrades (https://www.w3.org/TR/CSP3/#match-schemes). In the standard, ws also matches
# http and https. Chromium refuses them, so we do too: an unnecessary warning is better than a missing one.
_UPGRADES = {"http": ("http", "https"), "ws": ("ws", "wss")}


class Address(NamedTuple):
    """An absolute address, in lower case up to its path; all fields are empty if the text is no address.

    Attributes:
        port: digits; the scheme's default port if the text has none.
    """

    scheme: str = ""
    host: str = ""
    port: str = ""
    path: str = ""

    @classmethod
    def read(cls, text: str) -> Address:
        """Return the address at the beginning of the text; it never raises."""
        found = _ADDRESS.match(text)
        if found is None:
            return cls()
        scheme = found[1].lower()
        return cls(scheme, found[2].lower(), found[3] or _DEFAULT_PORTS.get(scheme, ""), found[4] or "/")

    @property
    def origin(self) -> str:
        """Scheme, host and any non-default port: a source expression for all paths of the host."""
        if not self.host:
            return ""
        port = "" if self.port == _DEFAULT_PORTS.get(self.scheme) else f":{self.port}"
        return f"{self.scheme}://{self.host}{port}"


class _HostSource(NamedTuple):
    """A host source; scheme, port and path are empty if it has none."""

    scheme: str
    host: str
    port: str
    path: str

    def allows(self, address: Address, page: Address) -> bool:
        if self == _ANYTHING:
            return address.scheme in {"http", "https", page.scheme}
        # An unknown page counts as an https page, which allows less.
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
        nonces: all well-formed nonces.
        is_strict_dynamic: whether ``'strict-dynamic'`` is listed. Scripts in the markup then need a nonce or a hash,
            and scripts that run may load any script.
        allows_any_inline: whether ``'unsafe-inline'`` is listed and not void.
        has_self: whether ``'self'`` is listed.
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
        """Return whether the list allows an address (https://www.w3.org/TR/CSP3/#match-url-to-source-expression).

        Args:
            address: address to load.
            page: address of the page; ``'self'`` and sources without a scheme depend on it.
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
    """Return whether a source's path allows a path: with a trailing slash everything below it, else itself alone."""
    if not source:
        return True
    if source.endswith("/"):
        return unquote(path).startswith(unquote(source))
    return unquote(path) == unquote(source)
