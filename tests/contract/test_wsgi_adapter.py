"""What PEP 3333 lets apps do: write(), generators, lists, late heads, errors at any point; and what servers count on."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any
from wsgiref.util import FileWrapper
from wsgiref.validate import validator

import pytest

from tests.contract.adapters import (
    HTML,
    PAGE,
    Request,
    Response,
    WsgiServer,
    environ_of,
    list_app,
    make_client,
    without_ours,
)
from tiktok_middleware import Client
from tiktok_middleware.core.tracking.current import KEY, tracker_var
from tiktok_middleware.wsgi import TikTokMiddleware

HEAD, REST = PAGE[: PAGE.index(b"<body>")], PAGE[PAGE.index(b"<body>") :]
LENGTH = ("Content-Length", str(len(PAGE)))
GET = Request()


@pytest.fixture
def client() -> Iterator[Client]:
    made = make_client()
    yield made
    made.close()


class Closing:
    """An iterable that counts how often it is closed."""

    def __init__(self, *pieces: bytes, error: Exception | None = None) -> None:
        self.pieces = iter(pieces)
        self.error = error
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        for piece in self.pieces:
            return piece
        if self.error is not None:
            raise self.error
        raise StopIteration

    def close(self) -> None:
        self.closed += 1


def exc_info(error: Exception) -> Any:
    try:
        raise error
    except type(error):
        return sys.exc_info()


def answering(iterable: Any, headers: tuple[tuple[str, str], ...] = (HTML,), status: str = "200 OK") -> Any:
    def app(environ: Any, start_response: Any) -> Any:
        start_response(status, list(headers))
        return iterable

    return app


def serve(app: Any, client: Client, request: Request = GET) -> WsgiServer:
    server = WsgiServer()
    server.serve(TikTokMiddleware(app, client), request)
    return server


@pytest.mark.parametrize(
    "make",
    [
        lambda: [PAGE],
        lambda: (HEAD, REST),
        lambda: [HEAD, b"", REST, b""],
        lambda: iter([HEAD, REST]),
        lambda: Closing(HEAD, REST),
        lambda: (PAGE[i : i + 1] for i in range(len(PAGE))),
    ],
    ids=["list", "tuple", "with empty pieces", "iterator", "closing", "byte by byte"],
)
@pytest.mark.parametrize("headers", [(HTML,), (HTML, LENGTH)], ids=["no length", "length"])
def test_every_kind_of_iterable_is_injected_once(
    client: Client, make: Callable[[], Any], headers: tuple[tuple[str, str], ...]
) -> None:
    seen = serve(answering(make(), headers), client).seen
    assert without_ours(client, seen.body) == (PAGE, 1)
    assert seen.header("content-length") in {None, str(len(seen.body))}
    assert (seen.header("content-length") is None) == (len(headers) == 1)


@pytest.mark.parametrize("make", [list, tuple, lambda: iter([]), lambda: [b""], Closing])
@pytest.mark.parametrize("headers", [(), (HTML,), (("Content-Type", "application/json"),)])
def test_empty_iterables_stay_empty_and_their_head_is_sent(
    client: Client, make: Callable[[], Any], headers: tuple[tuple[str, str], ...]
) -> None:
    seen = serve(answering(make(), headers), client).seen
    assert (seen.status, seen.body) == (200, b"")
    assert [header for header in seen.headers if header[0] == "content-type"] == [(n.lower(), v) for n, v in headers]


def test_headers_that_are_added_to_none_are_text(client: Client) -> None:
    seen = serve(answering([b"ok"], ()), client, Request(query="ttclid=E.C.P.x", headers={"accept": "text/html"})).seen
    assert "set-cookie" in dict(seen.headers)  # WsgiServer checks the types


def test_write_comes_before_what_is_returned(client: Client) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [HTML])
        write(PAGE[:9])
        write(b"")
        write(PAGE[9:40])
        return [PAGE[40:]]

    assert without_ours(client, serve(app, client).seen.body) == (PAGE, 1)


def test_the_head_may_come_with_the_first_piece(client: Client) -> None:
    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [HTML])
        yield HEAD
        yield REST

    assert without_ours(client, serve(app, client).seen.body) == (PAGE, 1)


def test_every_chunk_leaves_before_the_next_one_is_made(client: Client) -> None:
    server = WsgiServer()
    left: list[bytes] = []

    def app(environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [HTML])
        for piece in (HEAD, b"<body>", b"one", b"two"):
            yield piece
            left.append(b"".join(server.chunks))

    server.serve(TikTokMiddleware(app, client), GET)
    page = HEAD + b"<body>onetwo"
    ends = [len(HEAD), len(HEAD) + 6, len(HEAD) + 9, len(page)]
    assert [without_ours(client, sent_so_far) for sent_so_far in left] == [(page[:end], 1) for end in ends]


def test_an_error_page_may_replace_a_head_that_has_not_left(client: Client) -> None:
    def app(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [HTML])
        environ[KEY].track("ViewContent")
        start_response("500 Oops", [("Content-Type", "text/plain")], exc_info(ValueError()))
        return [b"sorry"]

    seen = serve(app, client).seen
    assert (seen.status, seen.headers, seen.body) == (500, [("content-type", "text/plain")], b"sorry")
    assert client.stats()["counts"]["request_failed"] == 1


@pytest.mark.parametrize("piece", [b"<!doctype html><title>", HEAD, b"{}"])
def test_once_bytes_were_given_an_error_reaches_the_server(client: Client, piece: bytes) -> None:
    server = WsgiServer()

    def app(environ: Any, start_response: Any) -> list[bytes]:
        write = start_response("200 OK", [HTML])
        write(piece)
        start_response("500 Oops", [("Content-Type", "text/plain")], exc_info(ValueError("late")))
        return [b"never"]

    with pytest.raises(ValueError, match="late"):
        server.serve(TikTokMiddleware(app, client), GET)
    assert without_ours(client, server.seen.body)[0] == piece
    assert server.seen.status == 200


@pytest.mark.parametrize(
    "pieces", [(), (b"<!doctype html><tit",), (b"<!d", b"oc"), (HEAD,), (HEAD, b"<body>"), (b"<p>",)]
)
@pytest.mark.parametrize("headers", [(HTML,), (HTML, LENGTH), (("Content-Type", "application/json"),)])
def test_an_iterable_that_raises_raises_the_same_after_what_it_gave(
    client: Client, pieces: tuple[bytes, ...], headers: tuple[tuple[str, str], ...]
) -> None:
    error = ValueError("mid")
    iterable = Closing(*pieces, error=error)
    server = WsgiServer()
    with pytest.raises(ValueError, match="mid") as raised:
        server.serve(TikTokMiddleware(answering(iterable, headers), client), GET)
    assert raised.value is error
    assert iterable.closed == 1
    assert without_ours(client, server.seen.body)[0] == b"".join(pieces)


def test_an_app_that_raises_at_once_raises_the_same(client: Client) -> None:
    error = ValueError("early")

    def app(environ: Any, start_response: Any) -> Any:
        environ[KEY].track("ViewContent")
        raise error

    with pytest.raises(ValueError, match="early") as raised:
        serve(app, client)
    assert raised.value is error
    assert tracker_var.get() is None
    assert client.stats()["counts"]["request_failed"] == 1


@pytest.mark.parametrize("headers", [(HTML,), (("Content-Type", "application/json"),)])
@pytest.mark.parametrize("taken", [0, 1, 9])
def test_the_iterable_is_closed_once_however_much_was_taken(
    client: Client, headers: tuple[tuple[str, str], ...], taken: int
) -> None:
    iterable = Closing(HEAD, b"<body>", b"x", b"</body>")
    answer = TikTokMiddleware(answering(iterable, headers), client)(environ_of(GET), WsgiServer().start_response)
    for _ in zip(range(taken), answer, strict=False):
        pass
    answer.close()  # type: ignore[attr-defined]
    assert iterable.closed == 1


def test_what_cannot_be_iterated_is_closed_and_forgotten(client: Client) -> None:
    class Uniterable(Closing):
        def __iter__(self) -> Iterator[bytes]:
            raise ValueError("iter")

    iterable = Uniterable(PAGE)
    with pytest.raises(ValueError, match="iter"):
        serve(answering(iterable), client)
    with pytest.raises(TypeError):
        serve(answering(None), client)
    assert iterable.closed == 1
    assert tracker_var.get() is None


def test_an_app_that_is_asked_again_with_the_same_environ_has_a_request_of_its_own(client: Client) -> None:
    """As middleware does that tries once more when a transaction has failed."""
    environ, trackers = environ_of(GET), []

    def app(environ: Any, start_response: Any) -> list[bytes]:
        trackers.append(environ[KEY])
        return list_app(Response())(environ, start_response)  # type: ignore[no-any-return]

    door = TikTokMiddleware(TikTokMiddleware(app, client), client)
    for _ in range(2):
        assert without_ours(client, b"".join(door(environ, WsgiServer().start_response))) == (PAGE, 1)
    assert trackers[0] is not trackers[1]


def test_what_is_not_ours_is_handed_on_as_the_apps_own_object(client: Client) -> None:
    """Servers send files by the identity of what they gave the app."""
    import io

    wrapped = FileWrapper(io.BytesIO(b"\x89PNG"))
    app = answering(wrapped, (("Content-Type", "image/png"), ("Content-Length", "4")))
    assert TikTokMiddleware(app, client)(environ_of(GET), WsgiServer().start_response) is wrapped


def test_close_that_raises_is_the_apps_own_error(client: Client) -> None:
    class Broken(Closing):
        def close(self) -> None:
            raise ValueError("close")

    with pytest.raises(ValueError, match="close"):
        serve(answering(Broken(PAGE)), client)
    assert tracker_var.get() is None


def test_a_strict_server_and_a_strict_app_find_nothing_to_complain_of(client: Client) -> None:
    strict: Any = validator(answering([HEAD, REST], (HTML, LENGTH)))
    app = validator(TikTokMiddleware(strict, client))
    server = WsgiServer()
    seen = server.serve(app, GET)
    assert without_ours(client, seen.body) == (PAGE, 1)


def test_our_own_answers_are_valid_too(client: Client) -> None:
    helper = client.runtime.snippet.helper_path
    for path in (helper, helper.replace("helper-", "helper-0")):
        for method in ("GET", "HEAD"):
            app = validator(TikTokMiddleware(answering([b"app"]), client))
            seen = WsgiServer().serve(app, Request(method=method, path=path))
            assert (seen.status, seen.header("content-type")) == (200, "text/javascript; charset=utf-8")
            assert seen.body == (client.runtime.snippet.helper if method == "GET" else b"")
