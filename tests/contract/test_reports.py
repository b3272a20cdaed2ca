"""A page's report through the real doors: answered before the app, read within bounds, stored before it is answered."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from io import BytesIO
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.contract.adapters import (
    Request,
    Response,
    Seen,
    WsgiServer,
    asgi_app,
    asgi_scope,
    make_client,
    seen_of_messages,
)
from tests.contract.adapters import run as run_now
from tests.core.endpoint.report_world import MINTED, token_of
from tests.delivery.delivery_world import StartedThreads
from tiktok_middleware import Client
from tiktok_middleware._bounded_read import read_within
from tiktok_middleware._rate_limit import EVENTS_PER_ADDRESS, PER_VISITOR
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.core.events.ids import timed_event_id
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

SAME = {"sec-fetch-site": "same-origin", "content-type": "text/plain", "user-agent": "Mozilla/5.0"}
POST = Request("POST", "/_tiktok/collect", headers=SAME)
APP = Response(status=418)


def by_asgi(
    client: Client, request: Request, pieces: list[bytes], *, mount: str = "", is_whole: bool = True
) -> list[dict[str, Any]]:
    """What the server is sent; of a body that is not whole the sender goes away."""
    messages: list[dict[str, Any]] = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if is_whole:
        messages[-1]["more_body"] = False
    left = iter([*messages, {"type": "http.disconnect"}])
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return next(left)

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(dict(message))

    scope: Any = {**asgi_scope(request), "path": mount + request.path, "root_path": mount}
    run_now(AsgiMiddleware(asgi_app(APP), client)(scope, receive, send))
    return sent


class Input(BytesIO):
    """A server's stream, which must not be read past what was promised."""

    def __init__(self, data: bytes, limit: int) -> None:
        super().__init__(data)
        self._left = limit

    def read(self, size: int | None = -1, /) -> bytes:
        assert size is not None
        assert 0 <= size <= self._left, "this read would block"
        self._left -= size
        return super().read(size)


def by_wsgi(
    client: Client, request: Request, body: bytes, *, mount: str = "", environ: dict[str, Any] | None = None
) -> Seen:
    server = WsgiServer()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("418 App", [])
        return [b"the app's"]

    class Mounted(WsgiMiddleware):
        def __call__(self, bare: Any, start_response: Any) -> Any:
            ours = {"SCRIPT_NAME": mount, "CONTENT_LENGTH": str(len(body)), "wsgi.input": Input(body, len(body))}
            return super().__call__({**bare, **ours, **(environ or {})}, start_response)

    return server.serve(Mounted(app, client), request)


def both(client: Client, request: Request, body: bytes, *, mount: str = "") -> list[Seen]:
    return [
        seen_of_messages(by_asgi(client, request, [body], mount=mount)),
        by_wsgi(client, request, body, mount=mount),
    ]


@pytest.fixture
def client() -> Iterator[Client]:
    made = make_client(browser_events="Search")
    yield made
    made.close(1)


@pytest.mark.parametrize("mount", ["", "/shop", "/a/b"])
def test_both_doors_answer_before_the_app(client: Client, mount: str) -> None:
    for seen in both(client, POST, b'{"u":"http://shop.example/?ttclid=E.C.P.x"}', mount=mount):
        assert (seen.status, json.loads(seen.body)) == (200, {"load": True})
        assert seen.header("content-length") == str(len(seen.body))
        assert seen.header("cache-control") == "no-store"
        assert (seen.header("set-cookie") or "").startswith(("ttclid=E.C.P.x", "_tt_fresh="))


def test_the_same_path_of_another_mount_is_the_apps(client: Client) -> None:
    request = Request("POST", "/other/_tiktok/collect", headers=SAME)
    assert [seen.status for seen in both(client, request, b"{}")] == [418, 418]


def test_a_confirmed_event_is_stored_once_whichever_door_it_comes_through(client: Client) -> None:
    body = json.dumps({"c": [[token_of(client.runtime), MINTED]]}).encode()
    first, second = both(client, POST, body)
    assert json.loads(first.body) == {"load": True}
    assert json.loads(second.body) == {"load": True, "no": [MINTED]}
    stats = client.stats()
    assert (stats["accepted"], stats["counts"]["already_counted"]) == (1, 1)


@pytest.mark.parametrize(
    ("body", "status"), [(b"", 400), (b"{", 400), (b"[" * 16_384, 400), (b"x" * 16_385, 413), (b"x" * 10_000_000, 413)]
)
def test_garbage_is_refused_alike(client: Client, body: bytes, status: int) -> None:
    for seen in both(client, POST, body):
        assert seen.status == status
        assert set(json.loads(seen.body)) == {"error"}


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (Request("GET", POST.path, headers=SAME), 405),
        (Request("POST", POST.path, headers={"sec-fetch-site": "cross-site"}), 403),
        (Request("POST", POST.path), 403),
    ],
)
def test_what_is_no_report_is_refused_alike_and_unread(client: Client, request_: Request, status: int) -> None:
    assert seen_of_messages(by_asgi(client, request_, [b""])).status == status
    assert by_wsgi(client, request_, b"", environ={"wsgi.input": None}).status == status


