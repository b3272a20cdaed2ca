"""Choose the route of each tracked event, by the response and the visitor."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from tiktok_middleware.core.events.event import DeferredPayload, Draft, Event
from tiktok_middleware.core.events.ids import is_timed
from tiktok_middleware.core.pixel.signed_event import TOKEN_LIMIT_CHARS
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.policy import Place, Timing
from tiktok_middleware.core.response.routed_event import Route, RoutedEvent
from tiktok_middleware.core.tracking.request_state import TrackedEvent

__all__ = ["choose"]

_REFERENCE_BYTES = 16
_ANSWERS = frozenset({Place.ANSWER, Place.ABROAD})
_LIVE = Timing.LIVE

_encode = msgspec.json.Encoder().encode


def choose(output: BrowserOutput, pendings: Sequence[TrackedEvent]) -> list[RoutedEvent]:
    """Return the route of each event. Count each copy that does not go by its reason code.

    Args:
        output: browser output of the response.
        pendings: events tracked so far.
    """
    if not pendings:
        return []
    chosen: list[RoutedEvent] = []
    refusal = _refusal(output)
    for pending in pendings:
        choice = _choice(output, pending, refusal, chosen)
        chosen.append(_drafted(output, choice, pending.draft) if pending.draft else choice)
    return chosen


def _drafted(output: BrowserOutput, choice: RoutedEvent, ref: str) -> RoutedEvent:
    """Return an event with its draft. The draft holds the browser copy, in case its transaction commits later."""
    payload = choice.deferred
    if payload is None and choice.way is Route.SEALED:
        payload = _deferred(output, output.entries.entry(choice.event)[3], ref)
    elif payload is None and choice.way is Route.DIRECT:
        payload = _deferred(output, output.event_headers.travelling(choice.event), ref)
    if payload is None:
        return choice._replace(draft=Draft(ref))
    return choice._replace(draft=Draft(ref, payload.body, is_deferred=choice.deferred is not None))


def _choice(output: BrowserOutput, pending: TrackedEvent, refusal: str, before: Sequence[RoutedEvent]) -> RoutedEvent:
    state, count, event = output.state, output.runtime.notices.count, pending.event
    if output.seals and _may_seal(output, pending) and (sealed := _sealed(output, pending, before)) is not None:
        if output.plan.place in _ANSWERS:
            count(state.consent.reason)  # the page sends it only if the visitor agrees before leaving
        return sealed
    if not state.may_send:
        count(state.consent.reason or "disabled_by_app")
        return RoutedEvent(event, Route.NOWHERE)
    is_live = output.plan.timing is _LIVE
    if not is_live and not pending.server:
        count("server_prefetch")
    has_server = is_live and not pending.server
    reason = refusal or pending.browser or _waste(output, event)
    direct = None if reason else _direct(output, pending, has_server, before)
    if direct is not None:
        if output.plan.place in _ANSWERS and output.request.is_of_worker:
            count("browser_answer_unheard")  # unless the worker passes it on to a page
        return direct
    count(f"browser_{reason or output.no_room_reason}")
    return RoutedEvent(event, Route.SERVER, has_server=True) if has_server else RoutedEvent(event, Route.NOWHERE)


def _may_seal(output: BrowserOutput, pending: TrackedEvent) -> bool:
    """Return whether an event may wait in a signed event, whose browser copy is not closed for this event alone."""
    if output.plan.timing is Timing.ABSENT and pending.browser == output.runtime.browser_reason:
        return True  # also where no page of the site gets a script: the next request opens it for the server alone
    return not pending.browser


def _sealed(output: BrowserOutput, pending: TrackedEvent, before: Sequence[RoutedEvent]) -> RoutedEvent | None:
    """Return the event with the sealed route; None if it cannot be sealed."""
    event = pending.event
    if output.is_shared:
        # Each browser makes an id of its own for a shared page: neither `once` nor the app's own id can apply. Nor can
        # a transaction, which happened once.
        is_alike = not event.once and not pending.draft and is_timed(event.event_id)
        fits = is_alike and len(output.entries.entry(event)[3]) <= TOKEN_LIMIT_CHARS
        return RoutedEvent(event, Route.SEALED) if fits else None
    choice = RoutedEvent(event, Route.SEALED)
    if output.fits([*before, choice]):
        return choice
    choice = choice._replace(deferred=_deferred(output, output.entries.entry(event)[3], pending.draft))
    return choice if output.fits([*before, choice]) else None


def _direct(
    output: BrowserOutput, pending: TrackedEvent, has_server: bool, before: Sequence[RoutedEvent]
) -> RoutedEvent | None:
    """Return the event with its browser copy in this response or deferred; None if neither fits."""
    event = pending.event
    choice = RoutedEvent(event, Route.DIRECT, has_server)
    if output.fits([*before, choice]):
        return choice
    choice = choice._replace(deferred=_deferred(output, output.event_headers.travelling(event), pending.draft))
    return choice if output.fits([*before, choice]) else None


def _deferred(output: BrowserOutput, content: object, ref: str) -> DeferredPayload:
    return DeferredPayload(ref or output.runtime.random_bytes(_REFERENCE_BYTES).hex(), _encode(content))


def _refusal(output: BrowserOutput) -> str:
    """Return why no browser copy can go with this response; empty when one may."""
    plan = output.plan
    if plan.place is Place.UNTOUCHABLE:
        return plan.reasons[0]
    if output.is_shared:
        return "shared"
    if plan.place is Place.ELSEWHERE:
        return "other_origin"
    if plan.timing is not _LIVE and not output.is_page:
        return "prefetch"  # it would fire on another page, although this one may never be seen
    if output.is_page and output.tells_too_much:
        return "url_holds_identity"
    return output.state.consent.reason or output.runtime.browser_reason


def _waste(output: BrowserOutput, event: Event) -> str:
    """Return why the only browser copy of a ``once`` event would be lost here; empty when it would not."""
    if not event.once:
        return ""
    if output.plan.timing is not _LIVE:
        return "prefetch"  # this page may never be seen
    if output.plan.place in _ANSWERS and not output.request.is_browser:
        return "no_browser"  # such as a webhook of a payment provider
    return ""
