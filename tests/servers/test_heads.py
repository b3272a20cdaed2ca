"""What servers read from a WSGI app beyond PEP 3333's letter: the head as soon as the app returns, and a list's length."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

import pytest

from tests.contract.adapters import HTML, PAGE, Request, WsgiServer, environ_of, make_client
from tiktok_middleware.wsgi import TikTokMiddleware

pytestmark = pytest.mark.servers


class Pieces:
    """A body that may break, and counts how often it is closed."""

    def __init__(self, *pieces: bytes | Exception) -> None:
        self._pieces = pieces
        self.closed = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self._pieces:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        self.closed += 1


def called(body: Iterable[bytes]) -> tuple[WsgiServer, Callable[[], Iterable[bytes]]]:
    """A server, and the call of an app inside the middleware that gives its head at once and then this body."""
    server = WsgiServer()

    def app(environ: Any, start_response: Any) -> Iterable[bytes]:
        start_response("200 OK", [HTML, ("Content-Length", str(len(PAGE)))])
        return body

    client = make_client()
    return server, lambda: TikTokMiddleware(app, client)(environ_of(Request()), server.start_response)


@pytest.mark.parametrize("body", [Pieces(PAGE), Pieces(PAGE[:5], PAGE[5:]), [PAGE[:5], PAGE[5:]], (PAGE,)])
def test_the_head_is_there_when_the_app_has_returned(body: Iterable[bytes]) -> None:
    """Granian's WSGI server reads it then, and takes 200 without headers where there is none."""
    server, call = called(body)
    iterable = call()
    head = server.head
    assert head is not None
    made = b"".join(iterable)
    getattr(iterable, "close", list)()  # as servers do
    assert len(made) > len(PAGE)
    assert ("Content-Length", str(len(made))) in head[1]


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_list_keeps_its_length(count: int) -> None:
    """Servers send the Content-Length of a list of one piece; Waitress keeps a connection only where there is one."""
    _, call = called([*(PAGE[at : at + 1] for at in range(count - 1)), PAGE[count - 1 :]])
    answer = call()
    assert isinstance(answer, list)
    assert len(answer) == count
    assert b"".join(answer).startswith(PAGE[:30])


def test_a_body_that_breaks_before_the_head_left_is_closed_once() -> None:
    body = Pieces(ValueError("the app's"))
    server, call = called(body)
    with pytest.raises(ValueError, match="the app's"):
        call()
    assert body.closed == 1
    assert server.head is not None  # what the app had said before it broke


def test_a_body_that_breaks_later_gives_what_it_had_first() -> None:
    body = Pieces(PAGE[:5], ValueError("the app's"))
    _, call = called(body)
    iterable = iter(call())
    assert next(iterable) == PAGE[:5]
    with pytest.raises(ValueError, match="the app's"):
        next(iterable)
    assert body.closed == 0  # this is the server's to do
