"""Configuration, signer and delivery put together, once per process; it knows no door and no framework."""

from __future__ import annotations

import contextlib
import os
import sys
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, MutableMapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, TypeVar

from tiktok_middleware._development import development_server
from tiktok_middleware._helper_watch import HelperWatch
from tiktok_middleware._log import NoticeLog
from tiktok_middleware._other_servers import OtherServers
from tiktok_middleware._rate_limit import RateLimit
from tiktok_middleware._start_line import announce
from tiktok_middleware._wiring import (
    bot_rule,
    browser_file,
    delivery_options,
    domain_rule,
    helper_file,
    helper_mark,
    signing_keys,
)
from tiktok_middleware.config import DEBUG_DEFAULTS, Config
from tiktok_middleware.core.consent.consent import make_reader
from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.endpoint.report import Report, hear, refuse
from tiktok_middleware.core.endpoint.routes import answer
from tiktok_middleware.core.events.event import Claim, Event, OutboxEntry
from tiktok_middleware.core.events.event_names import read_name
from tiktok_middleware.core.events.ids import once_event_id, read_once
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.http.request import EnvironRequest, RequestView, ScopeRequest, headers_by_name
from tiktok_middleware.core.response.actions import Commit, Forward, Phase, Step
from tiktok_middleware.core.response.exchange import Exchange
from tiktok_middleware.core.runtime import Runtime, make_runtime
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.core.tracking.request_state import RequestState, TrackedEvent
from tiktok_middleware.core.tracking.request_tracker import RequestTracker
from tiktok_middleware.core.tracking.server_event import late_entries, late_entry
from tiktok_middleware.core.tracking.server_tracker import Context, server_tracker
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.delivery.delivery import FLUSH_S, open_delivery
from tiktok_middleware.delivery.interface import DeliveryInterface
from tiktok_middleware.delivery.process.event_loop import in_thread, is_in_event_loop, wait_for
from tiktok_middleware.server_job import ServerJob

__all__ = ["COMMIT_WAIT_S", "Client", "clients", "deliver_to"]

_T = TypeVar("_T")

#: How long a response waits for its events to be on disk, in seconds; past that it goes and they stay in memory.
COMMIT_WAIT_S = 0.25

_LOOK_EVERY_S = 0.5  # at what an operator has stopped


#: The clients of this process that are in use.
clients: weakref.WeakSet[Client] = weakref.WeakSet()

#: What the clients of this process deliver to instead of their own deliveries; the last counts.
_instead: list[DeliveryInterface] = []


@contextlib.contextmanager
def deliver_to(delivery: DeliveryInterface) -> Iterator[None]:
    """Let every client of this process, also those made meanwhile, use ``delivery`` while the block runs."""
    _instead.append(delivery)
    try:
        yield
    finally:
        _instead.remove(delivery)


