"""Three countries with a host and a pixel each, and one process: nothing of one country reaches another's pixel."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.browser.servers import Server, uvicorn_command
from tests.browser.visitor import Sandbox

pytestmark = pytest.mark.browser

PIXELS = {f"{name}.localhost": f"C777777777777777777{number}" for number, name in enumerate(("de", "fr", "us"))}
CURRENCIES = {"de.localhost": "EUR", "fr.localhost": "EUR", "us.localhost": "USD"}


@pytest.fixture(scope="module")
def outbox(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("countries") / "outbox.sqlite3"


@pytest.fixture(scope="module")
def shop(start: Callable[..., Server], outbox: Path) -> Server:
    return start(
        "countries",
        lambda port: uvicorn_command("tests.browser.countries_app:app", port),
        outbox=outbox,
        pixel=",".join(PIXELS.values()),
        TIKTOK_ACCESS_TOKEN="token-de,token-fr,token-us",
        TIKTOK_PIXEL_BY_HOST="import:tests.browser.countries_app:of_host",
    )


@pytest.fixture(scope="module")
def sandboxes(sandbox_server: Server) -> Iterator[dict[str, Sandbox]]:
    with contextlib.ExitStack() as stack:
        found = {host: Sandbox(sandbox_server.url, pixel) for host, pixel in PIXELS.items()}
        for sandbox in found.values():
            stack.callback(sandbox.close)
        found["de.localhost"].reset()
        yield found


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """One visitor, who visits all countries."""
    made = browser.new_context()
    yield made
    made.close()


def address(shop: Server, host: str, path: str) -> str:
    return shop.url.replace("127.0.0.1", host) + path


def delivered(outbox: Path) -> list[str]:
    """The pixels of the purchases in the ledger, one entry for each row."""
    with contextlib.closing(sqlite3.connect(outbox)) as opened:
        return sorted(row[0] for row in opened.execute("SELECT pixel FROM ledger WHERE event = 'Purchase'"))


def test_each_country_counts_its_own_order_once_on_both_channels(
    shop: Server, sandboxes: dict[str, Sandbox], context: BrowserContext, outbox: Path
) -> None:
    page = context.new_page()
    for _ in range(2):  # the second visit of the thank-you page counts nothing
        for host in PIXELS:
            page.goto(address(shop, host, "/thanks"), wait_until="load")
            sandboxes[host].await_events("Purchase", state="matched")
    ids = set()
    for host, sandbox in sandboxes.items():
        order = sandbox.the("Purchase")
        assert (order["browser_copies"], order["server_copies"], order["differences"]) == (1, 1, [])
        assert order["properties"]["currency"] == CURRENCIES[host]
        ids.add(order["event_id"])
        assert {one["pixel"] for one in sandbox.events()} == {PIXELS[host]}
    assert len(ids) == 1, "the id is a hash of name and order, and each pixel has its own claim"
    deadline = time.monotonic() + 15
    while delivered(outbox) != sorted(PIXELS.values()):  # a row is written once TikTok has answered
        assert time.monotonic() < deadline, delivered(outbox)
        time.sleep(0.05)


def test_redirect_keeps_its_event_for_the_host_that_made_it(
    shop: Server, sandboxes: dict[str, Sandbox], context: BrowserContext
) -> None:
    page = context.new_page()
    for host in PIXELS:
        page.goto(address(shop, host, "/basket"), wait_until="load")
        event = sandboxes[host].the("AddToCart")
        assert event["properties"]["currency"] == CURRENCIES[host]
    cookies = context.cookies()
    ids = {cookie["domain"].lstrip("."): cookie["value"] for cookie in cookies if cookie["name"] == "_ttp"}
    assert set(ids) >= set(PIXELS)
    assert len(set(ids.values())) == len(ids), "no country knows another's visitor"
    assert [cookie["name"] for cookie in cookies if cookie["name"].startswith("_tt_carry")] == []


def test_host_without_a_pixel_gets_none(shop: Server, context: BrowserContext) -> None:
    wanted: list[str] = []
    context.on("request", lambda one: wanted.append(one.url))
    other = address(shop, "pl.localhost", "/thanks")
    page = context.new_page()
    page.goto(other, wait_until="load")
    assert [url for url in wanted if url != other] == []
    assert page.evaluate("typeof window.ttq") == "undefined"


def test_page_loads_the_pixel_of_its_host_alone(shop: Server, context: BrowserContext) -> None:
    page = context.new_page()
    for host, pixel in PIXELS.items():
        page.goto(address(shop, host, "/page"), wait_until="load")
        page.wait_for_function("window.tiktok && tiktok.listens")
        assert page.evaluate("Object.keys(ttq._i)") == [pixel]
