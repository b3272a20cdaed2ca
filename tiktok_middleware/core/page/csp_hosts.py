"""List TikTok's hosts that a Content Security Policy must allow for the pixel."""

from __future__ import annotations

__all__ = ["TIKTOK_HOSTS"]

#: TikTok's help page on Content Security Policy names them for ``script-src``, ``connect-src`` and ``img-src``.
TIKTOK_HOSTS = ("https://analytics.tiktok.com", "https://analytics-ipv6.tiktokw.us", "https://ads.tiktok.com")
