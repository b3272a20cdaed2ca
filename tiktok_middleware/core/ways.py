"""Which way each tracked event takes, by the response that it meets; it writes nothing."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tiktok_middleware.core.choice import Choice, Way
from tiktok_middleware.core.envelope import LIMIT_CHARS
from tiktok_middleware.core.event import Event, Parcel
from tiktok_middleware.core.event_ids import is_timed
from tiktok_middleware.core.handout import Handout
from tiktok_middleware.core.policy import Place, Timing
from tiktok_middleware.core.tracker import Pending

__all__ = ["choose"]

_REFERENCE_BYTES = 16
_ANSWERS = frozenset({Place.ANSWER, Place.ABROAD})
_LIVE = Timing.LIVE

_encode = msgspec.json.Encoder().encode


def choose(handout: Handout, pendings: Sequence[Pending]) -> list[Choice]:
    """The way of each event; what closes a channel is counted by its reason.

    Args:
        handout: of the response.
        pendings: what was tracked until now.
    """
    if not pendings:
        return []
    chosen: list[Choice] = []
    refusal = _refusal(handout)
    for pending in pendings:
        chosen.append(_choice(handout, pending, refusal, chosen))
    return chosen


def _choice(handout: Handout, pending: Pending, refusal: str, before: Sequence[Choice]) -> Choice:
    tracker, count, event = handout.tracker, handout.setup.notices.count, pending.event
    if handout.seals and not pending.browser and (sealed := _sealed(handout, event, before)) is not None:
        return sealed
    if not tracker.may_send:
        count(tracker.consent.reason or "disabled_by_app")
        return Choice(event, Way.NOWHERE)
    is_live = handout.plan.timing is _LIVE
    if not is_live and not pending.server:
        count("server_prefetch")
    has_server = is_live and not pending.server
    reason = refusal or pending.browser or _waste(handout, event)
    direct = None if reason else _direct(handout, event, has_server, before)
    if direct is not None:
        return direct
    count(f"browser_{reason or 'too_large'}")
    return Choice(event, Way.SERVER, has_server=True) if has_server else Choice(event, Way.NOWHERE)


def _sealed(handout: Handout, event: Event, before: Sequence[Choice]) -> Choice | None:
    """The event in an envelope; None where it is not to be in one."""
    if handout.is_shared:
        # What many browsers repeat under ids of their own is not counted once, nor under an id of the app's.
        is_alike = not event.once and is_timed(event.event_id)
        return Choice(event, Way.SEALED) if is_alike and len(handout.entry(event)[3]) <= LIMIT_CHARS else None
    choice = Choice(event, Way.SEALED)
    if handout.fits([*before, choice]):
        return choice
    choice = choice._replace(parcel=_parcel(handout, handout.entry(event)[3]))
    return choice if handout.fits([*before, choice]) else None


def _direct(handout: Handout, event: Event, has_server: bool, before: Sequence[Choice]) -> Choice | None:
    """The event with its browser copy in this response, or waiting with us; None where neither fits."""
    choice = Choice(event, Way.DIRECT, has_server)
    if handout.fits([*before, choice]):
        return choice
    choice = choice._replace(parcel=_parcel(handout, handout.travelling(event)))
    return choice if handout.fits([*before, choice]) else None


def _parcel(handout: Handout, content: object) -> Parcel:
    return Parcel(handout.setup.random_bytes(_REFERENCE_BYTES).hex(), _encode(content))


def _refusal(handout: Handout) -> str:
    """Why no browser copy can go with this response; empty when one may."""
    plan = handout.plan
    if plan.place is Place.UNTOUCHABLE:
        return plan.reasons[0] if plan.reasons else "untouchable"
    if handout.is_shared:
        return "shared"
    if plan.place is Place.ELSEWHERE:
        return "other_origin"
    if plan.timing is not _LIVE and not handout.is_page:
        return "prefetch"  # it would be fired on some other page, although nobody may ever come to this one
    if handout.is_page and handout.tells_too_much:
        return "url_holds_identity"
    return handout.tracker.consent.reason or handout.setup.browser_reason


def _waste(handout: Handout, event: Event) -> str:
    """Why the one browser copy that a ``once`` event has would be lost here; empty when it would not."""
    if not event.once:
        return ""
    if handout.plan.timing is not _LIVE:
        return "prefetch"  # nobody may ever look at this page
    if handout.plan.place in _ANSWERS and not handout.facts.is_browser:
        return "no_browser"  # a payment provider's webhook, say
    return ""