class Client(OtherServers):
    """One configuration at work: it makes the exchanges of requests and hands their events to the delivery.

    Args:
        config: the options; those of the environment where it is not given.
        secret_keys: a framework's own signing keys, newest first, used where ``TIKTOK_SECRET_KEY`` is not set.
        delivery: stores and sends the events; made from the options where it is not given.
        clock: Unix seconds.
        random_bytes: returns that many random bytes, which nobody can guess.

    Raises:
        ConfigError: an option is malformed.
    """

    def __init__(
        self,
        config: Config | None = None,
        *,
        secret_keys: Iterable[str] = (),
        delivery: DeliveryInterface | None = None,
        clock: Callable[[], float] = time.time,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self.config: Config = config if config is not None else Config.from_env()
        self._log = NoticeLog()
        framework_keys = tuple(secret_keys)
        self._throttle = RateLimit()
        self._late = self.take_late
        self.runtime: Runtime = make_runtime(
            self.config,
            signer=Signer(signing_keys(self.config, framework_keys), clock),
            reader=make_reader(
                self.config.consent,
                implied=State(self.config.consent_implied),
                failed=lambda error: self._log.failure("consent", error),
            ),
            pixel_js=browser_file("pixel.js"),
            stub_js=browser_file("stub.js"),
            helper_js=helper_file(self.config.consent, self.config.cookie_domain),
            registrable_domain=domain_rule(self.config),
            clock=clock,
            random_bytes=random_bytes,
            notices=self._log,
            is_bot=bot_rule(self.config),
            has_secret_key=bool(self.config.secret_key or framework_keys),
            handed_out=self._handed_out,
        )
        self._runtime_off: Runtime | None = None
        self._stopped: Runtime | None = None  # what serves requests while everything is off
        self._look_at = 0.0
        outbox = "of the delivery given in code"
        if delivery is None:
            options = delivery_options(self.config)
            delivery, outbox = open_delivery(options, clock=clock), options.outbox
        self.delivery: DeliveryInterface = delivery
        announce(self.config, outbox)
        self._helper_watch = HelperWatch(
            helper_mark(outbox),
            self.runtime.is_bot,
            warn=lambda: self._log.count("helper_never_asked"),
            over=self._stop_watching,
        )
        self.runtime.page_watch = self._helper_watch.page
        clients.add(self)

    @classmethod
    def from_env(
        cls,
        environ: Mapping[str, str] | None = None,
        *,
        secret_keys: Iterable[str] = (),
        is_debug: bool = False,
        **overrides: Any,
    ) -> Client:
        """The client that the environment describes.

        Args:
            environ: variables to read instead of ``os.environ``.
            secret_keys: as above.
            is_debug: whether the framework runs in its debug mode.
            overrides: options that outrank the variables.

        Raises:
            ConfigError: a variable is malformed.
        """
        defaults = DEBUG_DEFAULTS if is_debug else None
        if not is_debug and development_server(sys.argv, os.environ):
            defaults = {"environment": "development"}
        config = Config.from_env(environ, defaults=defaults, **overrides)
        return cls(config, secret_keys=secret_keys)

    def start(self) -> None:
        """Send what an earlier process left behind; needs not be called, the first event does the same."""
        if self.config.is_on:
            with self._guard("start"):
                self._delivery_in_use.wake()

    def begin(self, raw: MutableMapping[str, Any]) -> RequestTracker | None:
        """Return the tracker of a request for the app, and tell it to the raw request.

        None where another adapter of this client is around the app already, or where we fail.

        Args:
            raw: the ASGI scope or WSGI environ.
        """
        if time.monotonic() >= self._look_at:
            self._look()
        runtime = self._stopped or self.runtime
        try:
            outer = raw.get(KEY)
            # The tracker of an earlier try: some middleware calls the app again with the same environ.
            if outer is not None and outer.runtime is runtime and not outer.has_ended:
                return None
            if "REQUEST_METHOD" in raw:
                environ = dict(raw)
                tracker = RequestTracker(environ, environ, runtime, EnvironRequest)
                is_conditional = "HTTP_IF_NONE_MATCH" in environ
            else:
                headers = headers_by_name(raw)
                tracker = RequestTracker(dict(raw), headers, runtime, ScopeRequest)
                is_conditional = b"if-none-match" in headers
            if is_conditional:
                tracker.state.ask_as_bare(raw)
            raw[KEY] = tracker
        except Exception as error:  # noqa: BLE001  # nothing of ours reaches the app
            self._log.failure("request", error)
            return None
        return tracker

    def own_response(self, raw: MutableMapping[str, Any]) -> Answer | Wanted | None:
        """Return our own response to a request under our path prefix; None for the app's requests.

        Args:
            raw: the ASGI scope or WSGI environ.
        """
        try:
            request = (EnvironRequest if "REQUEST_METHOD" in raw else ScopeRequest)(raw, self.runtime.proxies)
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("endpoint", error)
            return None
        return self.answer(request)

    def exchange(self, request: RequestView) -> Exchange:
        """The exchange of one request, which no raw request knows of."""
        return Exchange(Tracker(RequestState(request, self.runtime)))

    def carry_out(self, exchange: Exchange, step: Commit) -> Forward | None:
        """What is to be sent, once what a step wants stored is stored."""
        try:
            claims = self.wait(self.submit(step))
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("commit", error)
            return exchange.failed()
        return _sendable(exchange.committed(claims))

    async def carry_out_async(self, exchange: Exchange, step: Commit) -> Forward | None:
        """The same on an event loop."""
        try:
            claims = await self.wait_async(self.submit(step))
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("commit", error)
            return exchange.failed()
        return _sendable(exchange.committed(claims))

    def end(self, tracker: RequestTracker, exchange: Exchange | None = None) -> Future[list[Claim]] | None:
        """Hand over what was tracked since the head left; what is tracked later goes by the server too.

        Args:
            tracker: of the request.
            exchange: of its response, where there is one.

        Returns what an event loop has to wait for, where a process may be frozen as soon as its request is over.
        """
        if exchange is not None:
            exchange.phase = Phase.DONE
        elif tracker.said is None:
            tracker.late = self._late
            return None
        state = tracker.end(self._late)
        return self._submit_late(state) if state is not None else None

    def finish(self, exchange: Exchange) -> Future[list[Claim]] | None:
        """Do the same for an exchange whose request has no adapter."""
        exchange.phase = Phase.DONE
        exchange.state.late = self._late
        return self._submit_late(exchange.state)

    def _submit_late(self, state: RequestState) -> Future[list[Claim]] | None:
        try:
            entries = late_entries(state)
            future = self._submit(entries) if entries else None
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("submit", error)
            return None
        return future if self._delivery_in_use.is_inline else None

    def answer(self, request: RequestView) -> Answer | Wanted | None:
        """Our own response to a request of our path prefix, None for the app's requests.

        Where it depends on the request's body, ``collect`` gives it.
        """
        try:
            own = answer(request, self._stopped or self.runtime)
            if own is not None:
                self._helper_watch.asked()
            if isinstance(own, Wanted):
                wait_s = self._throttle.wait_s(request, self.runtime.clock())
                return refuse(self.runtime, 429, "too_many", [("Retry-After", str(wait_s))]) if wait_s else own
        except Exception as error:  # noqa: BLE001  # nothing of ours reaches the app
            self._log.failure("endpoint", error)
            return None
        return own

    def collect(self, request: RequestView, body: bytes) -> Answer:
        """Our response to a page's report, once its events are stored."""
        try:
            heard = self._hear(request, body)
            if not isinstance(heard, Report):
                return heard
            judgement = heard.judged([self.wait(self._take(ref)) for ref in heard.references])
            stored = judgement.submissions
            if not stored:
                return judgement.answer([])
            claims = self.wait(self._submit(stored))
            return judgement.answer(claims)
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("collect", error)
            return refuse(self.runtime, 503, "failed")

    def unfinished(self) -> Answer:
        """Return our response to a report whose body does not come."""
        return refuse(self.runtime, 408, "unfinished")

    def _hear(self, request: RequestView, body: bytes) -> Report | Answer:
        """Read a report; of one with more events than its sender may have, only the visitor's word counts."""
        heard = hear(request, self.runtime, body)
        if not isinstance(heard, Report):
            return heard
        wait_s = self._throttle.events_wait_s(request, self.runtime.clock(), heard.event_count)
        if not wait_s:
            return heard
        if heard.has_word:
            self._log.count("collect_too_many_events")
            return heard.without_events()
        return refuse(self.runtime, 429, "too_many_events", [("Retry-After", str(wait_s))])

    async def collect_async(self, request: RequestView, body: bytes) -> Answer:
        """The same on an event loop."""
        try:
            heard = self._hear(request, body)
            if not isinstance(heard, Report):
                return heard
            judgement = heard.judged([await self.wait_async(self._take(ref)) for ref in heard.references])
            stored = judgement.submissions
            if not stored:
                return judgement.answer([])
            claims = await self.wait_async(self._submit(stored))
            return judgement.answer(claims)
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("collect", error)
            return refuse(self.runtime, 503, "failed")

    def tracker(
        self,
        snapshot: str | None = None,
        *,
        source: str = "web",
        lead_id: str | int | None = None,
        lead_event_source: str | None = None,
        consent: bool | None = None,
        url: str | None = None,
        ttclid: str | None = None,
        ttp: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
        limited_data_use: bool | None = None,
        **identity: object,
    ) -> ServerJob:
        """A tracker for a webhook, a job or an import, in a ``with`` or ``async with`` block::

            with client.tracker(order.tiktok_snapshot) as tiktok:
                tiktok.track("Purchase", once=order.id, value=59.9, currency="EUR", event_time=order.created_at)

        Its events go by the server channel, and are stored durably when the block ends; where it raises they are
        dropped.

        Args:
            snapshot: what ``request.tiktok.snapshot()`` gave; None or empty where there is none. One that is forged,
                older than 400 days or cut counts as none, and its visitor's consent as unknown.
            source: ``web``; ``offline`` for sales in a shop or by phone, which takes standard events only and needs
                ``TIKTOK_OFFLINE_ID``; or ``crm`` for what becomes of a lead, which needs ``TIKTOK_CRM_ID`` and takes
                names of stages in any language.
            lead_id: TikTok's id of the lead, by which a ``crm`` event is matched best.
            lead_event_source: name of the CRM system, such as ``HubSpot``.
            consent: whether the visitor agreed, by your own records. A refusal in the snapshot stands. Without your
                word the snapshot's counts, and without both events go only under ``TIKTOK_CONSENT=implied``.
            url: address of the page; its ``ttclid`` counts where none is given.
            ttclid: TikTok's click id.
            ttp: value of the ``_ttp`` cookie.
            ip: the visitor's address.
            user_agent: the visitor's browser.
            limited_data_use: set TikTok's flag on all events of the tracker.
            identity: what ``identify()`` takes, such as ``email``.

        Raises:
            EventError: an argument cannot be right, in strict mode; otherwise it is left out, logged once and counted.
        """
        context = Context(url, ttclid, ttp, ip, user_agent, lead_id, lead_event_source, limited_data_use)
        tracker = server_tracker(self._looked(), snapshot, source=source, consent=consent, context=context)
        if identity:
            tracker.identify(**identity)
        return ServerJob(tracker, self)

    def submit(self, commit: Commit) -> Future[list[Claim]]:
        """The claims, once the events are stored, and, with ``TIKTOK_FLUSH=request``, sent."""
        return self._submit(commit.submissions)

    def wait(self, future: Future[_T], timeout_s: float | None = None) -> _T | None:
        """What delivery says, or None when it takes longer; than a response may wait, where no time is given."""
        try:
            return future.result(COMMIT_WAIT_S if timeout_s is None else timeout_s)
        except Exception as error:  # noqa: BLE001  # a slow or failing disk must not fail the response
            self._undurable(error)
            return None

    async def wait_async(self, future: Future[_T], timeout_s: float | None = None) -> _T | None:
        """The same on an event loop, asyncio's or trio's, without blocking it."""
        try:
            if not future.done():
                flush_s = FLUSH_S if self.delivery.is_inline else 0.0
                await wait_for(future, flush_s + (COMMIT_WAIT_S if timeout_s is None else timeout_s))
            return future.result(0)
        except Exception as error:  # noqa: BLE001  # as above
            self._undurable(error)
            return None

    def take_late(self, state: RequestState, pending: TrackedEvent) -> None:
        """An event that was tracked after its response had ended; nothing of ours is raised into the app."""
        with self._guard("late"):
            submission = late_entry(pending, state)
            if submission is not None:
                self._submit((submission,))

    def cancel(self, *, once: object, event: str = "Purchase", timeout_s: float = 2.0) -> bool:
        """Keep the server copy of an event from being sent, such as an order that was cancelled within TIKTOK_DELAY.

        Return True if the server copy will never be sent, also where the event is only tracked later; False if it was
        sent already, is being sent now, or the outbox did not answer in time. A browser copy is not taken back: it left
        with its page, unless the view said ``browser=False``. Waits for the outbox: on an event loop await
        `cancel_async`.

        Args:
            once: the key that was given to ``track(once=...)``, or the ``order_id`` of a ``Purchase``.
            event: name of the event.
            timeout_s: seconds to wait for the outbox.

        Raises:
            EventError: ``once`` is empty or no text, number or UUID; or ``event`` is no event name.
        """
        event_id = once_event_id(read_name(event).name, read_once(once))
        try:
            return self._cancel(event_id).result(timeout_s)
        except Exception as error:  # noqa: BLE001  # a slow or failing outbox
            return self._not_cancelled(event, error)

    async def cancel_async(self, *, once: object, event: str = "Purchase", timeout_s: float = 2.0) -> bool:
        """Do the same on an event loop."""
        event_id = once_event_id(read_name(event).name, read_once(once))
        try:
            future = self._cancel(event_id)
            await wait_for(future, timeout_s)
            return future.result(0)
        except Exception as error:  # noqa: BLE001  # as above
            return self._not_cancelled(event, error)

    def _cancel(self, event_id: str) -> Future[bool]:
        delivery = self._delivery_in_use
        if delivery.is_inline and is_in_event_loop():
            return in_thread(lambda: delivery.cancel(event_id).result(0))
        return delivery.cancel(event_id)

    def _not_cancelled(self, event: str, error: Exception) -> bool:
        self._log.count("not_cancelled")
        why = str(error) or type(error).__name__
        self._log.once("not_cancelled", f"a {event} could not be cancelled ({why}) and is sent when its delay is over")
        return False

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Whether everything accepted so far is delivered, or dead, within the time."""
        return self.delivery.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Commit everything, send what can be sent within the time; the rest waits on disk."""
        return self.delivery.close(timeout_s)

    def stats(self) -> dict[str, Any]:
        """Counts of this process: what was tracked, and lost by which reason; with the delivery's own.

        ``in_app`` counts the events that were tracked inside an app's browser, such as ``tiktok`` or ``instagram``.
        ``caches`` gives the sizes of what the middleware remembers of pages: entries, and bytes of their heads.
        """
        runtime = self.runtime
        return {
            **self.delivery.stats(),
            "counts": dict(self._log.counts),
            "in_app": dict(self._log.apps),
            "caches": {
                "decisions": len(runtime.decisions),
                "targets": len(runtime.targets),
                "hosts": len(runtime.click_cookies) + len(runtime.cookie_attributes),
                "heads_bytes": runtime.heads.size_bytes,
            },
        }

    def _look(self) -> None:
        """See whether an operator has stopped everything; a runtime that does nothing serves requests then."""
        self._look_at = time.monotonic() + _LOOK_EVERY_S
        try:
            is_off = self._delivery_in_use.is_off
        except Exception as error:  # noqa: BLE001  # a delivery of the team's own
            self._log.failure("is_off", error)
            return
        if is_off and self._runtime_off is None:
            self._runtime_off = replace(self.runtime, config=replace(self.config, enabled=False))
        self._stopped = self._runtime_off if is_off else None

    def _looked(self) -> Runtime:
        if time.monotonic() >= self._look_at:
            self._look()
        return self._stopped or self.runtime

    @property
    def _delivery_in_use(self) -> DeliveryInterface:
        return _instead[-1] if _instead else self.delivery

    def _stop_watching(self) -> None:
        self.runtime.page_watch = None

    def _handed_out(self, events: Sequence[Event]) -> None:
        self._delivery_in_use.handed_out(events)

    def _submit(self, submissions: Sequence[OutboxEntry]) -> Future[list[Claim]]:
        delivery = self._delivery_in_use
        if delivery.is_inline and is_in_event_loop():
            return in_thread(lambda: delivery.submit(submissions).result(0))
        return delivery.submit(submissions)

    def _take(self, ref: str) -> Future[bytes | None]:
        delivery = self._delivery_in_use
        if delivery.is_inline and is_in_event_loop():
            return in_thread(lambda: delivery.take(ref).result(0))
        return delivery.take(ref)

    def _undurable(self, error: Exception) -> None:
        self._log.count("undurable")
        self._log.once("undurable", f"an event was not on disk in time ({type(error).__name__}); it waits in memory")

    @contextlib.contextmanager
    def _guard(self, part: str) -> Any:
        try:
            yield
        except Exception as error:  # noqa: BLE001  # nothing of ours reaches the app
            self._log.failure(part, error)


def _sendable(step: Step) -> Forward | None:
    return step if isinstance(step, Forward) else None
