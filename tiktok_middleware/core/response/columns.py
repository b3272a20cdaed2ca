"""The four independent columns of a plan: what may be done with a response."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

__all__ = ["Audience", "Codec", "Place", "Plan", "Timing"]


class Place(Enum):
    """Where a browser copy can go."""

    DOCUMENT = "document"  # inline, if the body begins like a document
    EMBEDDED = "embedded"  # like DOCUMENT but inside a frame: no page view
    ANSWER = "answer"  # a header that the helper reads
    ABROAD = "abroad"  # like ANSWER, for a page of another origin that the app allows and whose helper trusts our host
    ELSEWHERE = "elsewhere"  # an answer to a page of another origin without our helper: no copy leaves
    CARRY = "carry"  # not in this response: the redirect cookie takes it to the next page
    UNTOUCHABLE = "untouchable"  # not even a cookie


class Audience(Enum):
    """Whether a shared cache may keep the response."""

    ONE = "one"
    SHARED = "shared"


class Codec(Enum):
    """Whether the body can be read."""

    IDENTITY = "identity"
    CODED = "coded"  # gzip and the like: decoded and encoded again
    OPAQUE = "opaque"


class Timing(Enum):
    """Whether a person sees the response now."""

    LIVE = "live"
    PREFETCH = "prefetch"
    ABSENT = "absent"  # now, but browsers send no cookies with a POST from another site


class Plan(NamedTuple):
    """The four columns, with reasons for values other than the default.

    Attributes:
        place, audience, codec, timing: the columns.
        reasons: snake_case words, in the order of the columns.
        fragment: the place that applies instead if HTML does not begin like a document.
        is_charset_named: whether the response names its charset.
    """

    place: Place
    audience: Audience
    codec: Codec
    timing: Timing
    reasons: tuple[str, ...] = ()
    fragment: Place = Place.ANSWER
    is_charset_named: bool = True

    @property
    def takes_fragments(self) -> bool:
        """Whether HTML counts as a page even if it does not begin like a document."""
        return self.fragment is self.place
