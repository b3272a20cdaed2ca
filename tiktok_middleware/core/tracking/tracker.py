"""What a view sees as ``request.tiktok``: it takes events and identity in, and never blocks or raises in production."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import TYPE_CHECKING
from uuid import UUID

from tiktok_middleware.core.consent.consent import Consent
from tiktok_middleware.core.events.event import PAGE_VIEW, Event, channels_closed
from tiktok_middleware.core.events.event_names import STANDARD_EVENTS, event_name
from tiktok_middleware.core.events.ids import (
    check_event_id,
    check_event_time,
    check_once,
    once_event_id,
    timed_event_id,
)
from tiktok_middleware.core.events.validation import clean_properties
from tiktok_middleware.core.pixel.markup import MOMENTS, attributes
from tiktok_middleware.core.pixel.signed_event import (
    TOKEN_LIMIT_CHARS,
    SignedEvent,
    template_life_s,
    write_signed_event,
)
from tiktok_middleware.core.tracking.after_commit import AfterCommit
from tiktok_middleware.core.tracking.diagnostics import note_own_id
from tiktok_middleware.core.tracking.request_state import ONCE_MAX_AGE_S, RequestState, TrackedEvent
from tiktok_middleware.core.visitor.click_ids import Visitor
from tiktok_middleware.core.visitor.snapshot import Snapshot, check_max_chars, write_snapshot
from tiktok_middleware.core.visitor.url_redaction import server_address
from tiktok_middleware.core.visitor.user_data import read_identity
from tiktok_middleware.errors import EventError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tiktok_middleware.core.events.event_names import StandardEvent
    from tiktok_middleware.core.events.parameters import Properties

__all__ = ["Tracker"]

_RANDOM_BYTES = 10


class Tracker:
    """``request.tiktok``: takes events and identity, never blocks, and raises in strict mode only.

    Args:
        state: what it writes to.

    Attributes:
        state: for the package's own parts.
    """

    def __init__(self, state: RequestState) -> None:
        self.state = state

    def track(
        self,
        event: StandardEvent | str,
        properties: Mapping[str, object] | None = None,
        /,
        *,
        event_id: str | None = None,
        once: str | int | UUID | None = None,
        event_time: float | datetime | None = None,
        keep: bool = False,
        on_commit: bool = False,
        **more: Unpack[Properties],
    ) -> Event:
        """The event, with its id and where it goes.

        Args:
            event: a standard name such as ``Purchase``, or one of your own.
            properties: parameters as a mapping; those given by keyword outrank it.
            event_id: an id of your own; made where it is not given.
            once: a key such as an order number: the event is counted once, whoever tracks it again.
                A ``Purchase`` with ``order_id`` implies it.
            event_time: when it happened: Unix seconds or an aware datetime; now where it is not given.
            keep: send the event even if this request fails.
            on_commit: hold it until the database transaction around this call commits, and drop it where that is
                rolled back; under ``contrib.django`` alone.
            more: parameters by keyword.

        Raises:
            EventError: something cannot be sent, in strict mode; otherwise it is logged once and counted,
                a bad parameter is left out and a bad name or id drops the event.
        """
        try:
            given = _together(properties, more)
            return self._track(event, given, event_id, once, event_time, keep=keep, on_commit=on_commit)
        except EventError as error:
            self._invalid(error)
        except Exception as error:  # noqa: BLE001  # ours must never fail the view
            self.state.runtime.notices.failure("track", error)
        return _refused(event)

    def identify(self, **fields: object) -> None:
        """Say who the visitor is; hashed at once, the raw values are forgotten.

        Args:
            fields: ``email``, ``phone``, ``external_id``, ``first_name``, ``last_name``, ``city``, ``state``,
                ``country``, ``zip_code``; SHA-256 hashes pass as they are, the first three may be lists.

        Raises:
            EventError: a value cannot be right, in strict mode; otherwise it is left out and counted.
        """
        try:
            identity, problems = read_identity(fields, phone_region=self.state.runtime.config.phone_region or None)
            self.state.identity = self.state.identity.merged(identity)
            for problem in problems:
                self._invalid(problem)
        except EventError:
            raise
        except Exception as error:  # noqa: BLE001  # ours must never fail the view
            self.state.runtime.notices.failure("identify", error)

    def page(self, properties: Mapping[str, object] | None = None, /, **more: Unpack[Properties]) -> Event:
        """A matched page view instead of the pixel's own, with parameters if you like."""
        self.state.has_page_view = True
        return self.track(PAGE_VIEW, properties, **more)

    def markup(
        self,
        event: str,
        properties: Mapping[str, object] | None = None,
        /,
        *,
        on: str = "load",
        cached_s: int = 2_592_000,
        **more: Unpack[Properties],
    ) -> str:
        """Attributes for an element of your own markup, such as ``data-tiktok-on="load" data-tiktok-envelope="..."``.

        For views that a cache inside the app answers, where no ``track()`` runs: whoever gets the page makes an id
        for the event and confirms it, under their own consent. Empty where the event cannot be sent.

        Args:
            event: as for :meth:`track`.
            properties: as for :meth:`track`; the same for everybody who gets the markup.
            on: ``load``, or ``click`` or ``submit`` on the element.
            cached_s: the longest that a cache keeps the markup, in seconds.
            more: parameters by keyword.

        Raises:
            EventError: something cannot be sent, in strict mode; otherwise it is logged once and counted.
        """
        try:
            return self._markup(event, _together(properties, more), on, cached_s)
        except EventError as error:
            self._invalid(error)
        except Exception as error:  # noqa: BLE001  # ours must never fail the view
            self.state.runtime.notices.failure("markup", error)
        return ""

    def disable(self) -> None:
        """Leave this response alone: no snippet, no cookie, no event."""
        self.state.is_disabled = True

    def shared(self, is_shared: bool = True) -> None:  # reads as the sentence it is
        """Say whether other visitors may get this response too, where its headers do not tell.

        Args:
            is_shared: True for a page that a cache keeps, False for one that is made for this visitor.
        """
        self.state.shared_word = is_shared

    @property
    def consent(self) -> Consent:
        """The visitor's consent, with what this request's code has just said of it."""
        return self.state.consent

    @property
    def visitor(self) -> Visitor:
        """The visitor's ``ttclid`` and ``_ttp``."""
        return self.state.visitor

    def grant_consent(self) -> None:
        """Remember that the visitor agreed. A refusal by Global Privacy Control stands."""
        self.state.grant_consent()

    def revoke_consent(self) -> None:
        """Remember that the visitor refused; our cookies go with this response."""
        self.state.revoke_consent()

    def snapshot(self, max_chars: int | None = None) -> str:
        """Who this visitor is, as a signed text for an order's row or a payment's metadata.

        It holds ``ttclid``, ``_ttp``, IP address, user agent, the scrubbed page address, the visitor's consent and what
        :meth:`identify` hashed; of a visitor who has not agreed, the choice alone. ``Client.tracker()`` takes it for
        400 days.

        Args:
            max_chars: characters at most, such as 500; who is matched best by is kept best. At least about 80, or
                the text is empty.

        Raises:
            EventError: ``max_chars`` is too small, in strict mode; otherwise it is logged once and counted.
        """
        try:
            if not self.state.runtime.has_secret_key:
                self.state.runtime.notices.once("snapshot key", _NO_KEY)
            return write_snapshot(self._known(), self.state.runtime.signer, check_max_chars(max_chars))
        except EventError as error:
            self._invalid(error)
        except Exception as error:  # noqa: BLE001  # ours must never fail the view
            self.state.runtime.notices.failure("snapshot", error)
        return ""

    def refuse(self, error: EventError) -> None:
        """Send nothing that is tracked from now on, because of this.

        Raises:
            EventError: it, in strict mode.
        """
        self.state.refusal = "invalid"
        self._invalid(error)

    def _track(
        self,
        event: str,
        given: Mapping[str, object],
        event_id: str | None,
        once: str | int | UUID | None,
        event_time: float | datetime | None,
        *,
        keep: bool,
        on_commit: bool,
    ) -> Event:
        state = self.state
        runtime = state.runtime
        if on_commit and state.after_commit is None:
            raise EventError("on_commit", "True without Django", "True behind tiktok_middleware.contrib.django alone")
        notices = runtime.notices
        name, warning = event_name(event)
        if warning:
            notices.once(f"name {name}", warning)
        if state.source.is_standard_only and name not in STANDARD_EVENTS:
            raise EventError("event", "no standard event", f"a standard event: {state.source.name} takes no other")
        cleaned = clean_properties(name, given)
        for problem in cleaned.problems:
            self._invalid(problem)
        for sentence in cleaned.warnings:
            notices.once(sentence, sentence)
        if once is None and name == "Purchase":
            once = cleaned.properties.get("order_id")  # type: ignore[assignment]  # cleaning made it a str
        key = "" if once is None else check_once(once)
        now_s = runtime.clock()
        happened_s = int(now_s) if event_time is None else check_event_time(event_time, now_s)
        # What never had a browser's copy may be imported by the week; its own outbox counts it once.
        is_late_once = key != "" and now_s - happened_s > ONCE_MAX_AGE_S and state.source.is_web
        browser, server = state.closed_channels(is_late_once=is_late_once)
        refused = state.closed_now()
        channels = channels_closed(refused or browser, refused or server)
        event_id = self._event_id(name, event_id, key, now_s)
        made = Event(name, event_id, happened_s, cleaned.properties, channels, once=key != "")
        notices.count("tracked")
        if browser and server:
            notices.count(channels.server.reason)
        elif refused and not state.may_be_granted_yet:
            notices.count(refused)
        else:
            pending = TrackedEvent(made, keep, browser, server)
            if on_commit and state.after_commit is not None:
                state.after_commit(AfterCommit(pending, state.accept, notices))
            else:
                state.accept(pending)
        return made

    def _markup(self, event: str, given: Mapping[str, object], moment: str, cached_s: int) -> str:
        runtime = self.state.runtime
        if moment not in MOMENTS:
            raise EventError("on", "another word", ", ".join(MOMENTS))
        if not runtime.is_on or runtime.browser_reason:
            return ""
        name, _ = event_name(event)
        cleaned = clean_properties(name, given)
        for problem in cleaned.problems:
            self._invalid(problem)
        signed_event = SignedEvent(
            name,
            cleaned.properties,
            self.state.request.path,
            int(runtime.clock()) + template_life_s(cached_s),
            limited_data_use=runtime.limited_data_use,
        )
        token = write_signed_event(signed_event, runtime.signer, runtime.pixels)
        if len(token) > TOKEN_LIMIT_CHARS:
            raise EventError("properties", "too large to be confirmed by a browser", "about 8 KB in all")
        return attributes(moment, (name, cleaned.properties, "", token))

    def _known(self) -> Snapshot:
        request, runtime, consent = self.state.request, self.state.runtime, self.consent
        if not consent.is_granted:
            return Snapshot(consent)
        url = server_address(request.page_url, allow=runtime.url_allow, deny=runtime.url_deny) if request.url else ""
        visitor, agent = self.visitor, request.header("user-agent")
        return Snapshot(consent, visitor.ttclid, visitor.ttp, request.client, agent, url, self.state.identity)

    def _event_id(self, name: str, event_id: str | None, key: str, now_s: float) -> str:
        if event_id is not None:
            own_id = check_event_id(event_id)
            if not key:
                note_own_id(own_id, [pending.event for pending in self.state.pending], self.state.runtime.notices)
            return own_id
        if key:
            return once_event_id(name, key)
        return timed_event_id(now_s, self.state.runtime.random_bytes(_RANDOM_BYTES))

    def _invalid(self, error: EventError) -> None:
        if self.state.runtime.config.strict:
            raise error
        self.state.runtime.notices.count("invalid")
        self.state.runtime.notices.once(str(error), f"{error}; left out (TIKTOK_STRICT=true raises here)")


_NO_KEY = (
    "snapshot() is signed with a key that changes with TIKTOK_ACCESS_TOKEN, or that others can work out: set"
    " TIKTOK_SECRET_KEY, so that snapshots last"
)


def _together(properties: object, more: Mapping[str, object]) -> Mapping[str, object]:
    if properties is None:
        return more
    if not isinstance(properties, Mapping):
        raise EventError("properties", f"of type {type(properties).__name__}", "a mapping such as a dict")
    if not more:
        return properties
    try:
        return {**properties, **more}
    except Exception:  # noqa: BLE001  # a stranger's mapping may do anything
        raise EventError("properties", "a mapping that raised when it was read", "a dict") from None


def _refused(event: object) -> Event:
    name = event[:50] if isinstance(event, str) else ""
    return Event(name, "", 0, {}, channels_closed("invalid", "invalid"))
