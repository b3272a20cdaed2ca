"""Old event names and misspelt user keys; the rest of the protocol is in ``core.events.event_catalogue``."""

from __future__ import annotations

from tiktok_middleware.core.events.event_aliases import FADING, RESERVED, RETIRED
from tiktok_middleware.core.events.event_catalogue import STANDARD_EVENTS as STANDARD

__all__ = ["OLD_NAMES", "STANDARD", "USER_TYPOS"]

OLD_NAMES: dict[str, str] = {"PageView": "Pageview", **RESERVED, **RETIRED, **FADING}
"""Old and reserved names, with the current name to use instead."""

USER_TYPOS = {
    "_ttp": "ttp",
    "click_id": "ttclid",
    "client_ip": "ip",
    "email_address": "email",
    "ip_address": "ip",
    "phone_number": "phone",
    "sha256_email": "email",
    "sha256_phone_number": "phone",
    "tt_clid": "ttclid",
    "ua": "user_agent",
    "zip": "zip_code",
}
"""Misspelt keys in ``user``, which TikTok ignores without an error, with the correct key."""
