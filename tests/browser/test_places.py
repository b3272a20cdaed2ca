"""In a real browser a page reads as without the middleware, and our scripts are asked of the page's own host."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page

from tests.browser.places_app import BASES, PAGES
from tests.browser.servers import Server, uvicorn_command

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def bare(start: Callable[..., Server]) -> Server:
    return start("bare", lambda port: uvicorn_command("tests.browser.places_app:bare", port), with_pixel=False)


@pytest.fixture(scope="module")
def wrapped(start: Callable[..., Server]) -> Server:
    command = "tests.browser.places_app:app"
    return start("wrapped", lambda port: uvicorn_command(command, port), TIKTOK_CONSENT="required")


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    yield context.new_page()
    context.close()


def reading(page: Page, server: Server, name: str) -> tuple[str, str, str]:
    """What the browser makes of a page: its charset, its title, and the text of its body."""
    page.goto(f"{server.url}/page/{name}")
    found: list[str] = page.evaluate("[document.characterSet, document.title, document.body.innerText]")
    return found[0], found[1], found[2]


@pytest.mark.parametrize("name", PAGES)
def test_charset_title_and_text_are_those_of_the_page_alone(
    page: Page, bare: Server, wrapped: Server, name: str
) -> None:
    assert reading(page, wrapped, name) == reading(page, bare, name)
    has_script = page.goto(f"{wrapped.url}/page/{name}").text().count("w.tiktok=w.tiktok")  # type: ignore[union-attr]
    if name not in {"in-svg", "late"}:  # where no place keeps the declaration in reach
        assert has_script == 1
        assert reading(page, wrapped, name)[:2] == ("UTF-8", "Größe")


@pytest.mark.parametrize("place", BASES)
def test_a_base_address_leads_none_of_our_requests_away(page: Page, wrapped: Server, place: str) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{wrapped.url}/base/{place}")
    page.wait_for_function("window.tiktok && tiktok.listens")
    with page.expect_response(lambda response: "/collect" in response.url) as told:
        page.evaluate("tiktok.grantConsent()")
    assert told.value.ok
    page.wait_for_function("window.ttq && window.ttq.instance")
    ours = [url for url in asked if "/_tiktok/" in url]
    assert len(ours) >= 2
    assert {urlsplit(url).netloc for url in ours} == {urlsplit(wrapped.url).netloc}
