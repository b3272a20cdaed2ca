"""Count the pages that leave without the script, by reason; log a missing package once."""

from __future__ import annotations

from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.page.body import Body
from tiktok_middleware.core.page.codings import missing_packages
from tiktok_middleware.core.response.policy import Codec, Place, Plan
from tiktok_middleware.core.runtime import Runtime

__all__ = ["is_sealed_page", "note_unread", "note_without_place", "reason_of"]

# Reasons why a document gets no script. Any other end of the search means that the head end is out of reach.
_NO_PLACE = frozenset({"charset", "charset_at_risk", "already_injected", "head_memory_full"})


_SEALED = frozenset({"xhtml", "no_transform"})


def is_sealed_page(plan: Plan, head: Head) -> bool:
    """Return whether the response is a page that must not be changed."""
    return plan.place is Place.CARRY and plan.reasons[0] in _SEALED and "html" in head.content_type.lower()


def note_unread(plan: Plan, head: Head, runtime: Runtime) -> None:
    """Count a page whose bytes cannot be read or must not be changed.

    Args:
        plan: plan for the response; a response that is no page, or can be read, is not counted.
        head: head of the response.
        runtime: the configuration.
    """
    if plan.place is not Place.CARRY or runtime.config.browser_reason:
        return
    if is_sealed_page(plan, head):
        runtime.notices.count(f"page_{plan.reasons[0]}")
    if plan.codec is not Codec.OPAQUE:
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
