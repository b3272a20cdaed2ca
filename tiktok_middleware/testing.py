"""Tools for your own tests: record what the code under test would send on both channels; nothing is sent.

::

    def test_checkout(tiktok, browser):  # a pytest fixture; elsewhere: with record() as tiktok
        browser.post("/checkout")
        tiktok.assert_matched("Purchase", value=59.9, currency="EUR")

Set any pixel id and any access token for the app: while events are recorded, none is stored or sent. For unittest and
Django's test cases, :class:`TikTokTestMixin` provides ``self.tiktok``.

``tiktok_live`` tests the complete path with a server, a real browser and the sandbox::

    def test_checkout_in_a_browser(tiktok_live):
        page = tiktok_live.page()
        page.goto(tiktok_live.serve("shop.main:app") + "/products/mug")
        page.click("text=Buy")
        tiktok_live.assert_matched("Purchase", value=59.9)
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any

import msgspec

from tiktok_middleware.core.events.event import Claim, Event, OutboxEntry

if TYPE_CHECKING:
    from tiktok_middleware._live import Live, running_sandbox

__all__ = ["Live", "Recorded", "Recorder", "TikTokTestMixin", "record", "running_sandbox"]


def __getattr__(name: str) -> Any:
    """Import ``_live`` on first use: pytest loads this file at every start."""
    if name in {"Live", "running_sandbox"}:
        from tiktok_middleware import _live  # noqa: PLC0415  # see above

        return getattr(_live, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class Recorded(msgspec.Struct, frozen=True):
    """One copy of an event.

    Attributes:
        event: name of the event.
        event_id: the id that both copies carry.
        properties: parameters of the event.
        user: match keys of the server's copy, hashed; empty for the browser's copy.
        page: ``url`` and ``referrer`` of the server's copy; empty for the browser's copy.
        pixels: pixels of the server's copy; empty for the browser's copy.
    """

    event: str
    event_id: str
    properties: Mapping[str, Any]
    user: Mapping[str, Any] = {}
    page: Mapping[str, str] = {}
    pixels: tuple[str, ...] = ()


class Recorder:
    """A delivery that keeps the events of both channels and sends none: ``Client(config, delivery=Recorder())``.

    Attributes:
        browser: copies that responses passed to a browser, in order.
        server: copies that would have been sent to TikTok, in order.
    """

    def __init__(self) -> None:
        self.browser: list[Recorded] = []
        self.server: list[Recorded] = []
        self.is_inline = False
        self.is_off = False
        self._claimed: set[tuple[str, str]] = set()
        self._deferred: dict[str, bytes] = {}

    def clear(self) -> None:
        """Remove the copies. Events with ``once`` still count as sent."""
        self.browser.clear()
        self.server.clear()

    def assert_matched(self, event: str, /, **properties: object) -> Recorded:
        """Assert that one event of this name went to both channels with equal copies; return the server's copy.

        Args:
            event: name of the event, such as ``Purchase``.
            properties: parameters that both copies must contain; they may contain others too.

        Raises:
            AssertionError: a channel has no copy or several, the copies differ, or a parameter has another value.
        """
        browser, server = ([copy for copy in copies if copy.event == event] for copies in (self.browser, self.server))
        seen = f"browser: {_listed(self.browser)}; server: {_listed(self.server)}"
        if (len(browser), len(server)) != (1, 1):
            raise AssertionError(
                f"{event} went to the browser {len(browser)} time(s) and to the server {len(server)} time(s), not"
                f" once each; {seen}{_why_not()}"
            )
        one, other = browser[0], server[0]
        if (one.event_id, one.properties) != (other.event_id, other.properties):
            raise AssertionError(f"the two copies of {event} differ: browser {one}, server {other}")
        wrong = {
            name: other.properties.get(name)
            for name, value in properties.items()
            if other.properties.get(name) != value
        }
        if wrong:
            raise AssertionError(f"{event} says {wrong} instead of { {name: properties[name] for name in wrong} }")
        return other

    def assert_nothing(self) -> None:
        """Assert that no event was recorded on either channel.

        Raises:
            AssertionError: an event was recorded.
        """
        if self.browser or self.server:
            raise AssertionError(f"browser: {_listed(self.browser)}; server: {_listed(self.server)}")

    def submit(self, entries: Sequence[OutboxEntry]) -> Future[list[Claim]]:
        """Record the server's copies, and return the claim of each entry."""
        future: Future[list[Claim]] = Future()
        future.set_result([self._claim(entry) for entry in entries])
        return future

    def _claim(self, submission: OutboxEntry) -> Claim:
        browser = submission.browser and self._wins(submission, "browser")
        server = bool(submission.records) and self._wins(submission, "server")
        if server:
            first = submission.records[0]
            item = msgspec.json.decode(first.body)
            pixels = tuple(record.pixel for record in submission.records)
            self.server.append(
                Recorded(
                    first.event, first.event_id, item.get("properties", {}), item.get("user", {}),
                    item.get("page", {}), pixels,
                )
            )  # fmt: skip
        if browser and submission.deferred is not None:
            self._deferred[submission.deferred.ref] = submission.deferred.body
        draft = submission.draft
        if browser and draft is not None and draft.is_deferred:
            self._deferred[draft.ref] = draft.payload
        return Claim(browser, server)

    @property
    def drafts(self) -> Recorder:
        """Return this recorder: it writes nothing into the app's transactions."""
        return self

    def refusal(self, connection: object) -> str:  # noqa: ARG002  # as every delivery
        """Return "": every connection counts as committed."""
        return ""

    def write(self, connection: object, ref: str, entry: OutboxEntry) -> str:  # noqa: ARG002  # as every delivery
        """Write nothing."""
        return ""

    def statement(self, ref: str, entry: OutboxEntry, style: str) -> tuple[str, object]:  # noqa: ARG002  # as above
        """Return a statement without effect."""
        return "SELECT true", {} if style == "named" else ()

    def _wins(self, submission: OutboxEntry, channel: str) -> bool:
        key = submission.event_id, channel
        if submission.once and key in self._claimed:
            return False
        self._claimed.add(key)
        return True

    def take(self, ref: str) -> Future[bytes | None]:
        """Return the browser copy stored under a reference; a second call returns None."""
        future: Future[bytes | None] = Future()
        future.set_result(self._deferred.pop(ref, None))
        return future

    def cancel(self, event_id: str) -> Future[bool]:
        """Remove the server copies of an event, and return True: nothing was sent."""
        self.server = [copy for copy in self.server if copy.event_id != event_id]
        future: Future[bool] = Future()
        future.set_result(True)
        return future

    def handed_out(self, events: Sequence[Event]) -> None:
        """Record the browser's copies."""
        for event in events:
            # Encode as for the page's script: a value that JSON cannot hold raises here.
            properties = msgspec.json.decode(msgspec.json.encode(event.properties))
            self.browser.append(Recorded(event.event, event.event_id, properties))

    def wake(self) -> None:
        """Do nothing: there are no events of an earlier process."""

    def flush(self, timeout_s: float) -> bool:  # noqa: ARG002  # as every delivery
        """Return True: no event waits."""
        return True

    def close(self, timeout_s: float) -> bool:  # noqa: ARG002  # as every delivery
        """Return True: no event waits."""
        return True

    def is_ready(self) -> bool:
        """Return True: a recorder is always ready."""
        return True

    def stats(self) -> Mapping[str, Any]:
        """Return how many server copies were recorded."""
        return {"submitted": len(self.server), "waiting": 0}


