"""What a view sees as ``request.tiktok``: it takes events and identity in, and never blocks or raises in production."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from tiktok_middleware.core.consent.consent import Consent, State, read_consent
from tiktok_middleware.core.events.event import PAGE_VIEW, Event, channels_closed
from tiktok_middleware.core.events.event_names import STANDARD_EVENTS, event_name
from tiktok_middleware.core.events.ids import (
    check_event_id,
    check_event_time,
    check_once,
    once_event_id,
    timed_event_id,
)
from tiktok_middleware.core.events.sources import WEB, Source
from tiktok_middleware.core.events.validation import clean_properties
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.pixel.markup import MOMENTS, attributes
from tiktok_middleware.core.pixel.signed_event import (
    TOKEN_LIMIT_CHARS,
    SignedEvent,
    template_life_s,
    write_signed_event,
)
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.after_commit import AfterCommit
from tiktok_middleware.core.tracking.diagnostics import note_own_id
from tiktok_middleware.core.visitor.click_ids import Visitor, read_visitor
from tiktok_middleware.core.visitor.snapshot import Snapshot, check_max_chars, write_snapshot
from tiktok_middleware.core.visitor.url_redaction import server_address
from tiktok_middleware.core.visitor.user_data import Identity, read_identity
from tiktok_middleware.errors import EventError

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from tiktok_middleware.core.events.event_names import StandardEvent
    from tiktok_middleware.core.events.parameters import Properties

__all__ = ["TrackedEvent", "Tracker"]

#: TikTok drops second copies for 48 h; an hour before that a once event is no longer sent again.
ONCE_MAX_AGE_S = 47 * 3600

_RANDOM_BYTES = 10
_READS = frozenset({"GET", "HEAD"})


class TrackedEvent(NamedTuple):
    """A tracked event that has not left yet.

    Attributes:
        event: as ``track()`` returned it.
        keep: True when it goes even if the request fails.
        browser, server: why it cannot go by that channel whatever the visitor says; empty where it can.
    """

    event: Event
    keep: bool
    browser: str = ""
    server: str = ""


_NOBODY = Identity()  # of most visitors


class Tracker:
    """Events and identity of one request.

    Attributes:
        pending: events that have not left yet; the exchange takes them.
        identity: hashes of who the visitor said to be.
        is_disabled: True after :meth:`disable`.
        shared_word: the app's word on the audience, None where it said nothing.
        consent_word: ``g`` or ``d`` after :meth:`grant_consent` or :meth:`revoke_consent`, else empty.
        has_page_view: True after :meth:`page`.
        has_browser: whether a response can still hand a copy to a browser.
        source: where its events come from.
        lead_id: TikTok's id of the lead that they belong to, for ``crm``.
        refusal: why nothing goes, in a snake_case word, where something was wrong from the start.
        after_commit: calls what it is given once the app's transaction has committed; None where no framework of
            the app has one.
        nonce: of a Content Security Policy that is still to be written, where the framework tells it.
        late: takes events that are tracked after the response has ended.
        request: the request.
        runtime: the configuration it works by.
    """

    # Defaults live on the class: most requests never touch their tracker, and making one then costs next to nothing.
    pending: list[TrackedEvent] | tuple[()] = ()
    identity: Identity = _NOBODY
    is_disabled: bool = False
    shared_word: bool | None = None
    consent_word: str = ""
    has_page_view: bool = False
    has_browser: bool = True
    source: Source = WEB
    lead_id: str = ""
    refusal: str = ""
    after_commit: Callable[[Callable[[], None]], None] | None = None
    nonce: str = ""
    late: Callable[[Tracker, TrackedEvent], None] | None = None
    _consent: Consent | None = None
    _visitor: Visitor | None = None

    def __init__(self, request: RequestView, runtime: Runtime) -> None:
        self.request = request
        self.runtime = runtime

    @property
    def is_untouched(self) -> bool:
        """Whether the app has said nothing that its response would depend on."""
        return not (
            self.pending
            or self.consent_word
            or self.identity is not _NOBODY
            or self.is_disabled
            or self.has_page_view
            or self.nonce
        )

    def take(self) -> Sequence[TrackedEvent]:
        """The events that have not left yet; they are the caller's from now on."""
        taken, self.pending = self.pending, ()
        return taken

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
            self.runtime.notices.failure("track", error)
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
            identity, problems = read_identity(fields, phone_region=self.runtime.config.phone_region or None)
            self.identity = self.identity.merged(identity)
            for problem in problems:
                self._invalid(problem)
        except EventError:
            raise
        except Exception as error:  # noqa: BLE001  # ours must never fail the view
            self.runtime.notices.failure("identify", error)

    def page(self, properties: Mapping[str, object] | None = None, /, **more: Unpack[Properties]) -> Event:
        """A matched page view instead of the pixel's own, with parameters if you like."""
        self.has_page_view = True
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
            self.runtime.notices.failure("markup", error)
        return ""

    def disable(self) -> None:
        """Leave this response alone: no snippet, no cookie, no event."""
        self.is_disabled = True

    def shared(self, is_shared: bool = True) -> None:  # reads as the sentence it is
        """Say whether other visitors may get this response too, where its headers do not tell.

        Args:
            is_shared: True for a page that a cache keeps, False for one that is made for this visitor.
        """
        self.shared_word = is_shared

    @property
    def consent(self) -> Consent:
        """The visitor's consent, with what this request's code has just said of it."""
        if self._consent is None:
            config = self.runtime.config
            self._consent = read_consent(
                self.request, self.runtime.reader, gpc=config.gpc, limited_data_use=config.limited_data_use
            )
        return self._consent

    @property
    def visitor(self) -> Visitor:
        """The visitor's ``ttclid`` and ``_ttp``."""
        if self._visitor is None:
            self._visitor = read_visitor(self.request)
            if self._visitor.ignored:
                self.runtime.notices.count("ignored_value")
        return self._visitor

    def doubt_consent(self) -> None:
        """The visitor's cookies are not here: what they hold of a refusal is not known, unless code has said it."""
        consent = self.consent
        if consent.is_granted and not self.consent_word:
            self._consent = consent._replace(state=State.UNKNOWN, reason="cookies_absent")

    def mint_ttp(self) -> None:
        """Give a visitor without a ``_ttp`` one, where the configuration wants that; a cookie has to take it along."""
        if self.runtime.mints and not self.visitor.ttp:
            self._visitor = self.visitor.minted(self.runtime.random_bytes(14).hex()[:27])

    def grant_consent(self) -> None:
        """Remember that the visitor agreed. A refusal by Global Privacy Control stands."""
        if self.consent.reason != "gpc":
            self.consent_word = "g"
            self._consent = self.consent._replace(state=State.GRANTED, reason="")

    def revoke_consent(self) -> None:
        """Remember that the visitor refused; our cookies go with this response."""
        self.consent_word = "d"
        reason = "gpc" if self.consent.reason == "gpc" else "denied"
        self._consent = self.consent._replace(state=State.DENIED, reason=reason)

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
            if not self.runtime.has_secret_key:
                self.runtime.notices.once("snapshot key", _NO_KEY)
            return write_snapshot(self._known(), self.runtime.signer, check_max_chars(max_chars))
        except EventError as error:
            self._invalid(error)
        except Exception as error:  # noqa: BLE001  # ours must never fail the view
            self.runtime.notices.failure("snapshot", error)
        return ""

    def refuse(self, error: EventError) -> None:
        """Send nothing that is tracked from now on, because of this.

        Raises:
            EventError: it, in strict mode.
        """
        self.refusal = "invalid"
        self._invalid(error)

    @property
    def may_send(self) -> bool:
        """Whether the visitor's consent, as it is now, lets an event go."""
        return self.consent.is_granted and not self.is_disabled

    @property
    def is_bot(self) -> bool:
        """Whether no person has made this request.

        A call that is none of a browser's and reads nothing, such as a webhook's, is somebody's doing; and where no
        user agent is given, as with a job, nothing speaks against a person.
        """
        request = self.request
        agent = request.header("user-agent")
        if not agent or not self.has_browser:
            return False
        return (request.method in _READS or request.is_browser) and self.runtime.is_bot(agent)

    def discard(self) -> int:
        """Drop the events of a failed request, but for those that are to be kept; how many went."""
        kept = [pending for pending in self.pending if pending.keep]
        dropped = len(self.pending) - len(kept)
        self.pending = kept
        return dropped

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
        runtime = self.runtime
        if on_commit and self.after_commit is None:
            raise EventError("on_commit", "True without Django", "True behind tiktok_middleware.contrib.django alone")
        notices = runtime.notices
        name, warning = event_name(event)
        if warning:
            notices.once(f"name {name}", warning)
        if self.source.is_standard_only and name not in STANDARD_EVENTS:
            raise EventError("event", "no standard event", f"a standard event: {self.source.name} takes no other")
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
        is_late_once = key != "" and now_s - happened_s > ONCE_MAX_AGE_S and self.source.is_web
        browser, server = self._closed_channels(is_late_once=is_late_once)
        refused = self._refusal()
        channels = channels_closed(refused or browser, refused or server)
        event_id = self._event_id(name, event_id, key, now_s)
        made = Event(name, event_id, happened_s, cleaned.properties, channels, once=key != "")
        notices.count("tracked")
        if browser and server:
            notices.count(channels.server.reason)
        elif refused and not self._may_be_granted_yet:
            notices.count(refused)
        else:
            pending = TrackedEvent(made, keep, browser, server)
            if on_commit and self.after_commit is not None:
                self.after_commit(AfterCommit(pending, self._take, notices))
            else:
                self._take(pending)
        return made

    def _markup(self, event: str, given: Mapping[str, object], moment: str, cached_s: int) -> str:
        runtime = self.runtime
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
            self.request.path,
            int(runtime.clock()) + template_life_s(cached_s),
            limited_data_use=runtime.limited_data_use,
        )
        token = write_signed_event(signed_event, runtime.signer, runtime.pixels)
        if len(token) > TOKEN_LIMIT_CHARS:
            raise EventError("properties", "too large to be confirmed by a browser", "about 8 KB in all")
        return attributes(moment, (name, cleaned.properties, "", token))

    def _known(self) -> Snapshot:
        request, runtime, consent = self.request, self.runtime, self.consent
        if not consent.is_granted:
            return Snapshot(consent)
        url = server_address(request.page_url, allow=runtime.url_allow, deny=runtime.url_deny) if request.url else ""
        visitor, agent = self.visitor, request.header("user-agent")
        return Snapshot(consent, visitor.ttclid, visitor.ttp, request.client, agent, url, self.identity)

    def _take(self, pending: TrackedEvent) -> None:
        if self.late is not None:
            self.late(self, pending)
        elif self.pending:
            self.pending.append(pending)
        else:
            self.pending = [pending]

    def _event_id(self, name: str, event_id: str | None, key: str, now_s: float) -> str:
        if event_id is not None:
            own_id = check_event_id(event_id)
            if not key:
                note_own_id(own_id, [pending.event for pending in self.pending], self.runtime.notices)
            return own_id
        if key:
            return once_event_id(name, key)
        return timed_event_id(now_s, self.runtime.random_bytes(_RANDOM_BYTES))

    @property
    def _may_be_granted_yet(self) -> bool:
        """Whether a response is still to come, with code that may say more of the visitor's consent, or a page."""
        return self.has_browser and self.late is None

    def _closed_channels(self, *, is_late_once: bool) -> tuple[str, str]:
        """Why nothing goes by either channel, whatever the visitor says; the response may close more."""
        reason = self._closed() or ("too_old" if is_late_once else "")
        config = self.runtime.config
        if self.source is not WEB:
            return reason or "no_browser", reason or config.source_reason(self.source.name)
        browser = "no_browser" if not self.has_browser else "late" if self.late is not None else config.browser_reason
        server = reason or config.server_reason
        if not server and self.is_bot:
            self.runtime.notices.count("server_bot")
            server = "bot"
        return reason or browser, server

    def _refusal(self) -> str:
        """Why nothing may go as things are now; empty when something may."""
        return self._closed() or self.consent.reason

    def _closed(self) -> str:
        """Why nothing at all may go, whatever the visitor says."""
        config = self.runtime.config
        if not config.is_on:
            return "disabled" if config.pixel_id else "no_pixel"
        if self.is_disabled:
            return "disabled_by_app"
        if self.runtime.is_excluded(self.request.path):
            return "excluded"
        return self.refusal

    def _invalid(self, error: EventError) -> None:
        if self.runtime.config.strict:
            raise error
        self.runtime.notices.count("invalid")
        self.runtime.notices.once(str(error), f"{error}; left out (TIKTOK_STRICT=true raises here)")


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
