"""``request.tiktok``: takes events and identity, never blocks, and raises in strict mode only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Literal
from uuid import UUID

from tiktok_middleware.core.consent.consent import Consent
from tiktok_middleware.core.events.coerce import kind
from tiktok_middleware.core.events.event import PAGE_VIEW, Event, browser_properties, channels_closed
from tiktok_middleware.core.events.ids import once_event_id, timed_event_id
from tiktok_middleware.core.events.track_call import is_true, read_call, read_content
from tiktok_middleware.core.pixel.markup import MARKUP_MOMENTS, attributes
from tiktok_middleware.core.pixel.signed_event import (
    TOKEN_LIMIT_CHARS,
    SignedEvent,
    template_life_s,
    write_signed_event,
)
from tiktok_middleware.core.tracking.after_commit import AfterCommit
from tiktok_middleware.core.tracking.diagnostics import note_own_id
from tiktok_middleware.core.tracking.drafts import new_draft
from tiktok_middleware.core.tracking.request_state import ONCE_MAX_AGE_S, RequestState, TrackedEvent
from tiktok_middleware.core.visitor.click_ids import Visitor
from tiktok_middleware.core.visitor.in_app import in_app
from tiktok_middleware.core.visitor.snapshot import Snapshot, check_max_chars, write_snapshot
from tiktok_middleware.core.visitor.url_redaction import server_address
from tiktok_middleware.core.visitor.user_data import read_identity
from tiktok_middleware.core.visitor.visits import visit_of
from tiktok_middleware.errors import EventError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tiktok_middleware.core.events.event_names import StandardEvent
    from tiktok_middleware.core.events.parameters import OpenProperties
    from tiktok_middleware.core.events.track_call import Call
    from tiktok_middleware.core.runtime import Runtime

__all__ = ["Tracker"]

_RANDOM_BYTES = 10

#: How long a cache keeps markup unless the app says otherwise, and the longest time that counts, in seconds.
_CACHED_S = 2_592_000
_LONGEST_S = 31_536_000


class Tracker:
    """``request.tiktok``: takes events and identity, never blocks, and raises in strict mode only.

    Args:
        state: state that it writes to.

    Attributes:
        runtime: the configuration; internal.
        said: the state, None until the app or the response needs it; internal.
    """

    __slots__ = ("__weakref__", "runtime", "said")

    def __init__(self, state: RequestState) -> None:
        self.runtime: Runtime = state.runtime
        self.said: RequestState | None = state

    @property
    def state(self) -> RequestState:
        """The state, made on first use; internal."""
        said = self.said
        if said is None:
            said = self.said = self._new_state()
        return said

    def _new_state(self) -> RequestState:
        raise NotImplementedError

    def track(
        self,
        event: StandardEvent | str,
        properties: Mapping[str, object] | None = None,
        /,
        *,
        event_id: str | int | UUID | None = None,
        once: str | int | UUID | None = None,
        event_time: float | datetime | str | None = None,
        keep: bool = False,
        on_commit: bool = False,
        limited_data_use: bool | None = None,
        browser: bool = True,
        once_per: Literal["visit"] | None = None,
        connection: object = None,
        **more: Unpack[OpenProperties],
    ) -> Event:
        """Track an event, and return it with its id and its channels.

        Args:
            event: a standard name such as ``Purchase``, GA4's or Segment's name of one, or one of your own.
            properties: parameters as a mapping; keyword parameters outrank it.
            event_id: an id of your own, hashed unless it has the form of our ids; made if not given.
            once: a key such as an order number: the event is counted once, however often it is tracked.
                A ``Purchase`` with ``order_id`` implies it.
            event_time: when it happened: Unix seconds, a datetime or ISO 8601 text; now if not given.
            keep: send the event even if this request fails.
            on_commit: hold the event until the database transaction around this call commits, and drop it if that is
                rolled back; only with ``contrib.django``.
            limited_data_use: set TikTok's flag on both copies of this event; the visitor's opt-out also sets it.
            browser: False sends the server copy alone.
            once_per: ``visit`` counts the event once per visit, such as the start of a checkout that is reloaded. A
                visit ends half an hour after its last such event; until the visitor agrees, each page is a visit.
            connection: the app's database connection, whose open transaction then holds the event: both are committed,
                or both are rolled back. A psycopg connection, an SQLAlchemy session or connection, or Django's; only
                with an outbox in the same database.
            more: parameters by keyword.

        Raises:
            EventError: an argument cannot be sent, in strict mode. Otherwise it is logged once and counted: an invalid
                parameter is left out, and only an invalid event name drops the event.
        """
        try:
            call = read_call(
                event,
                properties,
                more,
                event_id=event_id,
                once=once,
                once_per=once_per,
                event_time=event_time,
                limited_data_use=limited_data_use,
                now_s=self.runtime.clock(),
                source=self.state.source,
                zone=self.runtime.zone,
                currency=self.runtime.currency,
            )
            keeps, waits = is_true(keep, unreadable=True), is_true(on_commit, unreadable=False)
            is_kept_off = browser is not None and not is_true(browser, unreadable=True)
            return self._track(call, keep=keeps, on_commit=waits, is_kept_off=is_kept_off, connection=connection)
        except EventError as error:
            self._invalid(error)
        except Exception as error:  # noqa: BLE001  # our failures never reach the view
            self.runtime.notices.failure("track", error)
        return _refused(event)

    def identify(self, **fields: object) -> None:
        """Set user data of the visitor. Values are hashed at once; the raw values are not kept.

        Args:
            fields: ``email``, ``phone``, ``external_id``, ``first_name``, ``last_name``, ``city``, ``state``,
                ``country``, ``zip_code``; SHA-256 hashes are kept unchanged; the first three may be lists.

        Raises:
            EventError: a value is invalid, in strict mode; otherwise it is left out and counted.
        """
        try:
            identity, problems = read_identity(fields, phone_region=self.runtime.config.phone_region or None)
            allowed = identity.limited_to(self.runtime.match_keys)
            self.state.identity = self.state.identity.merged(allowed)
            for problem in problems:
                self._invalid(problem)
        except EventError:
            raise
        except Exception as error:  # noqa: BLE001  # our failures never reach the view
            self.runtime.notices.failure("identify", error)

    def page(self, properties: Mapping[str, object] | None = None, /, **more: Unpack[OpenProperties]) -> Event:
        """Track a matched page view, which replaces the pixel's own; parameters are optional."""
        self.state.has_page_view = True
        return self.track(PAGE_VIEW, properties, **more)

    def markup(
        self,
        event: str,
        properties: Mapping[str, object] | None = None,
        /,
        *,
        on: str = "load",
        cached_s: int = _CACHED_S,
        **more: Unpack[OpenProperties],
    ) -> str:
        """Return attributes for your own markup, such as ``data-tiktok-on="load" data-tiktok-envelope="..."``.

        For pages from a cache inside the app, where no ``track()`` runs. Each browser makes its own id for the event
        and confirms it, under its visitor's consent. Empty if the event cannot be sent.

        Args:
            event: as for :meth:`track`.
            properties: as for :meth:`track`; the same for every visitor who gets the markup.
            on: ``load``, or ``click`` or ``submit`` on the element.
            cached_s: longest time that a cache keeps the markup, in seconds.
            more: parameters by keyword.

        Raises:
            EventError: an argument cannot be sent, in strict mode; otherwise it is logged once and counted.
        """
        try:
            return self._markup(event, properties, more, on, cached_s)
        except EventError as error:
            self._invalid(error)
        except Exception as error:  # noqa: BLE001  # our failures never reach the view
            self.runtime.notices.failure("markup", error)
        return ""

    def disable(self) -> None:
        """Keep this response unchanged: no snippet, no cookie, no event."""
        self.state.is_disabled = True

    def shared(self, is_shared: bool = True) -> None:  # the name makes the call readable
        """Set whether other visitors may get this response too, if its headers do not show it.

        Args:
            is_shared: True for a page that a cache keeps, False for a page for this visitor alone.
        """
        self.state.shared_word = is_shared

    @property
    def consent(self) -> Consent:
        """The visitor's consent, including changes that this request's code has made."""
        return self.state.consent

    @property
    def visitor(self) -> Visitor:
        """The visitor's ``ttclid`` and ``_ttp``."""
        return self.state.visitor

    def grant_consent(self) -> None:
        """Store that the visitor agreed. A refusal by Global Privacy Control still applies."""
        self.state.grant_consent()

    def revoke_consent(self) -> None:
        """Store that the visitor refused; this response deletes our cookies."""
        self.state.revoke_consent()

    def snapshot(self, max_chars: int | None = None) -> str:
        """Return this visitor as a signed text, to store with an order or in a payment's metadata.

        It holds ``ttclid``, ``_ttp``, IP address, user agent, the scrubbed page address, the visitor's consent and the
        hashes of :meth:`identify`; for a visitor who has not agreed, only the choice. ``Client.tracker()`` accepts it
        for 400 days.

        Args:
            max_chars: maximum length, such as 500; the fields that match best are kept first. Below about 80 the text
                is empty.

        Raises:
            EventError: ``max_chars`` is too small, in strict mode; otherwise it is logged once and counted.
        """
        try:
            if not self.runtime.has_secret_key:
                self.runtime.notices.once("snapshot key", _NO_KEY)
            limit, needs_origin = check_max_chars(max_chars), self.runtime.by_host is not None
            return write_snapshot(self._known(), self.runtime.signer, limit, needs_origin=needs_origin)
        except EventError as error:
            self._invalid(error)
        except Exception as error:  # noqa: BLE001  # our failures never reach the view
            self.runtime.notices.failure("snapshot", error)
        return ""

    def report(self, problems: Sequence[EventError]) -> None:
        """Log and count arguments that were left out.

        Raises:
            EventError: the first problem, in strict mode.
        """
        for problem in problems:
            self._invalid(problem)

    def refuse(self, error: EventError) -> None:
        """Send no event that is tracked from now on, because of this error.

        Raises:
            EventError: the error, in strict mode.
        """
        self.state.refusal = "invalid"
        self._invalid(error)

    def _track(self, call: Call, *, keep: bool, on_commit: bool, is_kept_off: bool, connection: object) -> Event:
        state, content, key, happened_s = self.state, call.content, call.key, call.event_time
        runtime = self.runtime
        notices, now_s = runtime.notices, runtime.clock()
        for problem in content.problems:
            self._invalid(problem)
        if on_commit and state.after_commit is None:
            allowed = "True behind tiktok_middleware.contrib.django alone"
            self._invalid(EventError("on_commit", "True without Django", allowed))
        for sentence in content.notes:
            notices.once(sentence, sentence)
        if call.once_per:
            key = self._visit_key()
        # TikTok would count another copy of such an event. The outbox stores the server copy only if no copy was sent.
        is_late_once = key != "" and now_s - happened_s > ONCE_MAX_AGE_S
        browser, server = state.closed_channels(is_late_once=is_late_once)
        if is_kept_off:
            browser = browser or "kept_from_browser"
        refused = state.closed_now()
        channels = channels_closed(refused or browser, refused or server)
        event_id = self._event_id(content.name, call.event_id, key, now_s)
        made = Event(
            content.name,
            event_id,
            happened_s,
            content.properties,
            channels,
            once=key != "",
            once_per=call.once_per if key else "",
            limited_data_use=content.limited_data_use,
        )
        _count_tracked(state)
        if browser and server:
            notices.count(channels.server.reason)
        elif refused and not state.may_be_granted_yet:
            notices.count(refused)
        else:
            if server and server != "bot":  # bots are counted by their patterns too, where they are found
                notices.count(f"server_{server}")
            self._accept(TrackedEvent(made, keep, browser, server), connection, on_commit=on_commit)
        return made

    def _accept(self, pending: TrackedEvent, connection: object, *, on_commit: bool) -> None:
        """Keep an event for the response: as a draft in the app's transaction, after its commit, or at once."""
        state = self.state
        if connection is None and not pending.keep:
            connection = self.runtime.transaction()
        if connection is not None:
            try:
                drafted = new_draft(pending, state, connection)
            except EventError as error:
                self._invalid(error)
            else:
                if drafted is None or drafted.draft:
                    if drafted is not None:
                        state.accept(drafted)
                    return
        if on_commit and state.after_commit is not None:
            state.after_commit(AfterCommit(pending, state.accept, self.runtime.notices))
        else:
            state.accept(pending)

    def _markup(self, event: str, properties: object, more: Mapping[str, object], moment: str, cached_s: int) -> str:
        runtime = self.runtime
        if moment not in MARKUP_MOMENTS:
            raise EventError("on", "another word", ", ".join(MARKUP_MOMENTS))
        if not runtime.is_on or runtime.browser_reason:
            return ""
        content = read_content(event, properties, more, currency=runtime.currency)
        for problem in content.problems:
            self._invalid(problem)
        signed_event = SignedEvent(
            content.name,
            content.properties,
            self.state.request.path,
            int(runtime.clock()) + template_life_s(self._cached_s(cached_s)),
            limited_data_use=runtime.limited_data_use or content.limited_data_use,
        )
        token = write_signed_event(signed_event, runtime.signer, runtime.pixels)
        if len(token) > TOKEN_LIMIT_CHARS:
            raise EventError("properties", "too large to be confirmed by a browser", "about 8 KB in all")
        return attributes(moment, (content.name, browser_properties(content), "", token))

    def _cached_s(self, given: object) -> int:
        if isinstance(given, (int, float)) and given == given:  # noqa: PLR0124  # not NaN
            return int(min(max(given, 0), _LONGEST_S))
        self._invalid(EventError("cached_s", kind(given), "a number of seconds"))
        return _CACHED_S

    def _known(self) -> Snapshot:
        request, runtime, consent = self.state.request, self.runtime, self.consent
        if not consent.is_granted:
            return Snapshot(consent)
        url = server_address(request.page_url, allow=runtime.url_allow, deny=runtime.url_deny) if request.url else ""
        visitor, agent = self.visitor, request.header("user-agent")
        return Snapshot(consent, visitor.ttclid, visitor.ttp, request.client, agent, url, self.state.identity)

    def _visit_key(self) -> str:
        """Return the key that counts an event once in this visit; empty, and reported, without a browser."""
        state = self.state
        if not state.has_browser:
            self._invalid(EventError("once_per", "'visit' without a request", "once=..., by a key of your own"))
            return ""
        state.visit = state.visit or visit_of(state.request, state.runtime.random_bytes)
        return f"visit\0{state.visit}"

    def _event_id(self, name: str, event_id: str, key: str, now_s: float) -> str:
        if event_id:
            if not key:
                note_own_id(event_id, [pending.event for pending in self.state.pending], self.runtime.notices)
            return event_id
        if key:
            return once_event_id(name, key)
        return timed_event_id(now_s, self.runtime.random_bytes(_RANDOM_BYTES))

    def _invalid(self, error: EventError) -> None:
        if self.runtime.config.strict:
            raise error
        self.runtime.notices.count("invalid")
        self.runtime.notices.once(str(error), f"{error}; left out (TIKTOK_STRICT=true raises here)")


_NO_KEY = (
    "snapshot() is signed with a key that changes with TIKTOK_ACCESS_TOKEN, or that others can work out: set"
    " TIKTOK_SECRET_KEY, so that snapshots last"
)


def _count_tracked(state: RequestState) -> None:
    """Count a tracked event, also by the visitor's consent and by the app whose browser it is."""
    notices, request = state.runtime.notices, state.request
    notices.count("tracked")
    if state.has_browser:
        notices.tracked_under(state.consent.reason or "granted")
    if app := in_app(request.header("user-agent"), request.header("x-requested-with")):
        notices.tracked_in(app)


def _refused(event: object) -> Event:
    # isinstance() would run the object's code.
    name = str.__str__(event)[:50] if issubclass(type(event), str) else ""  # pyright: ignore[reportArgumentType]
    return Event(name, "", 0, {}, channels_closed("invalid", "invalid"))
