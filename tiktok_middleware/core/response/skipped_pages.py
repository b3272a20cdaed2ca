"""Count pages that leave without our script by reason, and log each reason once."""

from __future__ import annotations

from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.page.body import Body
from tiktok_middleware.core.page.codings import missing_packages
from tiktok_middleware.core.response.policy import Codec, Place, Plan
from tiktok_middleware.core.runtime import Runtime

__all__ = ["note_unread", "note_without_place", "reason_of"]

# Why a document has no place for the script. What else ends the search means that the head has no end within reach.
_NO_PLACE = frozenset({"charset_at_risk", "already_injected", "head_memory_full"})


def note_unread(plan: Plan, head: Head, runtime: Runtime) -> None:
    """Take note of a page whose bytes cannot be read.

    Args:
        plan: for the response; what is no page, or can be read, is not noted.
        head: of the response.
        runtime: the configuration.
    """
    if plan.codec is not Codec.OPAQUE or plan.place is not Place.CARRY or runtime.config.browser_reason:
        return
    reason = plan.reasons[0]  # of the place: for a page that cannot be read it is the codec's
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
    """Take note of a page in which no script can stand; a fragment is none.

    Args:
        reason: a snake_case word.
        place: what remains for its events.
        runtime: the configuration.
    """
    if place is Place.CARRY:
        runtime.notices.count(f"page_{reason}")


def reason_of(body: Body) -> str:
    """Return the reason code of a search that ended without a place; ``fragment`` is none."""
    if not body.is_document:
        return "fragment"
    return body.reason if body.reason in _NO_PLACE else "no_head_end"
