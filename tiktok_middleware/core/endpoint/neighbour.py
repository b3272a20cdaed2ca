"""Count and log what a page holds beside our script: another base code of TikTok's, or a gateway."""

from __future__ import annotations

import re

from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.reasons import Reason

__all__ = ["note_neighbour"]

#: Reason by the first word of a page's report (``browser/beside.js``).
_REASONS = {
    "found": Reason.OTHER_BASE_CODE,
    "late": Reason.OTHER_BASE_CODE_LATE,
    "broken": Reason.TTQ_IS_NO_QUEUE,
    "replaced": Reason.TTQ_REPLACED,
    "gateway": Reason.EVENTS_API_GATEWAY,
}
#: Where a base code comes from, by the partner's name that it sets. Other names are logged as they are.
_PLACES = {
    "GoogleTagManagerClient": "the TikTok tag in Google Tag Manager",
    "WooCommerce": "the plugin TikTok for WooCommerce",
    "Shopify": "the TikTok app of Shopify",
    "Segment": "the TikTok destination of Segment",
}
_NAME = re.compile(r"[A-Za-z0-9_.:-]{1,60}")


def note_neighbour(runtime: Runtime, word: str) -> None:
    """Count a page's report, and log it once for each kind. Anything else is ignored: anybody can send a report.

    Args:
        runtime: the configuration.
        word: kind and detail, separated by a blank.
    """
    kind, _, detail = word.partition(" ")
    reason = _REASONS.get(kind)
    if reason is None:
        return
    runtime.notices.count(reason.value)  # logs what it means and what to do
    if _NAME.fullmatch(detail):
        runtime.notices.once(f"{reason.value} named", _source(kind, detail))


def _source(kind: str, name: str) -> str:
    """Return a sentence that names the source, as a page has named it."""
    if kind == "gateway":
        return f"The Events API Gateway in pages has the host {name}."
    if kind in {"broken", "replaced"}:
        return f"The type of window.ttq in pages is {name}."
    return f"The other base code in pages comes from {_PLACES.get(name, name)}."
