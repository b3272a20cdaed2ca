"""``tiktok_live``: a user's test of their own app through a server, a real browser and the sandbox."""

from __future__ import annotations

import asyncio
import shutil
import sys
import textwrap
import time
import unittest
from typing import Any

import pytest

from tiktok_middleware import _live
from tiktok_middleware._live_processes import launched, running_sandbox
from tiktok_middleware.testing import Live, TikTokTestMixin

pytestmark = pytest.mark.browser

pytest_plugins = ["pytester"]


def conversion(**changes: Any) -> dict[str, Any]:
    copy = {"properties": {"value": 59.9, "currency": "EUR"}}
    found = {
        "event": "Purchase", "event_id": "id-1", "state": "matched", "differences": [], "browser": copy, "server": copy,
    }  # fmt: skip
    return {**found, **changes}


@pytest.fixture
def shop(tiktok_live: Live, tmp_path: Any) -> str:
    return tiktok_live.serve("examples.starlette_shop:app", SHOP_DB=str(tmp_path / "orders.sqlite3"))


def test_user_checks_a_view_in_five_lines(tiktok_live: Live, shop: str) -> None:
    page = tiktok_live.page()
    page.goto(f"{shop}/products/morning-mug")
    page.click("form.buy button")
    tiktok_live.assert_matched("ViewContent", value=24, currency="EUR")
    tiktok_live.assert_matched("AddToCart", value=24)


def test_wsgi_app_is_served_too(tiktok_live: Live, tmp_path: Any) -> None:
    page = tiktok_live.page()
    shop = tiktok_live.serve("examples.flask_shop:app", SHOP_DB=str(tmp_path / "orders.sqlite3"))
    page.goto(f"{shop}/products/morning-mug")
    view = tiktok_live.assert_matched("ViewContent")
    assert view["browser"]["event_id"] == view["server"]["event_id"]


def test_difference_is_readable(tiktok_live: Live, shop: str) -> None:
    tiktok_live.page().goto(f"{shop}/products/morning-mug")
    with pytest.raises(AssertionError) as caught:
        tiktok_live.assert_matched("ViewContent", value=25, order_id="A-1")
    assert str(caught.value) == (
        "ViewContent arrived on both channels, but says something else:\n"
        "  value: expected 25, got 24.0\n"
        "  order_id: expected 'A-1', got nothing"
    )
    with pytest.raises(AssertionError, match=r"Purchase did not arrive within 0.1 s.\nArrived so far:\n(.*\n)*.*ViewC"):
        tiktok_live.assert_matched("Purchase", timeout_s=0.1)
    with pytest.raises(AssertionError, match=r"expected no event, but arrived:\n  ViewContent \S+: matched"):
        tiktok_live.assert_nothing(wait_s=0)
    tiktok_live.assert_nothing("Purchase", wait_s=0)
    tiktok_live.clear()
    assert tiktok_live.events() == []


def test_view_without_a_browser_misses_the_browsers_copy(tiktok_live: Live, shop: str) -> None:
    import httpx

    httpx.get(f"{shop}/products/morning-mug", headers={"Accept": "text/html"})
    deadline = time.monotonic() + 15
    while not tiktok_live.events("ViewContent") and time.monotonic() < deadline:
        time.sleep(0.05)
    with pytest.raises(AssertionError, match=r"ViewContent did not match within 0.5 s: the browser's copy is missing"):
        tiktok_live.assert_matched("ViewContent", timeout_s=0.5)


def test_event_loop_is_not_blocked(tiktok_live: Live, shop: str) -> None:
    async def check() -> int:
        ticks = 0
        waiting = asyncio.create_task(tiktok_live.assert_matched_async("Purchase", timeout_s=0.3))
        while not waiting.done():
            ticks += 1
            await asyncio.sleep(0.01)
        with pytest.raises(AssertionError, match="did not arrive"):
            await waiting
        return ticks

    # In a thread of its own: Playwright's synchronous API keeps a loop in this one.
    import threading

    found: list[int] = []
    thread = threading.Thread(target=lambda: found.append(asyncio.run(check())))
    thread.start()
    thread.join(20)
    assert found[0] > 5


