"""Our script beside a base code of the page or Tag Manager, caches and refusals: one page view, each event once, matched."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import NamedTuple

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command

pytestmark = pytest.mark.browser


class Combination(NamedTuple):
    """What stands in the page, and who opens it."""

    snippet: str
    query: str
    shared: bool
    visitor: str

    @property
    def name(self) -> str:
        return f"{self.snippet}-{self.query or 'alone'}-{'shared' if self.shared else 'private'}-{self.visitor}"


OWN = ["", "own=before", "own=after", "own=late", "own=before-other", "own=after-other"]
MANAGERS = [f"manager={kind}&at={at}" for kind in ("container", "template") for at in ("before", "after")]
VISITORS = ["agreed", "refused", "gpc", "undecided"]

TABLE = [
    Combination(*one)
    for snippet, queries in (
        # A base code that comes after TikTok's script counts a page view of its own: see test_neighbours.
        ("pixel", [query for query in OWN if query != "own=late"]),
        ("adopt", OWN),
        ("gtm", ["", *MANAGERS]),
    )
    for one in itertools.product([snippet], queries, [False, True], VISITORS)
]
#: Combinations that every run of the tests checks; the soak runs check all.
ALWAYS = {
    Combination("adopt", "own=after", False, "agreed"),
    Combination("adopt", "own=before-other", True, "agreed"),
    Combination("adopt", "own=after", False, "refused"),
    Combination("pixel", "own=before", False, "agreed"),
    Combination("pixel", "own=after", False, "agreed"),
    Combination("pixel", "own=after-other", True, "agreed"),
    Combination("pixel", "own=after", True, "undecided"),
}


@pytest.fixture(scope="package")
def servers(start: Callable[..., Server]) -> Callable[[str, str], Server]:
    """The application of `combos_app` for each value of TIKTOK_SNIPPET and TIKTOK_CONSENT, started when first asked for."""
    started: dict[str, Server] = {}

    def server(snippet: str, consent: str = "implied") -> Server:
        name = f"combos-{snippet}-{consent}"
        if name not in started:
            command = "tests.browser.combos_app:app"
            started[name] = start(
                name, lambda port: uvicorn_command(command, port), TIKTOK_SNIPPET=snippet, TIKTOK_CONSENT=consent
            )
        return started[name]

    return server


def test_table_has_at_least_forty_combinations() -> None:
    assert len(set(TABLE)) >= 40
    assert set(TABLE) >= ALWAYS


@pytest.mark.parametrize(
    "case", [pytest.param(one, id=one.name, marks=[] if one in ALWAYS else [pytest.mark.soak]) for one in TABLE]
)
def test_one_page_view_and_each_event_once(
    servers: Callable[[str, str], Server], visit: MakeVisitor, case: Combination
) -> None:
    shop = servers(case.snippet, "required" if case.visitor == "undecided" else "implied")
    visitor = visit(shop)
    wanted: list[str] = []
    visitor.context.on("request", lambda one: wanted.append(one.url))
    if case.visitor in {"refused", "gpc"}:
        visitor.context.add_cookies([{"name": "_tt_consent", "value": "d", "url": shop.url}])
    if case.visitor == "gpc":
        visitor.context.set_extra_http_headers({"Sec-GPC": "1"})
    query = "&".join(filter(None, [case.query, "shared=1" if case.shared else ""]))
    visitor.page.goto(f"{shop.url}/page?{query}", wait_until="load")
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    outside = [url for url in wanted if not url.startswith(shop.url)]
    if case.visitor != "agreed":
        visitor.page.wait_for_timeout(500)
        assert outside == []
        assert visitor.sandbox.events() == []
        return
    state = "server_only" if case.snippet == "gtm" and not case.query and not case.shared else "matched"
    if case.snippet == "gtm" and not case.query:
        visitor.sandbox.await_events("AddToCart", state="server_only")
        assert outside == []
        return
    event = visitor.sandbox.the("AddToCart", state)
    assert (event["browser_copies"], event["server_copies"], event["differences"]) == (1, 1, [])
    visitor.sandbox.await_events("Pageview")
    visitor.page.goto(f"{shop.url}/answer")  # a page view that waits is counted when the visitor leaves
    visitor.sandbox.await_events("Search", state="server_only")
    views = visitor.sandbox.events("Pageview")
    assert [view["browser_copies"] for view in views] == [1], views
