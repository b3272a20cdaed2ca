"""Real servers and a real browser for the tests of this folder; started once, stopped when the folder is done."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from tests.browser.servers import (
    MORE_SHOPS,
    SHOPS,
    Server,
    command_of,
    free_port,
    plain_environment,
    running,
    shop_environment,
    uvicorn_command,
)
from tests.browser.visitor import Sandbox, Visitor

CHROMIUM = "/usr/bin/chromium"
#: Chromium's own program without windows: the same engine and network stack, a third of the processor time.
#: `make soak` runs the whole browser, and so does a machine that has no other.
HEADLESS_SHELL = "/usr/bin/chromium-headless-shell"
_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP *.tidewheel.example 127.0.0.1",
]

# The package, not the session: while Playwright's synchronous API runs, nobody else in the process can run an event loop.
_SCOPE: Literal["package"] = "package"

MakeVisitor = Callable[..., Visitor]


@pytest.fixture(scope=_SCOPE)
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as started:
        yield started


def _launch(playwright: Playwright, program: str = CHROMIUM, **options: Any) -> Browser:
    if not Path(program).exists():
        pytest.fail(f"{program} is missing and the browser tests need it: apt-get install chromium", pytrace=False)
    return playwright.chromium.launch(executable_path=program, args=_ARGUMENTS, **options)


@pytest.fixture(scope=_SCOPE)
def browser(playwright: Playwright, pytestconfig: pytest.Config) -> Iterator[Browser]:
    is_short = pytestconfig.getoption("markexpr") == "not soak" and Path(HEADLESS_SHELL).exists()
    launched = _launch(playwright, HEADLESS_SHELL if is_short else CHROMIUM)
    yield launched
    launched.close()


@pytest.fixture(scope=_SCOPE)
def restoring_browser(playwright: Playwright) -> Iterator[Browser]:
    """A browser that brings pages back alive on the back button, as people's do and Playwright's does not."""
    launched = _launch(playwright, ignore_default_args=["--disable-back-forward-cache"])
    yield launched
    launched.close()


@pytest.fixture(scope=_SCOPE)
def sandbox_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port, folder = free_port(), tmp_path_factory.mktemp("sandbox")
    command = uvicorn_command("tiktok_middleware.sandbox:app", port)
    with running("sandbox", [*command, "--log-level", "warning"], port, folder, plain_environment(folder)) as server:
        yield server


@pytest.fixture(scope=_SCOPE)
def start(sandbox_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Server]]:
    """Starts shops and other apps, each with a pixel of its own, and stops them all at the end."""
    with contextlib.ExitStack() as stack:
        numbers = iter(range(1, 1000))

        def start(
            name: str, command: Callable[[int], list[str]], *, outbox: Path | None = None, orders: Path | None = None,
            pixel: str = "", with_pixel: bool = True, **variables: str,
        ) -> Server:  # fmt: skip
            port, folder = free_port(), tmp_path_factory.mktemp(name)
            pixel = pixel or f"C{next(numbers):019d}" if with_pixel else ""
            environment = plain_environment(folder)
            if with_pixel:
                environment = shop_environment(folder, sandbox_server.url, pixel, outbox=outbox)
            if orders:
                environment["SHOP_DB"] = str(orders)
            environment |= variables
            return stack.enter_context(running(name, command(port), port, folder, environment, pixel=pixel))

        yield start


@pytest.fixture(scope=_SCOPE)
def shops(start: Callable[..., Server]) -> Callable[[str], Server]:
    """A running shop by name; each is started when it is first asked for."""
    started: dict[str, Server] = {}

    def shop(name: str) -> Server:
        if name not in started:
            started[name] = start(name, lambda port: command_of(name, port))
        return started[name]

    return shop


@pytest.fixture(params=[*SHOPS, *(pytest.param(name, marks=pytest.mark.soak) for name in MORE_SHOPS)])
def shop(request: pytest.FixtureRequest, shops: Callable[[str], Server]) -> Server:
    """Each of the shops."""
    return shops(request.param)


@pytest.fixture(scope=_SCOPE)
def plain_shop(start: Callable[..., Server]) -> Server:
    """A shop without a pixel id."""
    return start("plain", lambda port: command_of("starlette", port), with_pixel=False)


@pytest.fixture(scope=_SCOPE)
def answers(start: Callable[..., Server]) -> Server:
    """The application of `answers_app`."""
    return start("answers", lambda port: uvicorn_command("tests.browser.answers_app:app", port))


@pytest.fixture
def visit(request: pytest.FixtureRequest, sandbox_server: Server) -> Iterator[MakeVisitor]:
    """Makes visitors; when the test is over, none of them may have seen an error that the test does not expect."""
    with contextlib.ExitStack() as stack:
        visitors: list[Visitor] = []

        def visit(shop: Server, browser: str = "browser", **options: Any) -> Visitor:
            watching = Sandbox(sandbox_server.url, shop.pixel)
            stack.callback(watching.close)  # last of all
            if not visitors:
                watching.reset()
                stack.callback(watching.reset)
            context = request.getfixturevalue(browser).new_context(**options)
            stack.callback(context.close)
            visitors.append(Visitor(context, shop, watching))
            return visitors[-1]

        yield visit
        for visitor in visitors:
            assert visitor.errors == [], f"in the console, at {visitor.page.url}"
