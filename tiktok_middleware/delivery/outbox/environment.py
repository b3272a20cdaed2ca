"""Environment of a process. A process of one environment never sends events of another. Pure."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

__all__ = ["LOOPBACK", "PRODUCTION", "environment_of", "is_loopback"]

PRODUCTION = "production"
"""TikTok's own API, without a test code. Also the environment of all rows that an earlier release has stored."""

LOOPBACK = "loopback"
"""Any API base URL on this host, whatever its port, since the sandbox may use another port at each start."""

_TIKTOK = re.compile(r"([^.]+\.)*(tiktok|tiktokw|tiktokv|byteoversea)\.(com|us)\.?")


def environment_of(api_url: str, test_event_code: str | None = None, kind: str = PRODUCTION) -> str:
    """Return the name of the environment, from the API base URL and the test code.

    Args:
        api_url: base URL of the Events API.
        test_event_code: test code, with which events go to Test Events.
        kind: ``TIKTOK_ENVIRONMENT``. It is part of the name because a process that must not send to TikTok, such as
            one in development without a test code, must not claim production's orders.
    """
    parts = urlsplit(api_url)
    host = (parts.hostname or "").lower()
    if is_loopback(host):
        base = LOOPBACK
    elif not _TIKTOK.fullmatch(host):
        port = f":{parts.port}" if parts.port else ""
        base = f"{host}{port}{parts.path.rstrip('/')}"
    else:
        base = "tiktok" if test_event_code else kind
    return f"{base}, test code {test_event_code}" if test_event_code else base


def is_loopback(host: str) -> bool:
    """Return whether a host name or address means this machine."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
