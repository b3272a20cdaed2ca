"""A person with a browser in a shop, and the sandbox that watches; they notice all that goes wrong, and decide nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal
from urllib.parse import urlsplit

import httpx
from playwright.sync_api import BrowserContext, ConsoleMessage, Error, Page, Request, Response

from tests.browser.servers import Server
from tests.customer import CUSTOMER

__all__ = ["Answer", "Sandbox", "Visitor"]


@dataclass(frozen=True)
class Answer:
    """One response as the browser got it.

    Attributes:
        kind: Playwright's resource type, such as `document`.
        body: None where the browser had forgotten it already.
    """

    url: str
    status: int
    kind: str
    headers: tuple[tuple[str, str], ...]
    body: bytes | None

    def all(self, name: str) -> list[str]:
        """Every value of a header."""
        return [part for key, value in self.headers if key.lower() == name for part in value.split("\n")]


class Sandbox:
    """What the stand-in for TikTok holds, of one pixel."""

    def __init__(self, url: str, pixel: str = "") -> None:
        self.url = url
        self.pixel = pixel
        self._http = httpx.Client(base_url=url, timeout=30, verify=False)  # no TLS: its context takes 30 ms

    def close(self) -> None:
        self._http.close()

    def reset(self) -> None:
        """Forget events and switches; the script comes soon, but never before the page is done."""
        self._http.post("/sandbox/reset", params={"settings": "true"}).raise_for_status()
        self.switch(pixel_delay_ms=30)

    def switch(self, **settings: Any) -> None:
        self._http.post("/sandbox/settings", json=settings).raise_for_status()

    def events(self, name: str = "") -> list[dict[str, Any]]:
        """What has arrived until now, oldest first."""
        found = self._http.get("/sandbox/events", params={"event": name} if name else {}).json()
        return [one for one in found if one["pixel"] == self.pixel]

    def await_events(self, name: str, count: int = 1, state: str = "", timeout_s: float = 10) -> list[dict[str, Any]]:
        """The events of one name, once so many are there (in this state).

        Raises:
            AssertionError: they did not come in time.
        """
        query: dict[str, str | float] = {"wait_for": name, "count": count, "timeout": timeout_s, "event": name}
        answer = self._http.get("/sandbox/events", params={**query, "state": state} if state else query)
        found = [one for one in answer.json() if one["pixel"] == self.pixel]
        assert answer.headers["sandbox-waited"] == "yes", (name, count, state, self.summary())
        return found

    def the(self, name: str, state: str = "matched") -> dict[str, Any]:
        """The one event of this name.

        Raises:
            AssertionError: there is none, or more than one.
        """
        found = self.await_events(name, state=state)
        assert len(found) == 1, self.summary()
        return found[0]

    def summary(self) -> list[tuple[str, str, str]]:
        return [(one["event"], one["event_id"], one["state"]) for one in self.events()]


class Visitor:
    """A tab in a context of its own.

    Attributes:
        page: the tab.
        errors: what a developer would see in red or yellow in the console, and errors that nobody caught.
        loads: documents that this tab has loaded from the shop.
        answers: the shop's responses, with bodies.
    """

    def __init__(self, context: BrowserContext, shop: Server, sandbox: Sandbox) -> None:
        self.context, self.shop, self.sandbox = context, shop, sandbox
        self.errors: list[str] = []
        self.loads = 0
        self.answers: list[Answer] = []
        self._unread: list[Request] = []
        self.forgiven: tuple[str, ...] = ()
        context.on("console", self._console)
        context.on("weberror", lambda error: self.errors.append(f"uncaught: {error.error}"))
        context.on("requestfinished", self._finished)
        self.page = self.tab()

    def tab(self) -> Page:
        """One more tab."""
        page = self.context.new_page()
        page.set_default_timeout(15_000)
        page.on("domcontentloaded", self._loaded)
        return page

    def _loaded(self, page: Page) -> None:
        self.loads += page.url.startswith(self.shop.url)

    def _console(self, message: ConsoleMessage) -> None:
        address = message.location.get("url", "")
        if message.type in {"error", "warning"} and not (self.forgiven and address.startswith(self.forgiven)):
            self.errors.append(f"{message.type}: {message.text} ({address})")

    def _finished(self, request: Request) -> None:
        if request.url.startswith(self.shop.url) and request.resource_type in {"document", "fetch", "xhr"}:
            self._unread.append(request)

    def collect(self) -> None:
        """Read the responses that have come; to be called before the browser forgets them with their page."""
        while self._unread:
            request = self._unread.pop(0)
            response = request.response()
            if response is not None:
                self.answers.append(_answer(request, response))

    # -- what a visitor does

    def open(self, path: str, *, patient: bool = True) -> None:
        """Type an address.

        Args:
            path: of the shop.
            patient: wait until the pixel has seen the page.
        """
        self.page.goto(self.shop.url + path, wait_until=_until(patient))
        self.settle(patient)

    def settle(self, patient: bool = True) -> None:
        """Wait until as many page views have arrived as pages were loaded."""
        self.page.wait_for_load_state(_until(patient))
        if patient:
            self.sandbox.await_events("Pageview", self.loads)
        self.collect()

    def settle_error(self) -> None:
        """The same after an error page, which some frameworks make outside of all middleware."""
        if self.page.evaluate("'ttq' in window"):
            self.settle()
        else:
            self.loads -= 1
            self.collect()

    def back(self) -> None:
        """Press the back button. The script has returned before the navigation destroys its context."""
        self.page.evaluate("setTimeout(() => history.back())")

    def add_to_cart(self, pieces: int = 1) -> None:
        """On a product's page: its button, which asks by fetch and stays on the page."""
        self.page.select_option("#quantity", str(pieces))
        self.page.click("form.buy button")
        self.page.wait_for_selector(".toast")
        self.collect()

    def fill_checkout(self, **other: str) -> None:
        for name, value in {**CUSTOMER, **other}.items():
            self.page.fill(f"#{name}", value)

    def submit(self, *, patient: bool = True) -> None:
        """The page's main form, to wherever it leads."""
        with self.page.expect_navigation(wait_until=_until(patient)):
            self.page.click("form[data-form] button")
        self.settle(patient)

    def buy(self, *, patient: bool = True, click: str = "E.C.P.test-click") -> None:
        """From the advertisement to the thank-you page."""
        self.open(f"/?ttclid={click}&utm_source=tiktok", patient=patient)
        with self.page.expect_navigation(wait_until=_until(patient)):
            self.page.click("a[href='/products/morning-mug']")
        self.settle(patient)
        self.add_to_cart(2)
        self.open("/checkout", patient=patient)
        self.fill_checkout()
        self.submit(patient=patient)
        assert urlsplit(self.page.url).path.startswith("/pay/")
        self.submit(patient=patient)
        assert urlsplit(self.page.url).path.startswith("/thank-you/")

    # -- what can be looked up

    def cookie(self, name: str) -> dict[str, Any]:
        """The one cookie of this name.

        Raises:
            AssertionError: there is none, or more than one.
        """
        found = [dict(one) for one in self.context.cookies() if one["name"] == name]
        assert len(found) == 1, found
        return found[0]

    def carried(self) -> dict[str, Any]:
        """The one cookie with events for the next page.

        Raises:
            AssertionError: there is none, or more than one.
        """
        [name] = [name for name in self.cookie_names if name.startswith("_tt_carry.")]
        return self.cookie(name)

    @property
    def cookie_names(self) -> set[str]:
        return {one["name"] for one in self.context.cookies()}


def _until(patient: bool) -> Literal["load", "domcontentloaded"]:
    # TikTok's script belongs to the page, so that `load` waits for it; a page can be used long before.
    return "load" if patient else "domcontentloaded"


def _answer(request: Request, response: Response) -> Answer:
    body: bytes | None = b""
    if not 300 <= response.status < 400:
        try:
            body = response.body()
        except Error:  # left with its page
            body = None
    headers = tuple((one["name"], one["value"]) for one in response.headers_array())
    return Answer(request.url, response.status, request.resource_type, headers, body)
