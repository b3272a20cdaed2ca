"""Client: one configuration with its signer and delivery, made once per process."""

from __future__ import annotations

import os
import sys
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, MutableMapping
from concurrent.futures import Future
from dataclasses import replace
from time import monotonic
from typing import Any

from tiktok_middleware._development import development_server
from tiktok_middleware._drafting import Drafting
from tiktok_middleware._helper_watch import HelperWatch
from tiktok_middleware._log import NoticeLog, shares
from tiktok_middleware._other_servers import OtherServers
from tiktok_middleware._page_reports import PageReports
from tiktok_middleware._random import random_bytes
from tiktok_middleware._rate_limit import RateLimit
from tiktok_middleware._start_line import announce
from tiktok_middleware._storing import COMMIT_WAIT_S, deliver_to
from tiktok_middleware._wiring import (
    MORE_FILES,
    base_code,
    bot_rule,
    browser_file,
    delivery_options,
    domain_rule,
    helper_file,
    helper_mark,
    load_phone_numbers,
    pixels_of_host,
    signing_keys,
)
from tiktok_middleware.config import DEBUG_DEFAULTS, Config
from tiktok_middleware.core.consent.consent import make_reader
from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.events.event import Claim
from tiktok_middleware.core.http.asgi_request import ScopeRequest, headers_by_name
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.wsgi_request import EnvironRequest
from tiktok_middleware.core.response.actions import Phase
from tiktok_middleware.core.response.exchange import Exchange
from tiktok_middleware.core.response.next_request import follow, may_follow
from tiktok_middleware.core.runtime import Runtime, make_runtime, page_events
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.core.tracking.pixels_by_host import RuntimesByHost
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.request_tracker import RequestTracker
from tiktok_middleware.core.tracking.server_tracker import Context, server_tracker
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.core.visitor.pii import remembered_texts
from tiktok_middleware.delivery.delivery import open_delivery
from tiktok_middleware.delivery.interface import DeliveryInterface
from tiktok_middleware.server_job import ServerJob

__all__ = ["COMMIT_WAIT_S", "Client", "clients", "deliver_to"]

_LOOK_EVERY_S = 0.5  # interval of the check whether an operator has stopped everything

#: All clients of this process.
clients: weakref.WeakSet[Client] = weakref.WeakSet()


