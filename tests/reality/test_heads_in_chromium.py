"""Beside large heads and cookies of the app's, events reach both channels, or their reason is logged."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest
from playwright.sync_api import Browser, BrowserContext, Error

from tests.browser.servers import Server
from tests.browser.visitor import Sandbox
from tests.reality.proxies import nginx
from tests.reality.test_heads import one_gunicorn, uwsgi_command

pytestmark = pytest.mark.browser


SETUPS = [
    "gunicorn behind nginx",
    *(pytest.param(name, marks=pytest.mark.soak) for name in ("uwsgi behind nginx", "uwsgi")),
]


class Shop(NamedTuple):
    """An app's server and its address; ``bare`` starts the app without the middleware and returns its address."""

    app: Server
    url: str
    bare: Callable[[], str]


@pytest.fixture(scope="module", params=SETUPS)
def shop(
    request: pytest.FixtureRequest, start: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Shop]:
    command = uwsgi_command if request.param.startswith("uwsgi") else one_gunicorn
    with contextlib.ExitStack() as stack:

        def started(**environment: str) -> tuple[Server, str]:
            app = start("heads", lambda port: command("tests.reality.heads_app:app", port), **environment)
            if not request.param.endswith("nginx"):
                return app, app.url
            return app, stack.enter_context(nginx(app, tmp_path_factory.mktemp("nginx"))).url

        yield Shop(*started(), lambda: started(BARE="1")[1])


def answers(context: BrowserContext, url: str) -> bool:
    """Whether a visit ends with a page, and not with an error of a server."""
    try:
        answer = context.new_page().goto(url, wait_until="load")
    except Error:
        return False
    return answer is not None and answer.status == 200


def bought(shop: Shop, browser: Browser, sandbox: Sandbox, kind: str, sizes: range) -> dict[int, str]:
    """What became of the event of each redirect, by the size of the app's head or cookie.

    A size with which the server refuses the request fails without the middleware too; it is left out.
    """
    ids: dict[str, int] = {}
    views = len(sandbox.events("Pageview"))
    known = {one["event_id"] for one in sandbox.events("AddToCart")}
    failed = []
    for size in sizes:
        context = browser.new_context()
        is_page = answers(context, f"{shop.url}/{kind}/{size}")
        sandbox.await_events("AddToCart", len(known) + 1)
        (new,) = {one["event_id"] for one in sandbox.events("AddToCart")} - known
        known.add(new)
        if is_page:
            ids[new] = size
            sandbox.await_events("Pageview", views + len(ids))  # the page's events leave with its page view
        else:
            failed.append(size)
        context.close()
    if failed:
        assert succeeded(shop.bare(), browser, kind, failed) == []
    return {ids[event_id]: state for event_id, state in settled(sandbox, set(ids)).items()}


def succeeded(url: str, browser: Browser, kind: str, sizes: list[int]) -> list[int]:
    """The sizes with which a visit ends with a page."""
    found = []
    for size in sizes:
        context = browser.new_context()
        if answers(context, f"{url}/{kind}/{size}"):
            found.append(size)
        context.close()
    return found


def settled(sandbox: Sandbox, ids: set[str]) -> dict[str, str]:
    """The states of these events, once no server copy is on its way any more."""
    deadline = time.monotonic() + 15
    while True:
        states = {one["event_id"]: one["state"] for one in sandbox.events("AddToCart") if one["event_id"] in ids}
        if "browser_only" not in states.values() or time.monotonic() > deadline:
            return states
        time.sleep(0.05)


def check(states: dict[int, str], server: Server) -> None:
    """Small heads leave room for the browser's copy; what finds no room is logged with its reason."""
    assert set(states.values()) <= {"matched", "server_only"}
    assert [size for size, state in states.items() if size <= 1500 and state != "matched"] == []
    if "server_only" in states.values():
        assert b"no_header_room" in server.log
    print(states)


@pytest.mark.parametrize("kind", ["head", "session"])
def test_events_beside_large_heads_match_or_have_their_reason(
    shop: Shop, browser: Browser, sandbox_server: Server, kind: str
) -> None:
    with contextlib.closing(Sandbox(sandbox_server.url, shop.app.pixel)) as sandbox:
        check(bought(shop, browser, sandbox, kind, range(0, 3900, 1300)), shop.app)


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["head", "session"])
def test_events_in_steps_of_100_bytes_match_or_have_their_reason(
    shop: Shop, browser: Browser, sandbox_server: Server, kind: str
) -> None:
    with contextlib.closing(Sandbox(sandbox_server.url, shop.app.pixel)) as sandbox:
        check(bought(shop, browser, sandbox, kind, range(0, 3901, 100)), shop.app)
