"""Environment of a process. A process of one environment never sends events of another. Pure."""

from __future__ import annotations

import ipaddress
import re
from socket import inet_aton
from urllib.parse import urlsplit

__all__ = ["LOOPBACK", "PRODUCTION", "environment_of", "is_loopback"]

PRODUCTION = "production"
"""TikTok's own API, without a test code. Also the environment of all rows that an earlier release has stored."""

LOOPBACK = "loopback"
"""Any API base URL on this host, whatever its port, since the sandbox may use another port at each start."""

_TIKTOK = re.compile(r"([^.]+\.)*(tiktok|tiktokw|tiktokv|byteoversea)\.(com|us)")
_LIVE_API = re.compile(r"business-api\..+")  # TikTok's other hosts, such as its sandbox, count no sales
_THIS_HOST = re.compile(r"(.+\.)?localhost|localhost\.localdomain|localhost6?|ip6-(localhost|loopback)")
_DEFAULT_PORTS = {"http": 80, "https": 443}


def environment_of(api_url: str, test_event_code: str | None = None, kind: str = PRODUCTION) -> str:
    """Return the name of the environment, from the API base URL and the test code.

    Args:
        api_url: base URL of the Events API.
        test_event_code: test code, with which events go to Test Events.
        kind: ``TIKTOK_ENVIRONMENT``. It is part of the name because a process that must not send to TikTok, such as
            one in development without a test code, must not claim production's orders.
    """
    parts = urlsplit(api_url)
    host = (parts.hostname or "").rstrip(".")
    if is_loopback(host):
        base = LOOPBACK
    elif not _TIKTOK.fullmatch(host):
        base = _place(api_url) if test_event_code or kind == PRODUCTION else f"{_place(api_url)}, {kind}"
    elif not _LIVE_API.fullmatch(host) and (test_event_code or kind == PRODUCTION):
        base = _place(api_url)
    else:
        base = "tiktok" if test_event_code else kind
    return f"{base}, test code {test_event_code}" if test_event_code else base


def _place(api_url: str) -> str:
    """Return host, port and path of a base URL; equal for URLs that differ in spelling only."""
    parts = urlsplit(api_url)
    host = (parts.hostname or "").rstrip(".")
    port = "" if parts.port in {None, _DEFAULT_PORTS.get(parts.scheme)} else f":{parts.port}"
    return f"{host}{port}{parts.path.rstrip('/')}"


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine, in any spelling that a resolver accepts."""
    host = host.lower().rstrip(".")
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return _THIS_HOST.fullmatch(host) is not None or _is_short_loopback(host)
    mapped = getattr(address, "ipv4_mapped", None) or address
    return mapped.is_loopback or mapped.is_unspecified


def _is_short_loopback(host: str) -> bool:
    """Return whether a host is an address of this machine in an old spelling: ``127.1``, ``0x7f000001`` or ``0``."""
    try:
        address = ipaddress.ip_address(inet_aton(host))
    except (OSError, ValueError):
        return False
    return address.is_loopback or address.is_unspecified