@contextlib.contextmanager
def record() -> Iterator[Recorder]:
    """Record the events of all clients of this process while the block runs; none is stored or sent."""
    # pytest loads this file at every start, also if nothing is recorded: import the client on first use only.
    from tiktok_middleware.client import deliver_to  # noqa: PLC0415

    recorder = Recorder()
    with deliver_to(recorder):
        yield recorder


class TikTokTestMixin:
    """Mixin for ``unittest`` and Django's test cases: ``self.tiktok`` records the events of each test.

    ::

        class CheckoutTest(TikTokTestMixin, TestCase):
            def test_checkout(self):
                self.client.post("/checkout")
                self.tiktok.assert_matched("Purchase", value=59.9)
    """

    tiktok: Recorder

    def setUp(self) -> None:  # unittest's name
        """Start recording."""
        recording = contextlib.ExitStack()
        self.tiktok = recording.enter_context(record())
        self.addCleanup(recording.close)  # type: ignore[attr-defined]  # of the test case beside it
        super().setUp()  # type: ignore[misc]  # as above


def _why_not() -> str:
    """Return why the clients of this process track nothing or use one channel only, as the end of a message."""
    client = sys.modules.get("tiktok_middleware.client")
    configs = [one.config for one in list(client.clients)] if client is not None else []
    if not configs:
        return "; no TikTokMiddleware or Client was made in this process: is the app under test wrapped?"
    if any(config.is_on and not config.server_reason and not config.browser_reason for config in configs):
        return ""
    from tiktok_middleware.reasons import reason_of  # noqa: PLC0415  # only if a test fails

    config = configs[-1]
    if not config.pixel_id:
        variables = "TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN, any values, before the app is made"
        return f"; no_pixel: TIKTOK_PIXEL_ID is not set, so that nothing is tracked: set {variables}"
    code = config.server_reason or config.browser_reason if config.is_on else "disabled"
    reason = reason_of(code)
    return f"; {code}: {reason.meaning} {reason.advice}".rstrip() if reason is not None else f"; {code}"


def _listed(copies: Sequence[Recorded]) -> str:
    return ", ".join(f"{copy.event} {copy.event_id}" for copy in copies) or "nothing"


try:
    import pytest
except ImportError:  # unittest does not need pytest
    pass
else:

    @pytest.fixture(name="tiktok")
    def _tiktok() -> Iterator[Recorder]:
        """Record the events of both channels during a test; none is stored or sent."""
        with record() as recorder:
            yield recorder

    @pytest.fixture(scope="session")
    def _tiktok_sandbox() -> Iterator[str]:
        from tiktok_middleware._live import running_sandbox  # noqa: PLC0415  # only for tests that ask for it

        with contextlib.ExitStack() as stack:
            try:
                url = stack.enter_context(running_sandbox())
            except RuntimeError as error:
                pytest.fail(str(error), pytrace=False)
            yield url

    @pytest.fixture
    def tiktok_live(
        _tiktok_sandbox: str, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
    ) -> Iterator[Live]:
        """Provide the sandbox, a browser and the recorded events; the environment configures the test's app."""
        from tiktok_middleware._live import Live  # noqa: PLC0415  # as above

        def running_playwright() -> object:
            try:
                return request.getfixturevalue("playwright")
            except pytest.FixtureLookupError:
                return None

        live = Live(_tiktok_sandbox, running_playwright)
        live.clear()
        for name, value in live.environ.items():
            monkeypatch.setenv(name, value)
        try:
            yield live
        finally:
            live.close()
