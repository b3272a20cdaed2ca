"""Which of a request's forwarding headers count, and what they say of the visitor; it keeps nothing of a request."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

__all__ = ["FORWARDED", "FORWARDED_FOR", "Proxies", "parsed_address"]

#: The header of most proxies, to which each adds the peer that it saw.
FORWARDED_FOR = "x-forwarded-for"
#: The standard's (RFC 7239), to which each adds peer, scheme and host.
FORWARDED = "forwarded"

Header = Callable[[str], str]


class Proxies:
    """Which peers' forwarding headers count: a number of hops, or networks.

    Args:
        setting: a checked value of ``TIKTOK_TRUSTED_PROXIES``, such as ``2`` or ``10.0.0.0/8``.
        header: where the visitor's address stands, lower-case: one of the two above, or the name of a header that
            holds it alone, as the outermost proxy wrote it, such as ``cf-connecting-ip``.

    Attributes:
        are_any: whether anybody's can count.
        hops: the number; 0 where networks are named.
        networks: the networks.
    """

    def __init__(self, setting: str, header: str = FORWARDED_FOR) -> None:
        self.are_any: bool = setting != "0"
        self.hops: int = int(setting) if setting.isdigit() else 0
        self.networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = (
            () if setting.isdigit() else tuple(ipaddress.ip_network(part, strict=False) for part in setting.split(","))
        )
        self._header = header

    def address(self, peer: str, header: Header) -> str:
        """The visitor's address: the first one, from the right, that no trusted proxy wrote.

        Args:
            peer: address of the connection.
            header: the request's values of a header, joined by commas; the left end is whatever the visitor typed.
        """
        written = header(self._header)
        if self._header not in _CHAINS:
            return written.strip() if written and self.trusts(peer) else peer
        parts = _forwarded(written, "for") if self._header == FORWARDED else _listed(written)
        chain = [*map(_bare_address, parts), peer]
        if not self.networks:
            return chain[max(len(chain) - 1 - self.hops, 0)]
        while len(chain) > 1 and self._is_trusted(chain[-1]):
            chain.pop()
        return chain[-1]

    def trusts(self, peer: str) -> bool:
        """Whether what this peer says of scheme and host counts."""
        return self.hops > 0 or (bool(self.networks) and self._is_trusted(peer))

    def scheme(self, header: Header) -> str:
        """What the outermost trusted proxy was spoken to with, lower-case; empty where none says so."""
        return self._outermost(header, "proto", "x-forwarded-proto")

    def host(self, header: Header) -> str:
        """The host that the outermost trusted proxy was asked for, lower-case; empty where none says so."""
        return self._outermost(header, "host", "x-forwarded-host")

    def _outermost(self, header: Header, parameter: str, name: str) -> str:
        """Of what each proxy may add, the outermost trusted one's; most replace what they find."""
        written = _forwarded(header(FORWARDED), parameter) if self._header == FORWARDED else _listed(header(name))
        return written[-min(max(self.hops, 1), len(written))].lower() if written else ""

    def _is_trusted(self, address: str) -> bool:
        parsed = parsed_address(address)
        return parsed is not None and any(parsed in network for network in self.networks)


_CHAINS = frozenset({FORWARDED_FOR, FORWARDED})
# Quoted strings, separators, and all between. A quote that nobody closes ends with the header: a pattern that fails
# there would start again at each further quote.
_PIECE = re.compile(r"\"(?:[^\"\\]|\\.?)*\"?|[,;]|[^,;\"]+", re.DOTALL)
_PAIR = re.compile(r"\s{0,8}([A-Za-z]{1,32})=(\"(?:[^\"\\]|\\.)*\"|[^\s;\"]*)")


def _listed(values: str) -> list[str]:
    return [part.strip() for part in values.split(",") if part.strip()]


def _forwarded(values: str, parameter: str) -> list[str]:
    """Return a parameter of each element (RFC 7239 section 4); empty where a proxy did not write it."""
    found: list[str] = []
    for element in _split(_PIECE.findall(values), ","):
        if "".join(element).strip():
            pairs = (_PAIR.match("".join(pair)) for pair in _split(element, ";"))
            named = [pair[2].strip('"') for pair in pairs if pair is not None and pair[1].lower() == parameter]
            found.append(named[-1] if named else "")
    return found


def _split(pieces: list[str], separator: str) -> Iterator[list[str]]:
    """Yield the pieces between separators; a quoted one is no separator."""
    start = 0
    for at, piece in enumerate(pieces):
        if piece == separator:
            yield pieces[start:at]
            start = at + 1
    yield pieces[start:]


def _bare_address(part: str) -> str:
    part = part.strip().strip('"')
    if part.startswith("["):
        return part[1:].partition("]")[0]
    return part.rpartition(":")[0] if part.count(":") == 1 else part


def parsed_address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The address; an IPv4 address in IPv6 clothes, as dual-stack servers show it, is the IPv4 address."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
