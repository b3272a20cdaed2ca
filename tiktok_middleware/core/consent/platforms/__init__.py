"""One file for each consent platform, named after it: where its record lies and how it is read.

All of them are pure and fail closed: what cannot be read is unknown.

Rules that hold for every reader: a value is bounded and decoded once; keys and words are compared whole and in
their exact case; a grant needs the platform's exact word, and somebody's click; copies that disagree say no.
"""

from tiktok_middleware.core.consent.platforms.registry import (
    BRIDGES,
    BROWSER_ONLY,
    NAMED_BRIDGES,
    READERS,
    cookie_names,
    reader_for,
    signal_names,
    tcf_purposes,
)

__all__ = [
    "BRIDGES",
    "BROWSER_ONLY",
    "NAMED_BRIDGES",
    "READERS",
    "cookie_names",
    "reader_for",
    "signal_names",
    "tcf_purposes",
]