class Client(Drafting, PageReports, OtherServers):
    """One configuration at work: makes the trackers of requests, and passes their events to the delivery.

    Args:
        config: the options; read from the environment if not given.
        secret_keys: a framework's own signing keys, newest first, used if ``TIKTOK_SECRET_KEY`` is not set.
        delivery: stores and sends the events; made from the options if not given.
        clock: returns Unix seconds.
        random_bytes: returns that many random bytes from a secure source.

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
        random_bytes: Callable[[int], bytes] = random_bytes,
    ) -> None:
        self.config: Config = config if config is not None else Config.from_env()
        self._log = NoticeLog(is_development=self.config.environment == "development")
        framework_keys = tuple(secret_keys)
        self._throttle = RateLimit()
        self._jobs = weakref.WeakSet()
        self._jobs_lock = threading.Lock()
        self._late = self.take_late
        pixel_js, stub_js = base_code(self.config.snippet, self.config.page_view)
        self.runtime: Runtime = make_runtime(
            self.config,
            signer=Signer(signing_keys(self.config, framework_keys), clock),
            reader=make_reader(
                self.config.consent,
                implied=State(self.config.consent_implied),
                failed=lambda error: self._log.failure("consent", error),
            ),
            pixel_js=pixel_js,
            stub_js=stub_js,
            helper_js=helper_file(
                self.config.consent,
                self.config.cookie_domain,
                self.config.gpc,
                rules=self.config.rules,
                events=page_events(self.config),
                looks=bool(self.config.test_event_code),
            ),
            more_js={name: browser_file(f"{name}.js") for name in MORE_FILES},
            registrable_domain=domain_rule(self.config),
            clock=clock,
            random_bytes=random_bytes,
            notices=self._log,
            bot_pattern=bot_rule(self.config),
            has_secret_key=bool(self.config.secret_key or framework_keys),
            handed_out=self._handed_out,
        )
        load_phone_numbers(self.config)
        self.runtime.drafts = self._drafts
        self._awaited = self.runtime.awaited
        ask = pixels_of_host(self.config)
        self._by_host: RuntimesByHost | None = RuntimesByHost(self.runtime, ask) if ask is not None else None
        self.runtime.by_host = self._by_host
        self._runtime_off: Runtime | None = None
        self._stopped: Runtime | None = None  # the runtime that serves requests while everything is off
        self._look_at = 0.0
        outbox = "of the delivery given in code"
        if delivery is None:
            options = delivery_options(self.config)
            delivery, outbox = open_delivery(options, clock=clock), options.outbox
        self.delivery: DeliveryInterface = delivery
        announce(self.config, outbox)
        self._helper_watch = HelperWatch(
            helper_mark(outbox),
            self.runtime.bot_pattern,
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
        """Return a client that is configured by the environment.

        Args:
            environ: variables to read instead of ``os.environ``.
            secret_keys: as for the class.
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
        """Start to send events that an earlier process left in the outbox. Optional: the first event does the same."""
        if self.config.is_on:
            with self._guard("start"):
                self._delivery_in_use.wake()

    def begin(self, raw: MutableMapping[str, Any]) -> RequestTracker | None:
        """Return the tracker of a request, and put it into the raw request.

        Return None if an outer adapter of this client has done so already, or if our code fails.

        Args:
            raw: the ASGI scope or WSGI environ.
        """
        if monotonic() >= self._look_at:
            self._look()
        runtime = self._stopped or self.runtime
        try:
            if runtime.by_host is not None:
                runtime = runtime.serving(self._read_request(raw))
            if KEY in raw and _is_begun(raw[KEY], runtime):
                return None
            copied = raw.copy() if type(raw) is dict else dict(raw)  # copy() is faster where keys were removed
            if "REQUEST_METHOD" in copied:
                headers: Mapping[Any, Any] = copied
                tracker = RequestTracker(copied, headers, runtime, EnvironRequest)
                is_conditional = "HTTP_IF_NONE_MATCH" in headers
            else:
                headers = headers_by_name(raw)
                tracker = RequestTracker(copied, headers, runtime, ScopeRequest)
                is_conditional = b"if-none-match" in headers
            if is_conditional:
                tracker.state.ask_as_bare(raw)
            if self._awaited and may_follow(headers):
                follow(tracker.state)
            raw[KEY] = tracker
        except Exception as error:  # noqa: BLE001  # our failures never reach the app
            self._log.failure("request", error)
            return None
        return tracker

    def own_response(self, raw: MutableMapping[str, Any]) -> Answer | Wanted | None:
        """Return our own response to a request under our path prefix; None for the app's requests.

        Args:
            raw: the ASGI scope or WSGI environ.
        """
        try:
            request = self._read_request(raw)
        except Exception as error:  # noqa: BLE001  # as above
            self._log.failure("endpoint", error)
            return None
        return self.answer(request)

    def exchange(self, request: RequestView) -> Exchange:
        """Return the exchange of a request without a raw scope or environ."""
        return Exchange(Tracker(RequestState(request, self._serving(request))))

    def end(self, tracker: RequestTracker, exchange: Exchange | None = None) -> Future[list[Claim]] | None:
        """End a request: store the events tracked since the head left. Later ones get a server copy alone too.

        Args:
            tracker: tracker of the request.
            exchange: exchange of its response, if there is one.

        Return a future to wait for if the delivery sends inline, because the process may be frozen after the request.
        """
        if tracker.said is None:  # no events and no exchange, as for most requests
            tracker.late = self._late
            return None
        if exchange is not None:
            exchange.phase = Phase.DONE
        state = tracker.end(self._late)
        return self._submit_late(state) if state is not None else None

    def finish(self, exchange: Exchange) -> Future[list[Claim]] | None:
        """Do the same for an exchange whose request has no adapter."""
        exchange.phase = Phase.DONE
        exchange.state.late = self._late
        return self._submit_late(exchange.state)

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
        """Return a tracker for a webhook, a job or an import, for a ``with`` or ``async with`` block::

            with client.tracker(order.tiktok_snapshot) as tiktok:
                tiktok.track("Purchase", once=order.id, value=59.9, currency="EUR", event_time=order.created_at)

        Its events get a server copy alone, and are stored durably when the block ends. If the block raises, they are
        dropped.

        Args:
            snapshot: text from ``request.tiktok.snapshot()``; None or empty without one. One that is forged, truncated
                or older than 400 days counts as missing, and its visitor's consent as unknown.
            source: ``web``; ``offline`` for sales in a shop or by phone, which takes standard events only and needs
                ``TIKTOK_OFFLINE_ID``; or ``crm`` for the stages of a lead, which needs ``TIKTOK_CRM_ID`` and takes
                names of stages in any language.
            lead_id: TikTok's id of the lead, which matches a ``crm`` event best.
            lead_event_source: name of the CRM system, such as ``HubSpot``.
            consent: whether the visitor agreed, by your own records. A refusal in the snapshot still applies. If not
                given, the snapshot's consent applies; without both, events go only under ``TIKTOK_CONSENT=implied``.
            url: address of the page; its ``ttclid`` is used if none is given.
            ttclid: TikTok's click id.
            ttp: value of the ``_ttp`` cookie.
            ip: the visitor's address.
            user_agent: the visitor's browser.
            limited_data_use: set TikTok's flag on all events of the tracker.
            identity: fields of ``identify()``, such as ``email``.

        Raises:
            EventError: an argument is invalid, in strict mode; otherwise it is left out, logged once and counted.
        """
        context = Context(url, ttclid, ttp, ip, user_agent, lead_id, lead_event_source, limited_data_use)
        tracker = server_tracker(self._looked(), snapshot, source=source, consent=consent, context=context)
        if identity:
            tracker.identify(**identity)
        with self._jobs_lock:
            self._jobs.add(tracker)
        return ServerJob(tracker, self)

    def flush(self, timeout_s: float = 10.0) -> bool:
        """Wait for delivery; return whether all accepted events are delivered, or dead letters, within the time."""
        return self.delivery.flush(timeout_s)

    def close(self, timeout_s: float = 5.0) -> bool:
        """Commit all events, and send what can be sent within the time; the rest stays on disk."""
        return self.delivery.close(timeout_s)

    def is_ready(self) -> bool:
        """Return whether events are stored where the configuration says; for readiness probes. Never waits.

        A shared outbox is asked in the background, so the first call returns False. While it does not answer, events
        wait on this host and pages are served: let a probe decide only if you prefer hosts whose database answers.
        """
        try:
            return self._delivery_in_use.is_ready()
        except Exception as error:  # noqa: BLE001  # the delivery may be the application's own
            self._log.failure("is_ready", error)
            return False

    def stats(self) -> dict[str, Any]:
        """Return counts of this process: tracked events, skipped actions by reason, and the delivery's own counts.

        ``in_app`` counts the events that were tracked inside an app's browser, such as ``tiktok`` or ``instagram``.
        ``consent`` gives the share of tracked events by the visitor's consent: ``granted``, or the reason code of any
        other, such as ``denied``, ``gpc`` or ``consent_unknown``.
        ``bots`` counts the server copies left out because of a bot, by the pattern that its user agent matches.
        ``caches`` gives the sizes of the caches: numbers of entries, and the bytes of cached page heads.
        """
        runtimes = [self.runtime, *(self._by_host or ())]
        return {
            **self.delivery.stats(),
            "counts": dict(self._log.counts),
            "in_app": dict(self._log.apps),
            "consent": shares(self._log.consents),
            "bots": dict(self._log.bots),
            "caches": {
                "decisions": sum(len(one.decisions) for one in runtimes),
                "targets": sum(len(one.targets) for one in runtimes),
                "hosts": sum(len(one.click_cookies) + len(one.cookie_attributes) for one in runtimes),
                "texts": remembered_texts(),
                "heads_bytes": sum(one.heads.size_bytes for one in runtimes),
            },
        }

    def _look(self) -> None:
        """Check whether an operator has stopped everything; then requests are served by a runtime that is off."""
        self._look_at = monotonic() + _LOOK_EVERY_S
        try:
            is_off = self._delivery_in_use.is_off
        except Exception as error:  # noqa: BLE001  # the delivery may be the application's own
            self._log.failure("is_off", error)
            return
        if is_off and self._runtime_off is None:
            self._runtime_off = replace(self.runtime, config=replace(self.config, enabled=False), by_host=None)
        self._stopped = self._runtime_off if is_off else None

    def _looked(self) -> Runtime:
        if monotonic() >= self._look_at:
            self._look()
        return self._stopped or self.runtime

    def _read_request(self, raw: MutableMapping[str, Any]) -> RequestView:
        return (EnvironRequest if "REQUEST_METHOD" in raw else ScopeRequest)(raw, self.runtime.proxies)

    def _serving(self, request: RequestView) -> Runtime:
        """Return the runtime for a request: with its host's pixels, or off while an operator has stopped all."""
        return (self._stopped or self.runtime).serving(request)

    def _stop_watching(self) -> None:
        for runtime in (self.runtime, *(self._by_host or ())):
            runtime.page_watch = None


def _is_begun(outer: RequestTracker | None, runtime: Runtime) -> bool:
    """Return whether an outer adapter has begun this request already.

    A tracker that has ended does not count: some middleware calls the app again with the same environ.
    """
    return outer is not None and outer.runtime is runtime and not outer.has_ended
