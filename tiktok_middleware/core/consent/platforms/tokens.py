"""Platforms that keep the choice as JSON inside base64; each reader knows its own cookie only."""

from __future__ import annotations

from tiktok_middleware.core.consent.platforms.answers import State, all_needed, yes_or_no
from tiktok_middleware.core.consent.platforms.header import read_copies, values_of
from tiktok_middleware.core.consent.platforms.unwrap import base64_record, list_in, record_in

__all__ = ["didomi", "ketch"]


def didomi(header: str, purpose: str, vendor: str) -> State:
    """Didomi's ``didomi_token``: ids of purposes and vendors, enabled or disabled. Legitimate interest never counts.

    Args:
        header: the raw ``Cookie`` header.
        purpose: its id in the site's Didomi account.
        vendor: an id that has to be enabled as well; empty: none.
    """
    return read_copies(header, "didomi_token", lambda value: _didomi(base64_record(value), purpose, vendor))


def _didomi(found: dict[str, object], purpose: str, vendor: str) -> State:
    answers = [_listed(record_in(found, "purposes"), purpose)]
    if vendor:
        answers.append(_listed(record_in(found, "vendors"), vendor))
    return all_needed(answers)


def _listed(lists: dict[str, object], key: str) -> State:
    if "disabled" in lists and key in list_in(lists, "disabled"):
        return State.DENIED
    is_enabled = "enabled" in lists and key in list_in(lists, "enabled")
    return State.GRANTED if is_enabled else State.UNKNOWN


def ketch(header: str, code: str, implied: State) -> State:
    """Ketch's ``_ketch_consent_v1_``: a status a purpose, written with the law's defaults before any choice.

    The cookie cannot tell a default from a click. A site that names its purpose says that its status counts;
    purposes found by Ketch's own word for behavioural advertising are only as good as a default.

    Args:
        header: the raw ``Cookie`` header.
        code: the purpose's code in the site's Ketch account; empty: those that Ketch calls ``behavioral_advertising``.
        implied: what a default counts as.
    """
    if "_ketch_consent_v1_" not in header:
        return State.UNKNOWN
    if "true" in values_of(header, "gpcsignal"):
        return State.DENIED
    answer = read_copies(header, "_ketch_consent_v1_", lambda value: _ketch(base64_record(value), code))
    return implied if answer is State.GRANTED and not code else answer


def _ketch(found: dict[str, object], code: str) -> State:
    purposes = [found.get(code)] if code else [kept for kept in found.values() if _is_advertising(kept)]
    return all_needed([_status(kept) for kept in purposes])


def _is_advertising(kept: object) -> bool:
    if not isinstance(kept, dict) or "canonicalPurposes" not in kept:
        return False
    return "behavioral_advertising" in list_in(kept, "canonicalPurposes")


def _status(kept: object) -> State:
    """The status of a purpose; older cookies hold it without a record around it."""
    return yes_or_no(kept.get("status") if isinstance(kept, dict) else kept, yes="granted", no="denied")
