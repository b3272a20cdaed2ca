"""Read the visitor's address, scheme and host from the forwarding headers of trusted proxies."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator

__all__ = ["FORWARDED", "FORWARDED_FOR", "Proxies", "parsed_address"]

#: The header that most proxies use. Each proxy appends the address of its peer.
FORWARDED_FOR = "x-forwarded-for"
#: The standard header (RFC 7239). Each proxy appends peer, scheme and host.
FORWARDED = "forwarded"

HeaderLookup = Callable[[str], str]


class Proxies:
    """The trusted proxies: a number of hops, or a list of networks.

    Args:
        setting: a checked value of ``TIKTOK_TRUSTED_PROXIES``, such as ``2`` or ``10.0.0.0/8``.
        header: name of the header with the visitor's address, lower-case: :data:`FORWARDED_FOR`, :data:`FORWARDED`,
            or a header in which the outermost proxy writes this address alone, such as ``cf-connecting-ip``.

    Attributes:
        are_any: whether any proxy is trusted.
        hops: number of trusted hops; 0 if networks are given.
        networks: the trusted networks.
    """

    def __init__(self, setting: str, header: str = FORWARDED_FOR) -> None:
        self.are_any: bool = setting != "0"
        self.hops: int = int(setting) if setting.isdigit() else 0
        self.networks: tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...] = (
            () if setting.isdigit() else tuple(ipaddress.ip_network(part, strict=False) for part in setting.split(","))
        )
        self._header = header

    def address(self, peer: str, header: HeaderLookup) -> str:
        """Return the visitor's address: counted from the right, the first address that is not a trusted proxy's.

        Args:
            peer: address of the connection.
            header: returns the request's values of a header, joined by commas. Visitors control the left end of them.
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
        """Return whether the forwarding headers of this peer count."""
        return self.hops > 0 or (bool(self.networks) and self._is_trusted(peer))

    def scheme(self, header: HeaderLookup) -> str:
        """Return the scheme of the request to the outermost trusted proxy, lower-case; empty if not in the headers."""
        return self._outermost(header, "proto", "x-forwarded-proto")

    def host(self, header: HeaderLookup) -> str:
        """Return the host of the request to the outermost trusted proxy, lower-case; empty if not in the headers."""
        return self._outermost(header, "host", "x-forwarded-host")

    def _outermost(self, header: HeaderLookup, parameter: str, name: str) -> str:
        """Return the outermost trusted proxy's value. Most proxies replace the values that they find."""
        written = _forwarded(header(FORWARDED), parameter) if self._header == FORWARDED else _listed(header(name))
        return written[-min(max(self.hops, 1), len(written))].lower() if written else ""

    def _is_trusted(self, address: str) -> bool:
        parsed = parsed_address(address)
        return parsed is not None and any(parsed in network for network in self.networks)


_CHAINS = frozenset({FORWARDED_FOR, FORWARDED})
# Quoted strings, separators, and the text between them. An unclosed quote extends to the end of the header: a pattern
# that failed there would start again at each further quote, in quadratic time.
_PIECE = re.compile(r"\"(?:[^\"\\]|\\.?)*\"?|[,;]|[^,;\"]+", re.DOTALL)
_PAIR = re.compile(r"\s{0,8}([A-Za-z]{1,32})=(\"(?:[^\"\\]|\\.)*\"|[^\s;\"]*)")


def _listed(values: str) -> list[str]:
    return [part.strip() for part in values.split(",") if part.strip()]


def _forwarded(values: str, parameter: str) -> list[str]:
    """Return a parameter's value in each element (RFC 7239 section 4); empty if the element lacks the parameter."""
    found: list[str] = []
    for element in _split(_PIECE.findall(values), ","):
        if "".join(element).strip():
            pairs = (_PAIR.match("".join(pair)) for pair in _split(element, ";"))
            named = [pair[2].strip('"') for pair in pairs if pair is not None and pair[1].lower() == parameter]
            found.append(named[-1] if named else "")
    return found


def _split(pieces: list[str], separator: str) -> Iterator[list[str]]:
    """Yield the pieces between separators. A separator inside a quoted string does not count."""
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
    """Return the address, None if the text is none. An IPv4-mapped IPv6 address (dual-stack servers) becomes IPv4."""
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