def test_who_reports_too_often_is_told_when_to_come_back(client: Client) -> None:
    mine, another = (Request("POST", POST.path, headers={**SAME, "cookie": f"_ttp={name}"}) for name in ("me", "you"))
    statuses = [by_wsgi(client, mine, b"{}").status for _ in range(PER_VISITOR.burst + 1)]
    assert statuses == [200] * PER_VISITOR.burst + [429]
    assert seen_of_messages(by_asgi(client, mine, [b"{}"])).header("retry-after") == "1"
    assert by_wsgi(client, another, b"{}").status == 200
    assert client.stats()["counts"]["collect_too_many"] == 2


@given(st.lists(st.binary(max_size=9000), min_size=1, max_size=6))
def test_a_body_may_come_in_any_pieces(pieces: list[bytes]) -> None:
    client = make_client()
    seen = seen_of_messages(by_asgi(client, POST, pieces))
    assert seen.status in ({400, 200} if sum(map(len, pieces)) <= 16_384 else {413})


def test_reading_ends_where_the_answer_is_known(client: Client) -> None:
    sent = by_asgi(client, POST, [b"x" * 16_385, b"never asked for"], is_whole=False)
    assert seen_of_messages(sent).status == 413


def test_who_has_gone_gets_no_answer(client: Client) -> None:
    assert by_asgi(client, POST, [b"{"], is_whole=False) == []


@pytest.mark.parametrize(
    ("environ", "status"),
    [
        ({"CONTENT_LENGTH": ""}, 400),  # whoever reads on waits
        ({"CONTENT_LENGTH": "x"}, 400),
        ({"CONTENT_LENGTH": "-1"}, 400),
        ({"CONTENT_LENGTH": "", "wsgi.input_terminated": True, "wsgi.input": BytesIO(b"{}")}, 200),
        ({"CONTENT_LENGTH": "9" * 5000, "wsgi.input": BytesIO(b"{}")}, 200),
    ],
)
def test_a_body_of_unknown_length_is_read_only_where_it_ends(
    client: Client, environ: dict[str, Any], status: int
) -> None:
    assert by_wsgi(client, POST, b"{}", environ=environ).status == status


def test_a_sender_that_breaks_off_is_refused(client: Client) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise ConnectionResetError

    assert by_wsgi(client, POST, b"{}", environ={"wsgi.input": Broken()}).status == 400


@pytest.mark.swallows
def test_our_own_failure_is_a_503_and_not_the_apps(client: Client) -> None:
    client.runtime = replace(client.runtime, is_excluded=cast("Any", None))
    assert [seen.status for seen in both(client, POST, b"{}")] == [503, 503]


def test_switched_off_the_path_is_the_apps() -> None:
    off = make_client(enabled=False)
    assert [seen.status for seen in both(off, POST, b"{}")] == [418, 418]


def test_reports_of_one_address_store_a_bounded_number_of_events(client: Client) -> None:
    statuses = []
    for report in range(20):
        minted = [timed_event_id(client.runtime.clock(), bytes([report, number] * 5)) for number in range(50)]
        body = json.dumps({"c": [[token_of(client.runtime), one] for one in minted]}).encode()
        statuses.append(both(client, POST, body)[0].status)
    counts = client.stats()["counts"]
    assert 429 in statuses
    assert 0 < counts["confirmed"] <= EVENTS_PER_ADDRESS.burst + 50
    assert counts["collect_too_many_events"] > 0


def test_choice_in_a_report_counts_although_its_events_are_too_many(client: Client) -> None:
    body = json.dumps({"w": "d", "e": [["Search", {}, f"id-{number}"] for number in range(20)]}).encode()
    for _ in range(20):
        for seen in both(client, POST, body):
            assert seen.status == 200
            assert "_tt_consent=d" in (seen.header("set-cookie") or "")


def test_markup_event_is_fired_from_its_token_and_never_from_the_page(client: Client) -> None:
    asgi, wsgi = both(client, POST, json.dumps({"m": [[token_of(client.runtime), MINTED], ["forged", "x"]]}).encode())
    assert json.loads(asgi.body) == {"load": True, "e": [["ViewContent", {"value": 5}, MINTED]], "no": ["x"]}
    assert json.loads(wsgi.body) == {"load": True, "no": [MINTED, "x"]}, "counted already"


class Stalled:
    """An input whose sender has stopped."""

    def __init__(self) -> None:
        self.goes_on = threading.Event()

    def read(self, _: int) -> bytes:
        self.goes_on.wait(20)
        return b"{}"


@pytest.mark.slow
def test_unfinished_report_does_not_hold_a_synchronous_worker() -> None:
    client, stalled = make_client(), Stalled()
    started = time.monotonic()
    seen = by_wsgi(client, POST, b"", environ={"wsgi.input": stalled, "CONTENT_LENGTH": "99"})
    assert (seen.status, json.loads(seen.body)) == (408, {"error": "unfinished"})
    assert time.monotonic() - started < 5
    stalled.goes_on.set()
    client.close(1)


def test_many_unfinished_reports_hold_a_bounded_number_of_threads() -> None:
    stalled, started = Stalled(), StartedThreads()
    try:
        bodies = [read_within({"wsgi.input": stalled}, 9, timeout_s=0.01) for _ in range(50)]
        assert bodies == [None] * 50
        assert len(started.alive) <= 16
    finally:
        stalled.goes_on.set()
