"""TikTok's event sources and the data they accept (``/event/track/``, "Report App, Web, Offline, or CRM Events")."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from tiktok_middleware.core.events.event_catalogue import USER_KEYS

__all__ = ["SOURCES", "WEB", "Source"]


class Source(NamedTuple):
    """One of TikTok's event sources.

    Attributes:
        name: TikTok's ``event_source``.
        user_keys: accepted keys of the ``user`` object.
        is_web: whether its events have ``page`` and ``limited_data_use``.
        is_standard_only: whether it refuses custom events.
        has_leads: whether its events belong to leads.
    """

    name: str
    user_keys: frozenset[str]
    is_web: bool = False
    is_standard_only: bool = False
    has_leads: bool = False


def _keys_of(source: str) -> frozenset[str]:
    return frozenset(key for key, sources in USER_KEYS.items() if source in sources)


WEB = Source("web", _keys_of("web"), is_web=True)

SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        source.name: source
        for source in (
            WEB,
            Source("offline", _keys_of("offline"), is_standard_only=True),
            Source("crm", _keys_of("crm"), has_leads=True),
        )
    }
)