@pytest.mark.parametrize(
    ("one", "said"),
    [
        (conversion(state="browser_only", server=None), "the server's copy is missing"),
        (
            conversion(state="different", differences=[{"path": "properties.value", "browser": 1, "server": 2}]),
            "properties.value is 1 in the browser's copy and 2 in the server's",
        ),
        (
            conversion(state="different", differences=[{"path": "properties.x", "missing": "browser"}]),
            "properties.x is missing in the browser's copy",
        ),
    ],
)
def test_state_of_a_conversion_is_said_in_words(one: dict[str, Any], said: str) -> None:
    assert said in _live._not_one("Purchase", [one], [one], 10)


def test_event_that_arrives_twice_is_said() -> None:
    both = [conversion(), conversion(event_id="id-2")]
    assert "Purchase arrived 2 times with different ids, not once" in _live._not_one("Purchase", both, both, 10)


def test_missing_browser_says_what_to_install(tiktok_live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    class Chromium:
        executable_path = "/nowhere/chromium"

    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(
        RuntimeError, match="needs a browser, and found none: pip install playwright && playwright inst"
    ):
        launched(type("Playwright", (), {"chromium": Chromium}))
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(RuntimeError, match="needs Playwright: pip install playwright"):
        tiktok_live.page()


def test_missing_server_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    with pytest.raises(RuntimeError, match=r'pip install "tiktok-middleware\[demo\]"'), running_sandbox():
        pass


def test_app_that_does_not_start_shows_what_it_printed(tiktok_live: Live) -> None:
    with pytest.raises(RuntimeError, match=r"no_such_module:app did not start:\n(.*\n)*.*ModuleNotFoundError"):
        tiktok_live.serve("no_such_module:app")


def test_fixture_is_a_plugin_of_pytest_and_configures_apps_by_the_environment(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        import urllib.request
        from tiktok_middleware import Client, Config

        def test_it(tiktok_live):
            client = Client.from_env()
            with client.tracker(consent=True) as job:
                job.track("Contact")
            assert client.flush(10)
            assert [one["state"] for one in tiktok_live.events("Contact")] == ["server_only"]
            client.close()
        """
    )
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=1)


PLAYWRIGHT = """
    import pytest
    from playwright.sync_api import sync_playwright

    @pytest.fixture(scope="{scope}")
    def {name}():
        with sync_playwright() as started:
            yield started
"""


@pytest.mark.parametrize(("scope", "arguments"), [("session", "playwright, tiktok_live"), ("function", "tiktok_live")])
def test_page_uses_the_playwright_that_the_tests_run(pytester: pytest.Pytester, scope: str, arguments: str) -> None:
    pytester.makeconftest(textwrap.dedent(PLAYWRIGHT.format(name="playwright", scope=scope)))
    pytester.makepyfile(
        f"""
        def test_it({arguments}):
            page = tiktok_live.page()
            page.goto(tiktok_live.url)
            assert "TikTok" in page.content()
        """
    )
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_playwright_of_another_fixture_is_named_as_the_cause(pytester: pytest.Pytester) -> None:
    pytester.makeconftest(textwrap.dedent(PLAYWRIGHT.format(name="mine", scope="session")))
    pytester.makepyfile(
        """
        import pytest

        def test_it(mine, tiktok_live):
            with pytest.raises(RuntimeError, match="yield it from a fixture named playwright"):
                tiktok_live.page()
        """
    )
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider").assert_outcomes(passed=1)


def test_page_in_an_asynchronous_test_says_which_api_to_use() -> None:
    async def open_page() -> None:
        with pytest.raises(RuntimeError, match="In an asynchronous test use Playwright's asynchronous API"):
            Live("http://127.0.0.1:1").page()

    asyncio.run(open_page())


def test_mixin_records_the_events_of_a_unittest() -> None:
    from tiktok_middleware import Client, Config

    class CheckoutTest(TikTokTestMixin, unittest.TestCase):
        def test_checkout(self) -> None:
            client = Client(Config(pixel_id="C0000000000000000001", access_token="t", outbox="memory://"))
            with client.tracker() as job:
                job.track("Contact")
            assert [copy.event for copy in self.tiktok.server] == ["Contact"]

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(CheckoutTest).run(result)
    assert (result.testsRun, result.failures, result.errors) == (1, [], [])
