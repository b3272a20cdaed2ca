"""A visitor of a site with a consent platform, and what has reached TikTok of them."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Callable

from playwright.sync_api import Page, Request

from tests.browser.servers import Server
from tests.browser.visitor import Visitor
from tests.consent_platforms.platforms import Platform

__all__ = ["LANDING", "Person"]

LANDING = "/?ttclid=E.C.P.landing-click"

_CLEAR = """for (const pair of document.cookie.split('; ')) {
  const name = pair.split('=')[0];
  if (!/^(_tt|ttclid)/.test(name)) document.cookie = name + '=; Max-Age=0; Path=/';
}
const kept = ['tiktok:'];
for (const name of Object.keys(localStorage)) if (!kept.some(one => name.startsWith(one))) localStorage.removeItem(name);"""


class Person:
    """One visitor.

    Attributes:
        requests: what their browser has asked of TikTok's hosts.
        given_up: number of pages whose loading the browser has given up for another navigation.
        renewed: starts the site with a new policy version on another port; cookies are the same there.
    """

    def __init__(self, visitor: Visitor, platform: Platform, renewed: Callable[[], Server]) -> None:
        self.renewed = renewed
        self.visitor, self.platform, self.page = visitor, platform, visitor.page
        self.buttons = platform.buttons
        self.requests: list[str] = []
        self.given_up = 0
        host = visitor.sandbox.url
        visitor.context.on(
            "request", lambda request: self.requests.append(request.url) if request.url.startswith(host) else None
        )

        visitor.context.on("requestfailed", self._failed)

    def _failed(self, request: Request) -> None:
        self.given_up += request.resource_type == "document"

    def show(self, path: str, page: Page | None = None) -> None:
        """Open a page, without waiting for the platform."""
        (page or self.page).goto(self.visitor.shop.url + path, wait_until="load")

    def open(self, path: str = LANDING, page: Page | None = None) -> None:
        self.show(path, page)
        if self.platform.ready:
            (page or self.page).wait_for_function(self.platform.ready)

    def act(self, deed: str, page: Page | None = None) -> None:
        """Click, in the platform's own interface."""
        page = page or self.page
        if not self.platform.reloads:
            return self._do(deed, page)
        with page.expect_navigation(wait_until="load"):
            self._do(deed, page)
        return None

    def _do(self, deed: str, page: Page) -> None:
        if not deed.startswith("js:"):
            page.click(deed)
        elif self.platform.reloads:
            page.evaluate("() => {setTimeout(() => {" + deed[3:] + "})}")  # the page of this call is about to end
        else:
            page.evaluate("() => {" + deed[3:] + "}")

    def accept(self) -> None:
        self.act(self.buttons.accept)

    def refuse(self) -> None:
        self.act(self.buttons.refuse)

    def press(self, selector: str, page: Page | None = None) -> None:
        """Press something of the shop's, as by the keyboard: a banner may lie over it."""
        (page or self.page).evaluate("selector => document.querySelector(selector).click()", selector)

    def ask(self, page: Page | None = None) -> None:
        """Press the button that sends a request by script, and wait for its answer."""
        page = page or self.page
        with page.expect_response("**/ask"):
            self.press("#ask", page)

    def buy(self) -> None:
        """Send the form, which redirects."""
        with self.page.expect_navigation(url="**/thanks"):
            self.press("#buy")

    def follow(self) -> None:
        """Click the link to the next page."""
        with self.page.expect_navigation(url="**/two"):
            self.press("#next")

    def wait(self, milliseconds: int) -> None:
        self.page.wait_for_timeout(milliseconds)

    def forget(self) -> None:
        """What the platform keeps is gone, as after its expiry; what we keep is not."""
        self.page.evaluate("() => {" + _CLEAR + "}")
        self.visitor.context.clear_cookies(name=re.compile("^(?!_tt|ttclid)"))  # also those that pages cannot see

    # -- what has arrived

    def arrived(self) -> list[tuple[str, str]]:
        """Names and states of all that TikTok has, but for page views."""
        return [(one["event"], one["state"]) for one in self.visitor.sandbox.events() if one["event"] != "Pageview"]

    def count(self) -> tuple[int, int]:
        """How much TikTok has, and how often it was asked."""
        return len(self.visitor.sandbox.events()), len(self.requests)

    def _settled_count(self) -> tuple[int, int]:
        """The same once nothing more of earlier pages arrives."""
        before, now = (-1, -1), self.count()
        while now != before:
            self.wait(100)
            before, now = now, self.count()
        return now

    def assert_nothing(self, settle_ms: int = 700) -> None:
        """TikTok was asked for nothing and has nothing."""
        self.wait(settle_ms)
        assert (self.visitor.sandbox.summary(), self.requests) == ([], [])

    def assert_nothing_new(self, deeds: Callable[[], None], settle_ms: int = 700) -> None:
        """The same of what these deeds cause."""
        before = self._settled_count()
        deeds()
        self.wait(settle_ms)
        assert self.count() == before, (self.visitor.sandbox.summary(), self.requests[before[1] :])

    def assert_matched(self, *names: str) -> None:
        """Exactly these events have arrived, each on both channels; of pages that were loaded again, also theirs."""
        wanted = Counter((name, "matched") for name in names)
        until = time.monotonic() + 15
        while not self._is_all(wanted) and time.monotonic() < until:
            self.wait(50)
        assert self._is_all(wanted), (self.visitor.sandbox.summary(), self.page.evaluate("document.cookie"))

    def await_matched(self, name: str) -> None:
        """An event of this name has arrived on both channels."""
        until = time.monotonic() + 15
        while (name, "matched") not in self.arrived() and time.monotonic() < until:
            self.wait(50)
        assert (name, "matched") in self.arrived(), self.visitor.sandbox.summary()

    def _is_all(self, wanted: Counter[tuple[str, str]]) -> bool:
        arrived = Counter(self.arrived())
        if not self.platform.reloads:
            return arrived == wanted
        # A platform that reloads the page twice ends the first loading: that page has no browser.
        unmatched = sum(count for (_, state), count in arrived.items() if state != "matched")
        return wanted <= arrived and unmatched <= self.given_up  # Counter's <= compares counts

    def assert_clean(self) -> None:
        """No cookie of the visitor's ids is left."""
        assert not {"ttclid", "_ttp"} & self.visitor.cookie_names, self.visitor.cookie_names
