"""Readers of consent platforms. Each file is named after its platform, and defines its cookies and how to read them.

All readers are pure and fail closed: an unreadable record counts as unknown.

Rules for every reader: limit the length of a value and decode it once; compare keys and values exactly, including case;
grant only on the platform's exact value and after a click; deny if copies disagree.
"""

from tiktok_middleware.core.consent.platforms.registry import (
    BRIDGES,
    BROWSER_ONLY,
    NAMED_BRIDGES,
    READERS,
    cookie_names,
    reader_for,
    signal_names,
    tcf_asked,
)

__all__ = [
    "BRIDGES",
    "BROWSER_ONLY",
    "NAMED_BRIDGES",
    "READERS",
    "cookie_names",
    "reader_for",
    "signal_names",
    "tcf_asked",
]
