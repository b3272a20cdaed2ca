"""Pages that leave as they came: counted by reason, and said once where a package would help; it changes nothing."""

from __future__ import annotations

from tiktok_middleware.core.codings import missing_packages
from tiktok_middleware.core.head import Head
from tiktok_middleware.core.policy import Codec, Place, Plan
from tiktok_middleware.core.setup import Setup

__all__ = ["note_unread", "note_without_place"]


def note_unread(plan: Plan, head: Head, setup: Setup) -> None:
    """Take note of a page whose bytes cannot be read.

    Args:
        plan: for the response; what is no page, or can be read, is not noted.
        head: of the response.
        setup: the configuration.
    """
    if plan.codec is not Codec.OPAQUE or plan.place is not Place.CARRY or setup.config.browser_reason:
        return
    reason = plan.reasons[0]  # of the place: for a page that cannot be read it is the codec's
    if reason == "package_missing":
        packages = " ".join(missing_packages(head.content_encoding))
        setup.notices.once(
            f"package {packages}",
            f"pages leave without the pixel, for reading their coding needs a package: pip install {packages}",
        )
    elif reason not in {"encoded", "charset"}:
        return
    setup.notices.count(f"page_{reason}")


def note_without_place(reason: str, place: Place, setup: Setup) -> None:
    """Take note of a page in which no script can stand; a fragment is none.

    Args:
        reason: a snake_case word.
        place: what remains for its events.
        setup: the configuration.
    """
    if place is Place.CARRY:
        setup.notices.count(f"page_{reason}")
