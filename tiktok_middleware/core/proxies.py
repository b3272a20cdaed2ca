"""Which of a request's forwarding headers count, and whose address they give; it knows no request."""

from __future__ import annotations

import ipaddress

__all__ = ["Proxies", "parsed_address"]


class Proxies:
    """Which peers' forwarding headers count: a number of hops, or networks.

    Args:
        setting: a checked value of ``TIKTOK_TRUSTED_PROXIES``, such as ``2`` or ``10.0.0.0/8``.

    Attributes:
        are_any: whether anybody's can count.
        hops: the number; 0 where networks are named.
        networks: the networks.
    """

    def __init__(self, setting: str) -> None:
        self.are_any = setting != "0"
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
        parsed = parsed_address(address)
        return parsed is not None and any(parsed in network for network in self.networks)


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
