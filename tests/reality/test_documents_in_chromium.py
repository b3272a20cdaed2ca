"""Chromium reads the same charset and title in real documents with the script and without."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Route

from tests.browser.servers import Server, uvicorn_command
from tests.reality.documents import debian, html5lib_cases

pytestmark = pytest.mark.browser

READING = "[document.characterSet, document.title, document.compatMode]"


def is_guess_without_effect(document: bytes) -> bool:
    """Whether Chromium can only guess the encoding, from NUL bytes, and every guess reads the same text.

    Such a document is ASCII and declares nothing; the encodings that Chromium guesses are supersets of ASCII.
    """
    return b"\0" in document and document.isascii() and b"charset" not in document.lower()


def unequal(browser: Browser, server: Server, documents: Sequence[bytes]) -> list[str]:
    """The documents that Chromium reads otherwise with the script."""
    context = browser.new_context()
    found = []

    def own_only(route: Route) -> None:
        if route.request.url.startswith(server.url) and route.request.resource_type == "document":
            route.continue_()
        else:
            route.abort()

    context.route("**/*", own_only)
    page = context.new_page()
    for number, document in enumerate(documents):
        bare, ours = (_reading(page, f"{server.url}/{kind}/{number}") for kind in ("bare", "page"))
        first = 1 if is_guess_without_effect(document) else 0
        if bare[first:] != ours[first:]:
            found.append(f"{number}: {bare} became {ours}")
    context.close()
    return found


def _reading(page: Page, url: str) -> list[str]:
    page.goto(url, wait_until="domcontentloaded")
    reading: list[str] = page.evaluate(READING)
    return reading


def served(start: Callable[..., Server], documents: Sequence[bytes], folder: Path) -> Server:
    for number, document in enumerate(documents):
        (folder / str(number)).write_bytes(document)
    return start("pages", lambda port: uvicorn_command("tests.reality.pages_app:app", port), PAGES_FOLDER=str(folder))


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("package", ["apt-doc", "debian-policy", "git-doc"])
def test_documentation_of_debian_reads_the_same(
    browser: Browser, start: Callable[..., Server], package: str, tmp_path: Path
) -> None:
    documents = debian(package, tmp_path)
    (tmp_path / "served").mkdir()
    assert unequal(browser, served(start, documents, tmp_path / "served"), documents) == []


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="html5lib's source distribution needs an older Python")
def test_a_parsers_own_cases_read_the_same(browser: Browser, start: Callable[..., Server], tmp_path: Path) -> None:
    documents = [case for case in html5lib_cases(tmp_path) if b"document.write" not in case]
    (tmp_path / "served").mkdir()
    assert unequal(browser, served(start, documents, tmp_path / "served"), documents) == []
