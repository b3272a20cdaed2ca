"""State of one request: tracked events, identity, consent and visitor."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from typing import Any, NamedTuple

from tiktok_middleware.core.consent.consent import Consent, State, read_consent
from tiktok_middleware.core.consent.missing_platform import Silence
from tiktok_middleware.core.consent.precedence import Word
from tiktok_middleware.core.events.event import Event
from tiktok_middleware.core.events.sources import WEB, Source
from tiktok_middleware.core.http.etags import bare_tags
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.pixel.redirect_cookie import RedirectToken
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.visitor.click_ids import Visitor, read_visitor
from tiktok_middleware.core.visitor.user_data import Identity

__all__ = ["ONCE_MAX_AGE_S", "RequestState", "TrackedEvent"]

#: TikTok drops second copies for 48 h; an hour before that, a ``once`` event gets no browser copy any more.
ONCE_MAX_AGE_S = 47 * 3600

_READS = frozenset({"GET", "HEAD"})


class TrackedEvent(NamedTuple):
    """A tracked event that has not left yet.

    Attributes:
        event: the event that ``track()`` returned.
        keep: True if it is sent even when the request fails.
        browser, server: why the channel is closed to it, whatever the consent; empty when it is open.
        draft: reference of its draft in the app's transaction; empty without one.
    """

    event: Event
    keep: bool
    browser: str = ""
    server: str = ""
    draft: str = ""


_NOBODY = Identity()  # the identity of most visitors


class RequestState:
    """State of one request. The public :class:`Tracker` writes it, the exchange reads it.

    Attributes:
        pending: events that have not left yet; the exchange takes them.
        identity: hashed user data from ``identify()``.
        is_disabled: True after ``disable()``.
        shared_word: argument of ``shared()``; None if it was not called.
        consent_word: ``g`` or ``d`` after ``grant_consent()`` or ``revoke_consent()``, else empty.
        has_page_view: True after ``page()``.
        has_browser: whether there is a browser that a response can give a copy to.
        source: the event source of its events.
        lead_id: TikTok's id of the lead that the events belong to, for ``crm``.
        lead_event_source: the CRM system's name, for ``crm``.
        refusal: why no event is sent, as a snake_case word, if an argument of the tracker was invalid.
        after_commit: calls its argument once the app's transaction has committed; None without such a framework.
        nonce: nonce of a Content Security Policy that the framework writes later; empty without one.
        visit: id of the visit if an event is counted once per visit; else empty.
        word: the choice that the visitor made on this site in this request; None without one.
        is_doubted: whether only the page can check that the grant in the cookies is still valid.
        asked_for_marked: whether the request named a page with our script in ``If-None-Match``.
        late: takes events that are tracked after the response has ended; None until then.
        returned: sealed events of an earlier response, from a browser without cookies; None without them.
        request: the request.
        runtime: the configuration.
    """

    # Defaults are class attributes: most requests change none of them.
    pending: list[TrackedEvent] | tuple[()] = ()
    identity: Identity = _NOBODY
    is_disabled: bool = False
    shared_word: bool | None = None
    consent_word: str = ""
    has_page_view: bool = False
    has_browser: bool = True
    source: Source = WEB
    lead_id: str = ""
    lead_event_source: str = ""
    refusal: str = ""
    after_commit: Callable[[Callable[[], None]], None] | None = None
    nonce: str = ""
    visit: str = ""
    word: Word | None = None
    is_doubted: bool = False
    asked_for_marked: bool = False
    late: Callable[[RequestState, TrackedEvent], None] | None = None
    returned: RedirectToken | None = None
    _consent: Consent | None = None
    _visitor: Visitor | None = None

    def __init__(self, request: RequestView, runtime: Runtime) -> None:
        self.request = request
        self.runtime = runtime

    @property
    def is_untouched(self) -> bool:
        """Whether nothing is known that the response depends on: no call of the app, and no earlier event."""
        return not (
            self.pending
            or self.consent_word
            or self.identity is not _NOBODY
            or self.is_disabled
            or self.has_page_view
            or self.nonce
            or self.returned
        )

    @property
    def consent(self) -> Consent:
        """The visitor's consent, including changes that this request's code has made."""
        if self._consent is None:
            config = self.runtime.config
            self._consent = read_consent(
                self.request,
                self.runtime.reader,
                gpc=config.gpc,
                limited_data_use=config.limited_data_use,
                word=self.word,
            )
            silence = self.runtime.silence
            if silence is not None:
                self._notice_silence(silence, self._consent.reason)
        return self._consent

    def _notice_silence(self, silence: Silence, reason: str) -> None:
        """Count a page of an undecided visitor; another visitor's cookie may show that the setting is right."""
        request, runtime = self.request, self.runtime
        if reason in {"", "denied"}:
            silence.saw_answer(request.cookie_header)
        elif reason != "consent_unknown" or "text/html" not in request.header("accept") or self.is_bot:
            return
        elif silence.saw_page(request.cookie_header, (request.client, request.header("user-agent"))):
            runtime.notices.once("consent silence", silence.message)
        if silence.is_over:
            runtime.silence = None

    @property
    def visitor(self) -> Visitor:
        """The visitor's ``ttclid`` and ``_ttp``."""
        if self._visitor is None:
            self._visitor = read_visitor(self.request)
            if self._visitor.ignored:
                self.runtime.notices.count("ignored_value")
        return self._visitor

    @property
    def may_send(self) -> bool:
        """Whether the visitor's current consent allows events."""
        return self.consent.is_granted and not self.is_disabled

    @property
    def is_bot(self) -> bool:
        """Whether no person has made this request."""
        return self.bot_pattern != ""

    @property
    def bot_pattern(self) -> str:
        """The pattern by which the user agent is a bot's; empty if a person has made this request.

        A webhook is not a bot: it comes from no browser and is no GET or HEAD. Nor is a job, which has no user agent.
        """
        request = self.request
        agent = request.header("user-agent")
        if not agent or not self.has_browser or not (request.method in _READS or request.is_browser):
            return ""
        return self.runtime.bot_pattern(request)

    def remember(self, consent: Consent, visitor: Visitor) -> None:
        """Set a consent and a visitor that were read elsewhere."""
        self._consent, self._visitor = consent, visitor

    def accept(self, pending: TrackedEvent) -> None:
        """Keep an event for the response; after the response, pass it to ``late``."""
        if self.late is not None:
            self.late(self, pending)
        elif self.pending:
            self.pending.append(pending)
        else:
            self.pending = [pending]

    def take(self) -> Sequence[TrackedEvent]:
        """Return the events that have not left yet, and clear them."""
        taken, self.pending = self.pending, ()
        return taken

    def discard(self) -> int:
        """Drop the events of a failed request, except those to keep; return how many were dropped.

        A draft stays: the app's transaction decides, whatever its response is.
        """
        kept = [pending for pending in self.pending if pending.keep or pending.draft]
        dropped = len(self.pending) - len(kept)
        self.pending = kept
        return dropped

    def ask_as_bare(self, raw: MutableMapping[str, Any]) -> None:
        """Remove our mark from ``If-None-Match`` if the app's page would get the same script again.

        Args:
            raw: the scope or environ that the app gets.
        """
        runtime, request = self.runtime, self.request
        mark = runtime.snippet.mark
        if not runtime.is_on or mark not in request.if_none_match:
            return
        # Unless consent is implied, only shared pages have our mark, and those do not depend on the grant.
        if not runtime.browser_reason and (not runtime.is_implied or self.consent.is_granted):
            request.ask_with(raw, bare_tags(request.if_none_match, mark))
            self.asked_for_marked = True

    def doubt_consent(self, reason: str) -> None:
        """Turn a grant into unknown, because a refusal may exist that this request does not show.

        A choice that this request's code has stated is kept.

        Args:
            reason: a reason code.
        """
        if self.consent.is_granted and not self.consent_word:
            self.is_doubted = True
            self._consent = self.consent._replace(state=State.UNKNOWN, reason=reason)

    def state_word(self, letter: str) -> None:
        """Set the choice that the visitor makes on this site now, ``g`` or ``d``."""
        runtime = self.runtime
        platform = runtime.reader(self.request) if runtime.reader.is_platform else None
        self.word = Word(letter, int(runtime.clock() * 1000), platform)

    def mint_ttp(self) -> None:
        """Make a ``_ttp`` for a visitor without one, if the configuration mints."""
        if self.runtime.mints and not self.visitor.ttp:
            self._visitor = self.visitor.minted(self.runtime.random_bytes(14).hex()[:27])

    def grant_consent(self) -> None:
        """Store that the visitor agreed. A refusal by Global Privacy Control still applies."""
        if self.consent.reason != "gpc":
            self.state_word("g")
            self.consent_word = "g"
            self._consent = self.consent._replace(state=State.GRANTED, reason="")

    def revoke_consent(self) -> None:
        """Store that the visitor refused."""
        self.state_word("d")
        self.consent_word = "d"
        reason = "gpc" if self.consent.reason == "gpc" else "denied"
        self._consent = self.consent._replace(state=State.DENIED, reason=reason)

    @property
    def may_be_granted_yet(self) -> bool:
        """Whether this request's code or its page can still obtain the visitor's consent."""
        return self.has_browser and self.late is None

    def closed_channels(self, *, is_late_once: bool) -> tuple[str, str]:
        """Return why the browser and server channels are closed, whatever the consent. The response may close more."""
        reason, config = self._closed(), self.runtime.config
        if self.source is not WEB:
            return reason or "no_browser", reason or config.source_reason(self.source.name)
        browser = "no_browser" if not self.has_browser else "late" if self.late is not None else config.browser_reason
        if not browser and is_late_once:
            browser = "too_old"
        server = reason or config.server_reason
        if not server and (pattern := self.bot_pattern):
            self.runtime.notices.count("server_bot")
            self.runtime.notices.left_out_bot(pattern)
            server = "bot"
        return reason or browser, server

    def closed_now(self) -> str:
        """Return why no event may leave now; empty when one may."""
        return self._closed() or self.consent.reason

    def _closed(self) -> str:
        """Return why no event may leave, whatever the consent; empty when one may."""
        config = self.runtime.config
        if not config.is_on:
            return config.off_reason
        if self.refusal:
            return self.refusal
        if self.is_disabled:
            return "disabled_by_app"
        return "excluded" if self.runtime.is_excluded(self.request.path) else ""
