"""Whatever comes back over the wire, or does not, is a verdict within bounded time, and no token is told to anyone."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator

import pytest

from tests.delivery.delivery_world import PIXEL, Api, Clock, record, running_api
from tiktok_middleware.core.events_api.answers import Delivered, Halted, Rejected, Retry
from tiktok_middleware.delivery.sender.events_api import EventsApi

TOKEN = "tok-s3cret"


@pytest.fixture
def api() -> Iterator[Api]:
    with running_api() as api:
        yield api


@pytest.fixture
def sink(api: Api) -> Iterator[EventsApi]:
    sink = EventsApi(api.url + "/", {PIXEL: TOKEN, "C2": "tok-2"}, clock=Clock())
    yield sink
    sink.close()


def test_a_batch_is_one_post_in_tiktoks_form(api: Api, sink: EventsApi) -> None:
    batch = [record("a"), record("b")]
    assert sink.send(batch) == [Delivered(), Delivered()]
    (request,) = api.requests
    assert request.path == "/open_api/v1.3/event/track/"
    assert request.headers["access-token"] == TOKEN
    assert request.headers["content-type"] == "application/json"
    assert "authorization" not in request.headers
    assert json.loads(request.body) == {
        "event_source": "web",
        "event_source_id": PIXEL,
        "data": [json.loads(r.body) for r in batch],
    }


def test_each_pixel_has_its_own_token(api: Api, sink: EventsApi) -> None:
    sink.send([record("a", pixel="C2", source="crm")])
    assert api.requests[0].headers["access-token"] == "tok-2"
    assert json.loads(api.requests[0].body)["event_source"] == "crm"


def test_a_pixel_without_a_token_is_halted_unsent(api: Api, sink: EventsApi) -> None:
    assert sink.send([record("a", pixel="C9")]) == [Halted("no access token is configured for it")]
    assert api.requests == []


def test_test_events_carry_the_code(api: Api) -> None:
    sink = EventsApi(api.url, {PIXEL: TOKEN}, "TEST1")
    sink.send([record("a")])
    assert json.loads(api.requests[0].body)["test_event_code"] == "TEST1"
    sink.close()


def test_the_connection_is_kept(api: Api, sink: EventsApi, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[object] = []
    real = socket.create_connection
    monkeypatch.setattr(socket, "create_connection", lambda *a, **k: opened.append(a) or real(*a, **k))  # type: ignore[func-returns-value]
    for i in range(5):
        assert sink.send([record(f"e{i}")]) == [Delivered()]
    assert len(opened) == 1


def test_the_answer_decides(api: Api, sink: EventsApi) -> None:
    api.body = b'{"code":40002,"message":"Batch.0.x: bad"}'
    assert sink.send([record("a"), record("b")]) == [Rejected("40002 Batch.0.x: bad")] * 2
    api.status, api.body = 401, b'{"code":40105,"message":"expired"}'
    assert sink.send([record("a")]) == [Halted("40105 expired")]
    api.status, api.body, api.headers = 503, b"", {"Retry-After": "Thu, 09 Oct 2025 08:53:50 GMT"}
    assert sink.send([record("a")]) == [Retry(30.0, "HTTP 503 without a TikTok code")]


def test_a_redirect_is_not_followed_with_the_token(api: Api, sink: EventsApi) -> None:
    api.status, api.headers = 307, {"Location": api.url + "/elsewhere/"}
    api.body = b""
    assert isinstance(sink.send([record("a")])[0], Retry)
    assert len(api.requests) == 1


def test_nobody_listening_is_a_reason_to_retry(sink: EventsApi) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = EventsApi(f"http://127.0.0.1:{free.getsockname()[1]}", {PIXEL: TOKEN})
        assert nobody.send([record("a")]) == [Retry(None, "ConnectError")]
        nobody.close()


def test_a_connection_cut_in_the_middle_is_a_reason_to_retry(api: Api, sink: EventsApi) -> None:
    api.headers = {"Content-Length": "1000", "Connection": "close"}
    (verdict,) = sink.send([record("a")])
    assert isinstance(verdict, Retry)
    api.headers = {}
    assert sink.send([record("a")]) == [Delivered()]


def test_garbage_is_a_reason_to_retry() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer() -> None:
            connection, _ = server.accept()
            with connection:
                connection.recv(65536)
                connection.sendall(b"\x00\xff not http\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        sink = EventsApi(f"http://127.0.0.1:{server.getsockname()[1]}", {PIXEL: TOKEN})
        assert isinstance(sink.send([record("a")])[0], Retry)
        sink.close()
        thread.join(5)


def test_an_endless_answer_is_read_no_further_than_needed(api: Api, sink: EventsApi) -> None:
    api.body = b" " * 50_000_000
    started = time.monotonic()
    (verdict,) = sink.send([record("a")])
    assert isinstance(verdict, Retry)
    assert time.monotonic() - started < 5
    api.body = Api.OK
    assert sink.send([record("a")]) == [Delivered()]


def test_cutting_what_never_began_does_nothing() -> None:
    EventsApi("http://127.0.0.1:9", {PIXEL: TOKEN})._cut()


def test_a_dripping_answer_ends_at_the_deadline(api: Api) -> None:
    """Each byte comes within the read timeout, so only the deadline ends it."""
    sink = EventsApi(api.url, {PIXEL: TOKEN}, deadline_s=0.3)
    assert sink.send([record("a")]) == [Delivered()], "on the very connection that is cut later"
    api.drip_s = 0.02
    started = time.monotonic()
    (verdict,) = sink.send([record("b")])
    assert isinstance(verdict, Retry)
    assert 0.2 < time.monotonic() - started < 3
    api.drip_s = 0.0
    assert sink.send([record("c")]) == [Delivered()]
    sink.close()


@pytest.mark.parametrize("token", ["tok\nX-Evil: 1", "tökén", " tok", "tok\x7f"])
def test_a_malformed_token_halts_and_is_not_told(api: Api, token: str, caplog: pytest.LogCaptureFixture) -> None:
    sink = EventsApi(api.url, {PIXEL: token})
    with caplog.at_level(logging.DEBUG):
        (verdict,) = sink.send([record("a")])
    sink.close()
    assert verdict == Halted("its access token holds what no header may hold")
    assert token.strip() not in caplog.text
    assert api.requests == []


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/", "no-url", "http://[bad/"])
def test_a_malformed_address_halts(url: str) -> None:
    sink = EventsApi(url, {PIXEL: TOKEN})
    assert isinstance(sink.send([record("a")])[0], Halted)
    sink.close()


def test_no_log_line_of_any_level_holds_the_token(api: Api, sink: EventsApi, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        sink.send([record("a")])
    assert TOKEN not in caplog.text


@pytest.mark.parametrize(
    ("url", "trusts"),
    [
        ("http://127.0.0.1:1/x", False),
        ("http://[::1]:1/x", False),
        ("http://localhost/x", False),
        ("http://app.localhost/x", False),
        ("https://business-api.tiktok.com/open_api/v1.3", True),
    ],
)
def test_a_proxy_of_the_environment_counts_except_for_our_own_host(
    url: str, trusts: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tiktok_middleware.delivery.sender.events_api import _open

    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    client = _open(url, 60.0)
    assert client.trust_env is trusts
    client.close()


def test_where_no_thread_can_start_the_post_goes_without_its_watchdog(
    api: Api, sink: EventsApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't create new thread at interpreter shutdown")

    with monkeypatch.context() as patch:
        patch.setattr(threading.Timer, "start", start)
        assert sink.send([record("a")]) == [Delivered()]


def test_importing_the_package_imports_no_client() -> None:
    code = "import sys, tiktok_middleware.delivery; sys.exit('httpx' in sys.modules or 'asyncio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=30).returncode == 0
