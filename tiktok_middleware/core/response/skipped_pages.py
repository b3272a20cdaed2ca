"""Count the pages that leave without the script, by reason; log a missing package once."""

from __future__ import annotations

from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.page.body import Body
from tiktok_middleware.core.page.codings import missing_packages
from tiktok_middleware.core.response.policy import Codec, Place, Plan
from tiktok_middleware.core.runtime import Runtime

__all__ = ["note_unread", "note_without_place", "reason_of"]

# Reasons why a document gets no script. Any other end of the search means that the head end is out of reach.
_NO_PLACE = frozenset({"charset", "charset_at_risk", "already_injected", "head_memory_full"})


def note_unread(plan: Plan, head: Head, runtime: Runtime) -> None:
    """Count a page whose bytes cannot be read.

    Args:
        plan: plan for the response; a response that is no page, or can be read, is not counted.
        head: head of the response.
        runtime: the configuration.
    """
    if plan.codec is not Codec.OPAQUE or plan.place is not Place.CARRY or runtime.config.browser_reason:
        return
    reason = plan.reasons[0]  # of the place, which here is the reason of the codec
    if reason == "package_missing":
        packages = " ".join(missing_packages(head.content_encoding))
        runtime.notices.once(
            f"package {packages}",
            f"pages leave without the pixel, for reading their coding needs a package: pip install {packages}",
        )
    elif reason not in {"encoded", "charset"}:
        return
    runtime.notices.count(f"page_{reason}")


def note_without_place(reason: str, place: Place, runtime: Runtime) -> None:
    """Count a page that cannot get the script; a fragment is not a page.

    Args:
        reason: a snake_case word.
        place: the place that remains for its events.
        runtime: the configuration.
    """
    if place is Place.CARRY:
        runtime.notices.count(f"page_{reason}")


def reason_of(body: Body) -> str:
    """Return the reason code of a search that found no head end; ``fragment`` if the body is no document."""
    if not body.is_document:
        return "fragment"
    return body.reason if body.reason in _NO_PLACE else "no_head_end"
