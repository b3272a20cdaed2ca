"""Our script beside a base code of the page or Tag Manager, caches and refusals: one page view, each event once, matched.

All combinations of one kind of visitor are open at the same time.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Request

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser


class Combination(NamedTuple):
    """What stands in the page, and who opens it."""

    snippet: str
    query: str
    shared: bool
    visitor: str

    @property
    def name(self) -> str:
        query = self.query.replace("=", "-").replace("&", "-")
        return f"{self.snippet}-{query or 'alone'}-{'shared' if self.shared else 'private'}-{self.visitor}"

    @property
    def path(self) -> str:
        """Path of the page; the combination's name is in it, so that each event names its combination."""
        consent = "required" if self.visitor == "undecided" else "implied"
        return f"/{self.snippet}-{consent}/page/{self.name}"

    @property
    def address(self) -> str:
        return f"{self.path}?{'&'.join(filter(None, [self.query, 'shared=1' if self.shared else '']))}"


OWN = ["", "own=before", "own=after", "own=late", "own=before-other", "own=after-other"]
MANAGERS = [f"manager={kind}&at={at}" for kind in ("container", "template") for at in ("before", "after")]
VISITORS = ["agreed", "refused", "gpc", "undecided"]

TABLE = [
    Combination(*one)
    for snippet, queries in (
        # A base code that comes after TikTok's script counts a page view of its own: see test_neighbours.
        ("pixel", [query for query in OWN if query != "own=late"]),
        ("matched", OWN),
        ("adopt", OWN),
        ("gtm", ["", *MANAGERS]),
    )
    for one in itertools.product([snippet], queries, [False, True], VISITORS)
]
#: Combinations that every run of the tests checks; the soak runs check all.
ALWAYS = [
    case
    for number, case in enumerate(TABLE)
    if (number // 4 % 3 != 1 if case.visitor == "agreed" else number // 4 % 6 == number % 4)
]
_READY = "document.readyState === 'complete' && window.tiktok && tiktok.listens"


@pytest.fixture(scope="package")
def table(start: Callable[..., Server]) -> Server:
    """The application of `table_app`: all configurations."""
    return start("table", lambda port: uvicorn_command("tests.browser.table_app:app", port))


def test_every_run_checks_more_than_forty_combinations() -> None:
    assert len(set(TABLE)) == len(TABLE) >= 160
    assert len(ALWAYS) >= 45
    for every, some in zip(zip(*TABLE, strict=True), zip(*ALWAYS, strict=True), strict=True):
        assert set(some) == set(every)


def rows(visitor: str) -> list[Any]:
    """Return what every run checks of these visitors, and what the soak runs check."""
    short = [case for case in ALWAYS if case.visitor == visitor]
    rest = [case for case in TABLE if case.visitor == visitor and case not in short]
    return [pytest.param(short, id="short"), *([pytest.param(rest, id="rest", marks=pytest.mark.soak)] if rest else [])]


class Tabs:
    """Pages that are open at the same time, each of a visitor of its own.

    Attributes:
        visitor: a visitor beside those of the combinations.
        pages: the page of each combination.
        outside: addresses of other hosts that the pages have requested.
    """

    def __init__(self, visitor: Visitor, shop: Server, stack: contextlib.ExitStack) -> None:
        self.pages: dict[Combination, Page] = {}
        self.outside: list[str] = []
        self.visitor = visitor
        self._browser = visitor.context.browser
        self._shop = shop
        self._stack = stack

    def open(self, cases: list[Combination]) -> None:
        """Open a page for each combination, and wait until our helper runs in each."""
        for case in cases:
            page = self.pages[case] = self.pages.get(case) or self._page(case)
            page.goto(self._shop.url + case.address, wait_until="commit")
        for case in cases:
            # A page in the background draws nothing: ask it by a timer.
            self.pages[case].wait_for_function(_READY, polling=100)
            if case.query == "own=late" and case.visitor == "agreed":
                self.pages[case].wait_for_function("window.cameLate", polling=100)

    def _page(self, case: Combination) -> Page:
        assert self._browser is not None
        headers = {"Sec-GPC": "1"} if case.visitor == "gpc" else {}
        context = self._stack.enter_context(self._browser.new_context(extra_http_headers=headers))
        context.set_default_timeout(30_000)
        context.on("request", self._requested)
        if case.visitor in {"refused", "gpc"}:
            context.add_cookies([{"name": "_tt_consent", "value": "d", "url": self._shop.url}])
        return context.new_page()

    def _requested(self, request: Request) -> None:
        if not request.url.startswith((self._shop.url, "about:", "data:")):
            self.outside.append(request.url)


@pytest.fixture
def tabs(table: Server, visit: MakeVisitor) -> Iterator[Tabs]:
    with contextlib.ExitStack() as stack:
        yield Tabs(visit(table), table, stack)


def copies(visitor: Visitor, event: str) -> dict[str, list[dict[str, Any]]]:
    """Return what has arrived of an event, by the path of the page."""
    found: dict[str, list[dict[str, Any]]] = {}
    for one in visitor.sandbox.events(event):
        path = urlsplit((one["browser"] or one["server"])["page"]["url"]).path
        found.setdefault(path, []).append(one)
    return found


def await_all(visitor: Visitor, event: str, cases: list[Combination]) -> dict[str, list[dict[str, Any]]]:
    """Wait until an event of each combination's page has arrived, on the channels that it has."""

    def is_there(case: Combination) -> bool:
        return any(one["state"] == state_of(case) for one in found.get(case.path, []))

    def state_of(case: Combination) -> str:
        if event == "Pageview":
            return "matched" if case.snippet == "matched" and not case.query else "browser_only"
        return "matched" if has_pixel(case) else "server_only"

    deadline = time.monotonic() + 30
    while True:
        found = copies(visitor, event)
        missing = [case.name for case in cases if not is_there(case)]
        if not missing:
            return found
        assert time.monotonic() < deadline, (event, missing, visitor.sandbox.summary())
        time.sleep(0.1)


def has_pixel(case: Combination) -> bool:
    """Whether anything loads the pixel."""
    return case.snippet != "gtm" or bool(case.query)


@pytest.mark.parametrize("cases", rows("agreed"))
def test_one_page_view_and_each_event_once(table: Server, tabs: Tabs, cases: list[Combination]) -> None:
    visitor = tabs.visitor
    tabs.open(cases)
    await_all(visitor, "AddToCart", cases)
    for page in tabs.pages.values():
        page.goto("about:blank")  # a page view that waits is counted when the visitor leaves
    await_all(visitor, "Pageview", [case for case in cases if has_pixel(case)])
    visitor.page.request.get(f"{table.url}/pixel-implied/answer")
    visitor.sandbox.await_events("Search", state="server_only")
    views, carts = copies(visitor, "Pageview"), copies(visitor, "AddToCart")
    for case in cases:
        (cart,) = carts[case.path]
        channels = (cart["browser_copies"], cart["server_copies"], cart["differences"])
        assert channels == (int(has_pixel(case)), 1, []), case.name
        seen = [(view["browser_copies"], view["server_copies"]) for view in views.get(case.path, [])]
        own = (1, 1) if case.snippet == "matched" and not case.query else (1, 0)
        assert seen == ([own] if has_pixel(case) else []), case.name


@pytest.mark.parametrize("cases", [param for visitor in VISITORS[1:] for param in rows(visitor)])
def test_nothing_is_requested_of_tiktok_without_consent(tabs: Tabs, cases: list[Combination]) -> None:
    tabs.open(cases)
    next(iter(tabs.pages.values())).wait_for_timeout(600)  # longer than the helper waits until it looks around
    assert tabs.outside == []
    assert tabs.visitor.sandbox.events() == []


@pytest.mark.parametrize("snippet", ["pixel", "matched", "adopt", "gtm"])
def test_nothing_is_requested_of_tiktok_after_a_refusal_in_the_page(tabs: Tabs, snippet: str) -> None:
    cases = [case for case in ALWAYS if case.snippet == snippet and case.visitor == "agreed" and case.query][::3]
    tabs.open(cases)
    for page in tabs.pages.values():
        page.evaluate("tiktok.revokeConsent()")
        page.goto("about:blank")
    tabs.outside.clear()
    tabs.open(cases)
    next(iter(tabs.pages.values())).wait_for_timeout(600)
    assert tabs.outside == []
