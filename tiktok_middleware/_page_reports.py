"""Answer the requests below the endpoint: the part of the client that takes the reports of pages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tiktok_middleware._helper_watch import HelperWatch
from tiktok_middleware._rate_limit import RateLimit
from tiktok_middleware._storing import Storing
from tiktok_middleware.core.endpoint.report import Report, hear, refuse
from tiktok_middleware.core.endpoint.routes import answer
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.runtime import Runtime

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PageReports"]


class PageReports(Storing):
    """The part of :class:`~tiktok_middleware.Client` that answers requests below the endpoint."""

    runtime: Runtime
    _throttle: RateLimit
    _helper_watch: HelperWatch

    if TYPE_CHECKING:
        _serving: Callable[[RequestView], Runtime]

    def answer(self, request: RequestView) -> Answer | Wanted | None:
        """Return our own response to a request below the endpoint; None for the app's requests.

        If it depends on the request's body, return ``Wanted``: :meth:`collect` then returns the response.
        """
        try:
            own = answer(request, self._serving(request))
            if own is not None:
                self._helper_watch.asked()
            if isinstance(own, Wanted):
                wait_s = self._throttle.wait_s(request, self.runtime.clock())
                return refuse(self.runtime, 429, "too_many", [("Retry-After", str(wait_s))]) if wait_s else own
        except Exception as error:  # noqa: BLE001  # our failures never reach the app
            self._log.failure("endpoint", error)
            return None
        return own

    def collect(self, request: RequestView, body: bytes) -> Answer:
        """Store the events of a page's report, and return our response."""
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
        """Return our response to a report whose body does not come in time."""
        return refuse(self.runtime, 408, "unfinished")

    def _hear(self, request: RequestView, body: bytes) -> Report | Answer:
        """Read a report. If it exceeds the rate limit for events, keep only the visitor's choice, or reject it."""
        heard = hear(request, self.runtime.serving(request), body)
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
        """Do the same on an event loop."""
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
