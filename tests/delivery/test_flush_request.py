"""``TIKTOK_FLUSH=request``: TikTok has the event before its response ends, and no thread is left that a freeze could stop."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trio

from tests.contract.adapters import HTML, PAGE, Request, Response, WsgiServer, asgi_app, asgi_scope, list_app
from tests.core.core_world import scope_request
from tests.core.endpoint.report_world import SAME, token_of
from tests.delivery.delivery_world import PIXEL, Api, StartedThreads, wait_until
from tiktok_middleware import Client, Config
from tiktok_middleware._asgi_response import Message
from tiktok_middleware._start_line import start_line
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.core.events.ids import timed_event_id
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.delivery.delivery import FLUSH_S, Delivery, DeliveryOptions, open_delivery
from tiktok_middleware.errors import ConfigError
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

EVENTS = (("Purchase", {"value": 24.0, "currency": "EUR"}),)
SHAPES = {
    "page": Response(headers=(HTML,), pieces=(PAGE,), events=EVENTS),
    "stream": Response(headers=(HTML,), pieces=(PAGE, b"more"), events=EVENTS, is_streamed=True),
    "json": Response(headers=(("Content-Type", "application/json"),), pieces=(b"{}",), events=EVENTS, has_length=True),
    "redirect": Response(303, (("Location", "/thanks"),), (b"",), EVENTS, has_length=True),
}

#: Answers a request, and says how many events TikTok had when the last bytes left.
Visit = Callable[[Client, Response, Api], int]


def visit_wsgi(client: Client, response: Response, api: Api) -> int:
    server = WsgiServer()
    had: list[int] = []
    write = server.write
    server.write = lambda data: (had.append(len(api.ids)), write(data))[1]  # type: ignore[method-assign, func-returns-value]
    server.serve(WsgiMiddleware(list_app(response), client), Request())
    return had[-1] if had else len(api.ids)


async def visit_async(client: Client, app: Any, api: Api) -> int:
    had: list[int] = []

    async def send(message: Message) -> None:
        if message["type"] == "http.response.body" and not message.get("more_body", False):
            had.append(len(api.ids))

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    await AsgiMiddleware(app, client)(asgi_scope(Request()), receive, send)
    return had[-1]


def visit_asgi(client: Client, response: Response, api: Api) -> int:
    return asyncio.run(visit_async(client, asgi_app(response), api))


def visit_trio(client: Client, response: Response, api: Api) -> int:
    return trio.run(visit_async, client, asgi_app(response), api)


VISITS: dict[str, Visit] = {"wsgi": visit_wsgi, "asgi": visit_asgi, "trio": visit_trio}


@pytest.fixture
def client(api: Api, outbox: str) -> Iterator[Client]:
    client = Client(Config(pixel_id=PIXEL, access_token="t", api_url=api.url, outbox=outbox, flush="request"))
    yield client
    client.close(1)


@pytest.fixture
def started() -> StartedThreads:
    return StartedThreads()


@pytest.mark.parametrize("visit", VISITS.values(), ids=VISITS)
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_tiktok_has_it_before_the_last_bytes_leave(
    started: StartedThreads, client: Client, api: Api, visit: Visit, shape: Response
) -> None:
    client.start()
    assert visit(client, shape, api) == 1
    assert len(api.ids) == 1
    assert wait_until(lambda: not started.ours)
    stats = client.stats()
    assert (stats["delivered"], stats["waiting"], stats["counts"].get("undurable", 0)) == (1, 0, 0)


def test_what_is_tracked_after_the_response_is_sent_before_the_app_is_done(client: Client, api: Api) -> None:
    """Starlette's background tasks run then."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await asgi_app(SHAPES["json"])(scope, receive, send)
        scope[KEY].track("Contact", {})

    asyncio.run(visit_async(client, app, api))
    assert len(api.ids) == 2


def test_what_is_tracked_when_even_the_app_is_done_is_sent_too(client: Client, api: Api) -> None:
    kept: list[Any] = []

    def app(environ: Any, start_response: Any) -> Any:
        kept.append(environ[KEY])
        return list_app(SHAPES["json"])(environ, start_response)

    WsgiServer().serve(WsgiMiddleware(app, client), Request())
    kept[0].track("Contact", {})
    assert len(api.ids) == 2


