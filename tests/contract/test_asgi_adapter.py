"""What ASGI apps may do that WSGI apps cannot: odd messages, missing keys, failing and being cancelled at any point."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trio
from asgiref.sync import iscoroutinefunction

from tests.contract.adapters import (
    PAGE,
    Request,
    asgi_messages,
    asgi_scope,
    make_client,
    run,
    seen_of_messages,
    without_ours,
)
from tiktok_middleware import Client
from tiktok_middleware.asgi import TikTokMiddleware
from tiktok_middleware.core.tracking.current import KEY, tracker_var

HEAD, REST = PAGE[: PAGE.index(b"<body>")], PAGE[PAGE.index(b"<body>") :]
START: dict[str, Any] = {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
GET = Request()


@pytest.fixture
def client() -> Iterator[Client]:
    made = make_client()
    yield made
    made.close()


def app_of(*messages: dict[str, Any], error: BaseException | None = None) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for message in messages:
            await send(message)
        if error is not None:
            raise error

    return app


def body(data: bytes, *, more: bool = False) -> dict[str, Any]:
    return {"type": "http.response.body", "body": data, "more_body": more}


def sent(app: Any, request: Request = GET) -> list[dict[str, Any]]:
    return asgi_messages(app, request)


@pytest.mark.parametrize(
    "headers",
    [
        lambda: ((name, value) for name, value in START["headers"]),
        lambda: tuple(START["headers"]),
        lambda: [list(pair) for pair in START["headers"]],
        lambda: [(b"Content-Type", b"TEXT/HTML; Charset=UTF-8")],
    ],
    ids=["generator", "tuple", "lists", "upper case"],
)
def test_headers_may_be_any_iterable_of_pairs(client: Client, headers: Callable[[], Any]) -> None:
    messages = sent(TikTokMiddleware(app_of({**START, "headers": headers()}, body(PAGE)), client))
    rest, count = without_ours(client, seen_of_messages(messages).body)
    assert (rest, count) == (PAGE, 1)


@pytest.mark.parametrize("start", [{"type": "http.response.start", "status": 204}, {**START, "headers": []}])
def test_headers_may_be_missing(client: Client, start: dict[str, Any]) -> None:
    messages = sent(
        TikTokMiddleware(app_of(start, body(b"")), client),
        Request(query="ttclid=E.C.P.x", headers={"accept": "text/html"}),
    )
    names = [name for name, _ in messages[0]["headers"]]
    assert b"set-cookie" in names
    assert all(isinstance(part, bytes) for pair in messages[0]["headers"] for part in pair)


def test_unknown_messages_pass_in_their_place(client: Client) -> None:
    hint = {"type": "http.response.early_hint", "links": [b"</a.css>"]}
    debug = {"type": "http.response.debug", "info": {"template": "x"}}
    trailers = {"type": "http.response.trailers", "headers": [(b"x", b"y")], "more_trailers": False}
    start = {**START, "trailers": True}
    messages = sent(TikTokMiddleware(app_of(hint, debug, start, body(HEAD, more=True), body(REST), trailers), client))
    assert messages[:2] == [hint, debug]
    assert messages[2]["trailers"] is True
    assert messages[-1] is trailers
    assert without_ours(client, b"".join(m.get("body", b"") for m in messages)) == (PAGE, 1)


@pytest.mark.parametrize("kind", ["http.response.pathsend", "http.response.zerocopysend"])
def test_a_body_that_is_sent_another_way_lets_the_head_go_first(client: Client, kind: str) -> None:
    message = {"type": kind, "path": "/srv/page.html"}
    start = {**START, "headers": [*START["headers"], (b"content-length", b"75"), (b"etag", b'"a"')]}
    before = client.stats()["counts"].get("page_body_unseen", 0)
    assert sent(TikTokMiddleware(app_of(start, message), client)) == [start, message]
    assert client.stats()["counts"]["page_body_unseen"] == before + 1


def test_other_keys_of_a_message_are_kept_and_missing_ones_allowed(client: Client) -> None:
    first = {"type": "http.response.body", "body": PAGE, "more_body": True, "x": 1}
    messages = sent(TikTokMiddleware(app_of({**START, "y": 2}, first, {"type": "http.response.body"}), client))
    assert messages[0]["y"] == 2
    assert messages[1]["x"] == 1
    assert without_ours(client, seen_of_messages(messages).body) == (PAGE, 1)


def test_the_apps_messages_are_never_written_to(client: Client) -> None:
    length = (b"content-length", str(len(PAGE)).encode())
    given = [{**START, "headers": [*START["headers"], length]}, body(HEAD, more=True), body(b"", more=True), body(REST)]
    before = copy.deepcopy(given)
    app = TikTokMiddleware(app_of(*given), client)
    first, second = sent(app, Request(query="ttclid=E.C.P.x")), sent(app, Request(query="ttclid=E.C.P.x"))
    assert given == before
    assert seen_of_messages(first) == seen_of_messages(second)


def test_what_is_not_ours_passes_as_the_same_objects(client: Client) -> None:
    given = [{**START, "headers": [(b"content-type", b"application/json")]}, body(b"{", more=True), body(b"}")]
    assert all(a is b for a, b in zip(sent(TikTokMiddleware(app_of(*given), client)), given, strict=True))


def test_an_app_may_use_its_head_again_once_it_is_sent(client: Client) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        start = {**START, "headers": list(START["headers"])}
        await send(start)
        start["status"] = 404
        start["headers"].clear()
        await send(body(PAGE))

    seen = seen_of_messages(sent(TikTokMiddleware(app, client)))
    assert (seen.status, seen.header("content-type")) == (200, "text/html")
    assert without_ours(client, seen.body) == (PAGE, 1)


def test_what_is_no_body_is_the_apps_own_mistake(client: Client) -> None:
    with pytest.raises(TypeError):
        sent(TikTokMiddleware(app_of(START, {**body(b""), "body": "text"}), client))


def test_what_sends_is_known_to_be_a_coroutine_function(client: Client) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert iscoroutinefunction(send)
        await app_of(START, body(PAGE))(scope, receive, send)

    assert len(sent(TikTokMiddleware(app, client))) == 2


def test_a_memoryview_is_a_body_too(client: Client) -> None:
    given = [START, {**body(b""), "body": memoryview(PAGE)}]
    assert without_ours(client, seen_of_messages(sent(TikTokMiddleware(app_of(*given), client))).body) == (PAGE, 1)


def test_every_chunk_leaves_before_the_next_one_is_made(client: Client) -> None:
    seen: list[dict[str, Any]] = []
    left: list[bytes] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        # Without a charset up to 1,024 bytes may be held: see core/page/charset_place.py.
        await send({**START, "headers": [(b"content-type", b"text/html; charset=utf-8")]})
        for piece in (HEAD, b"<body>", b"", b"one", b"two", b"</body></html>"):
            await send(body(piece, more=True))
            left.append(b"".join(message.get("body", b"") for message in seen))
        await send(body(b""))

    async def send(message: dict[str, Any]) -> None:
        seen.append(message)

    run(TikTokMiddleware(app, client)(asgi_scope(GET), None, send))  # type: ignore[arg-type]
    page = HEAD + b"<body>" + b"onetwo</body></html>"
    ends = [len(HEAD), len(HEAD) + 6, len(HEAD) + 6, len(HEAD) + 9, len(HEAD) + 12, len(page)]
    assert [without_ours(client, sent_so_far) for sent_so_far in left] == [(page[:end], 1) for end in ends]


def test_a_head_that_comes_in_pieces_streams_too(client: Client) -> None:
    left: list[bytes] = []
    seen: list[dict[str, Any]] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send(START)
        for piece in (b"<!doctype html><html><head><title>x</title>", b"<meta charset=utf-8></head>", b"<body>"):
            await send(body(piece, more=True))
            left.append(b"".join(message.get("body", b"") for message in seen))
        await send(body(b""))

    async def send(message: dict[str, Any]) -> None:
        seen.append(message)

    run(TikTokMiddleware(app, client)(asgi_scope(GET), None, send))  # type: ignore[arg-type]
    assert left[0] == b"<!doctype html><html><head><title>x</title>"
    assert without_ours(client, left[1])[1] == 1


class AppError(Exception):
    pass


FAILING = [
    (),
    (START,),
    (START, body(b"<!doctype html><tit", more=True)),
    (START, body(b"<p", more=True)),
    (START, body(HEAD, more=True)),
    (START, body(HEAD, more=True), body(b"<body>", more=True)),
    (START, body(PAGE)),
]


@pytest.mark.parametrize("given", FAILING, ids=lambda given: str(len(given)))
@pytest.mark.parametrize("length", [None, b"75"])
def test_an_app_that_raises_raises_the_same_and_what_it_sent_has_left(
    client: Client, given: tuple[dict[str, Any], ...], length: bytes | None
) -> None:
    if given and length:
        given = ({**START, "headers": [*START["headers"], (b"content-length", length)]}, *given[1:])
    seen: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        seen.append(message)

    error = AppError()
    with pytest.raises(AppError) as raised:
        run(TikTokMiddleware(app_of(*given, error=error), client)(asgi_scope(GET), None, send))  # type: ignore[arg-type]
    assert raised.value is error
    assert [message["type"] for message in seen[:1]] == [message["type"] for message in given[:1]]
    bodies = [message for message in seen if message["type"] == "http.response.body"]
    rest, _ = without_ours(client, b"".join(message["body"] for message in bodies))
    assert rest == b"".join(message["body"] for message in given[1:])
    ended = bool(given) and len(given) > 1 and not given[-1]["more_body"]
    assert [message for message in bodies if not message.get("more_body")] == bodies[-1:] * ended


def test_an_app_that_returns_without_an_end_leaves_nothing_behind(client: Client) -> None:
    messages = sent(TikTokMiddleware(app_of(START, body(b" <!doc", more=True)), client))
    assert messages[0] == START
    assert b"".join(message["body"] for message in messages[1:]) == b" <!doc"
    assert all(message["more_body"] for message in messages[1:])


def test_a_server_that_takes_nothing_more_hears_the_apps_own_error(client: Client) -> None:
    async def send(message: Any) -> None:
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        run(TikTokMiddleware(app_of(START, body(PAGE)), client)(asgi_scope(GET), None, send))  # type: ignore[arg-type]


def test_the_tracker_is_in_the_scope_and_the_context_and_gone_afterwards(client: Client) -> None:
    found: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        found.append((scope[KEY], tracker_var.get()))
        await app_of(START, body(PAGE))(scope, receive, send)

    sent(TikTokMiddleware(app, client))
    assert found[0][0] is found[0][1] is not None
    assert tracker_var.get() is None


async def _tracking(scope: Any, receive: Any, send: Any) -> None:
    scope[KEY].track("ViewContent")
    await send(START)
    await send(body(PAGE))


async def _itself(awaitable: Any) -> None:
    await awaitable


@pytest.mark.parametrize("start", [asyncio.run, lambda main: trio.run(_itself, main)], ids=["asyncio", "trio"])
def test_both_event_loops_wait_for_the_disk(start: Callable[[Any], Any], tmp_path: Any) -> None:
    client = make_client()
    client.close()
    client = Client(
        client.config.__class__(
            pixel_id="C0000000000000000000",
            access_token="t",
            outbox=f"sqlite:///{tmp_path}/outbox.sqlite3",
            sink="import:tests.contract.adapters:make_sink",
        )
    )
    seen: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        seen.append(message)

    async def main() -> None:
        await TikTokMiddleware(_tracking, client)(asgi_scope(GET), None, send)  # type: ignore[arg-type]

    start(main())
    client.close()
    data = seen_of_messages(seen).body
    assert b"ViewContent" in data
    assert without_ours(client, data) == (PAGE, 1)


def test_cancellation_passes_and_drops_the_events(client: Client) -> None:
    seen: list[dict[str, Any]] = []

    async def send(message: dict[str, Any]) -> None:
        seen.append(message)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scope[KEY].track("ViewContent")
        await send(START)
        await asyncio.sleep(60)

    async def main() -> None:
        task = asyncio.create_task(TikTokMiddleware(app, client)(asgi_scope(GET), None, send))  # type: ignore[arg-type]
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(main())
    assert seen == []
    assert client.stats()["counts"]["request_failed"] == 1
    assert tracker_var.get() is None
