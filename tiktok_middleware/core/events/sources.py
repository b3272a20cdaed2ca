"""Where a conversion comes from, and what TikTok takes from there (``/event/track/``, "Report App, Web, Offline, or CRM
Events"); it knows no configuration.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

__all__ = ["SOURCES", "WEB", "Source"]


class Source(NamedTuple):
    """One of TikTok's event sources.

    Attributes:
        name: TikTok's ``event_source``.
        user_keys: keys of the ``user`` object that it takes; None for all that there are.
        is_web: whether ``page`` and ``limited_data_use`` belong to it.
        is_standard_only: whether it refuses custom events.
        needs_lead: whether every event belongs to a lead.
    """

    name: str
    user_keys: frozenset[str] | None = None
    is_web: bool = False
    is_standard_only: bool = False
    needs_lead: bool = False


WEB = Source("web", is_web=True)

SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        source.name: source
        for source in (
            WEB,
            Source("offline", user_keys=frozenset({"email", "phone"}), is_standard_only=True),
            Source("crm", user_keys=frozenset({"email", "phone", "external_id"}), needs_lead=True),
        )
    }
)
