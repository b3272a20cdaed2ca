"""A stand-in for the Events API: a thread that accepts every event and remembers it; it speaks to nobody."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

__all__ = ["Sink"]

_ACCEPTED = b'{"code":0,"message":"OK","request_id":"1","data":{}}'


class Sink:
    """Accepts server events on a port of its own.

    Args:
        is_up: False for one that refuses every connection until `rise`.

    Attributes:
        url: its base address.
    """

    def __init__(self, *, is_up: bool = True) -> None:
        self._events: list[dict[str, Any]] = []
        self._has_more = threading.Condition()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # otherwise an answer of two writes waits 40 ms for the delayed ACK

            def do_POST(self) -> None:
                sink._take(self.rfile.read(int(self.headers["content-length"])))
                self.send_response(200)
                self.send_header("content-length", str(len(_ACCEPTED)))
                self.end_headers()
                self.wfile.write(_ACCEPTED)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler, bind_and_activate=False)
        self._server.daemon_threads = True
        self._server.server_bind()  # a port that is bound and not listened on refuses
        if is_up:
            self.rise()
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    @contextmanager
    def running(self) -> Iterator[Sink]:
        """Itself, accepting until the block ends."""
        self._thread.start()
        try:
            yield self
        finally:
            self._server.shutdown()
            self._thread.join()
            self._server.server_close()

    def rise(self) -> None:
        """Accept connections from now on."""
        self._server.server_activate()

    @property
    def ids(self) -> list[str]:
        """The id of every event that has come, as often as it has come."""
        with self._has_more:
            return [event["event_id"] for event in self._events]

    def lacks(self, ids: set[str], within_s: float) -> set[str]:
        """Those of the events that have not come within the time."""
        deadline = time.monotonic() + within_s
        while (missing := ids.difference(self.ids)) and (left_s := deadline - time.monotonic()) > 0:
            with self._has_more:
                self._has_more.wait(min(left_s, 0.5))
        return missing

    def names_for(self, order: str, count: int, within_s: float = 10.0) -> list[str]:
        """The names of the events about an order, once there are so many of them or the time is over."""
        deadline = time.monotonic() + within_s
        with self._has_more:
            while len(found := self._names(order)) < count and (left_s := deadline - time.monotonic()) > 0:
                self._has_more.wait(left_s)
        return found

    def _names(self, order: str) -> list[str]:
        return [event["event"] for event in self._events if event.get("properties", {}).get("order_id") == order]

    def _take(self, body: bytes) -> None:
        with self._has_more:
            self._events += json.loads(body)["data"]
            self._has_more.notify_all()
