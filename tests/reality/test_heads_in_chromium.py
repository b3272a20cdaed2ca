"""Beside large heads and cookies of the app's, events reach both channels, or their reason is logged."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser.servers import Server
from tests.browser.visitor import Sandbox
from tests.reality.proxies import nginx
from tests.reality.test_heads import one_gunicorn, uwsgi_command

pytestmark = pytest.mark.browser


SETUPS = [
    "gunicorn behind nginx",
    *(pytest.param(name, marks=pytest.mark.soak) for name in ("uwsgi behind nginx", "uwsgi")),
]


@pytest.fixture(scope="module", params=SETUPS)
def shop(
    request: pytest.FixtureRequest, start: Callable[..., Server], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Server, Server]]:
    """The app's server, and what stands before it."""
    command = uwsgi_command if request.param.startswith("uwsgi") else one_gunicorn
    app = start("heads", lambda port: command("tests.reality.heads_app:app", port))
    if not request.param.endswith("nginx"):
        yield app, app
        return
    with nginx(app, tmp_path_factory.mktemp("nginx")) as proxy:
        yield app, proxy


def bought(shop: tuple[Server, Server], browser: Browser, sandbox: Sandbox, kind: str, sizes: range) -> dict[int, str]:
    """What became of the event of each redirect, by the size of the app's head or cookie."""
    ids: dict[str, int] = {}
    views = len(sandbox.events("Pageview"))
    known = {one["event_id"] for one in sandbox.events("AddToCart")}
    for number, size in enumerate(sizes, start=1):
        context = browser.new_context()
        answer = context.new_page().goto(f"{shop[1].url}/{kind}/{size}", wait_until="load")
        assert answer is not None
        assert answer.status == 200, size
        sandbox.await_events("AddToCart", len(known) + 1)
        sandbox.await_events("Pageview", views + number)  # the page's events leave with its page view
        (new,) = {one["event_id"] for one in sandbox.events("AddToCart")} - known
        known.add(new)
        ids[new] = size
        context.close()
    return {ids[event_id]: state for event_id, state in settled(sandbox, set(ids)).items()}


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
    shop: tuple[Server, Server], browser: Browser, sandbox_server: Server, kind: str
) -> None:
    with contextlib.closing(Sandbox(sandbox_server.url, shop[0].pixel)) as sandbox:
        check(bought(shop, browser, sandbox, kind, range(0, 3900, 1300)), shop[0])


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("kind", ["head", "session"])
def test_events_in_steps_of_100_bytes_match_or_have_their_reason(
    shop: tuple[Server, Server], browser: Browser, sandbox_server: Server, kind: str
) -> None:
    with contextlib.closing(Sandbox(sandbox_server.url, shop[0].pixel)) as sandbox:
        check(bought(shop, browser, sandbox, kind, range(0, 3901, 100)), shop[0])