@pytest.mark.slow
@pytest.mark.parametrize("visit", VISITS.values(), ids=VISITS)
def test_what_fails_is_sent_with_the_next_that_is_tracked(client: Client, api: Api, visit: Visit) -> None:
    assert isinstance(client.delivery, Delivery)
    client.delivery._relay.backoff._random = lambda: 1.0  # a second
    api.status, api.body = 503, b""
    assert visit(client, SHAPES["page"], api) == 1, "it was tried"
    assert client.stats()["waiting"] == 1
    assert visit(client, SHAPES["page"], api) == 1, "the road is closed: the next visitor waits for nothing"
    api.status, api.body = 200, Api.OK
    api.requests.clear()
    time.sleep(1.1)
    assert visit(client, SHAPES["page"], api) == 3
    assert client.stats()["waiting"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("visit", [visit_wsgi, visit_asgi])
def test_a_tiktok_that_drips_holds_a_request_two_seconds_at_most(
    started: StartedThreads, client: Client, api: Api, visit: Visit
) -> None:
    api.drip_s = 0.02
    began = time.monotonic()
    visit(client, SHAPES["page"], api)
    assert FLUSH_S * 0.5 < time.monotonic() - began < FLUSH_S + 2
    assert client.stats()["waiting"] == 1
    assert wait_until(lambda: not started.ours)
    api.drip_s = 0.0
    assert client.flush(10), "and a job may flush what no request did"
    assert len(set(api.ids)) == 1


@pytest.mark.slow
def test_the_loop_goes_on_meanwhile(client: Client, api: Api) -> None:
    api.drip_s = 0.02

    async def main() -> tuple[int, float]:
        visiting = asyncio.ensure_future(visit_async(client, asgi_app(SHAPES["page"]), api))
        began, ticks = time.monotonic(), 0
        while not visiting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks, time.monotonic() - began

    ticks, took_s = asyncio.run(main())
    api.drip_s = 0.0
    assert ticks > took_s / 0.01 / 4


@pytest.mark.slow
def test_the_loop_goes_on_while_a_pages_report_is_sent_too(client: Client, api: Api) -> None:
    api.drip_s = 0.02
    token = token_of(client.runtime, expires=time.time() + 600)
    said = {"c": [[token, timed_event_id(time.time(), bytes(10))]], "x": ["a-reference"]}
    request = scope_request("/_tiktok/collect", SAME, method="POST")

    async def main() -> tuple[int, float]:
        reporting = asyncio.ensure_future(client.collect_async(request, json.dumps(said).encode()))
        began, ticks = time.monotonic(), 0
        while not reporting.done():
            await asyncio.sleep(0.01)
            ticks += 1
        assert reporting.result().status_line.startswith("200")
        return ticks, time.monotonic() - began

    ticks, took_s = asyncio.run(main())
    api.drip_s = 0.0
    assert api.ids, "the event was sent meanwhile"
    assert ticks > took_s / 0.01 / 4


def test_many_at_once_lose_nothing_and_send_nothing_twice(client: Client, api: Api) -> None:

    async def main() -> None:
        await asyncio.gather(*(visit_async(client, asgi_app(SHAPES["json"]), api) for _ in range(40)))

    asyncio.run(main())
    assert client.flush(10), "on a slow machine one may have waited too long for its turn"
    assert len(api.ids) == len(set(api.ids)) == 40
    assert client.stats()["waiting"] == 0


@pytest.mark.slow
def test_no_thread_is_needed_at_all(api: Api, tmp_path: Path) -> None:
    """As under a uWSGI without threads, or at the interpreter's end."""
    options: dict[str, Any] = {
        "pixel_id": PIXEL,
        "access_token": "t",
        "api_url": api.url,
        "flush": "request",
        "consent": "implied",
    }
    code = f"""
    import threading

    def start(self):
        raise RuntimeError("can't start new thread")

    threading.Thread.start = start
    from tests.contract.adapters import Request, WsgiServer, list_app
    from tests.delivery.test_flush_request import SHAPES
    from tiktok_middleware import Client, Config
    from tiktok_middleware.wsgi import TikTokMiddleware

    for outbox in ("memory://", "sqlite:///{tmp_path}/x.sqlite3"):
        client = Client(Config(outbox=outbox, **{options}))
        WsgiServer().serve(TikTokMiddleware(list_app(SHAPES["page"]), client), Request())
        assert client.stats()["delivered"] == 1
        assert client.close(1)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, timeout=60, check=False
    )
    text, unusual = start_line(Config(outbox="memory://", **options), "memory://")
    assert len(unusual) == 1, "the outbox in memory"
    assert (done.returncode, done.stderr) == (0, f"TikTok middleware: {text}. {unusual[0]}.\n")
    assert len(api.ids) == 2


def test_two_processes_share_an_outbox_and_each_sends_its_own(api: Api, tmp_path: Path) -> None:
    options = DeliveryOptions(
        outbox=f"sqlite:///{tmp_path}/x.sqlite3", tokens={PIXEL: "t"}, api_url=api.url, flush="request"
    )
    with contextlib.ExitStack() as stack:
        one, other = open_delivery(options), open_delivery(options)
        stack.callback(one.close, 1)
        stack.callback(other.close, 1)
        clients = [Client(Config(pixel_id=PIXEL, access_token="t", outbox="memory://")) for _ in range(2)]
        for client, delivery in zip(clients, (one, other), strict=True):
            stack.callback(client.close, 0)
            client.delivery = delivery
            visit_wsgi(client, SHAPES["page"], api)
        assert len(set(api.ids)) == 2
        assert one.stats()["waiting"] == other.stats()["waiting"] == 0


def test_another_word_is_refused() -> None:
    with pytest.raises(ConfigError, match="background, request"):
        open_delivery(DeliveryOptions(flush="never"))
