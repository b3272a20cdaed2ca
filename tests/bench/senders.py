"""Ways of sending events from a process, each behind the same two calls; packages are imported when one is made."""

from __future__ import annotations

import http.client
import logging
from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any, Protocol

import msgspec

from tests.bench import pages
from tests.bench.asgi_adapter import scope_of
from tests.bench.ours import PIXEL, make_client
from tests.bench.sink import MARK
from tiktok_middleware.core.events.event import OutboxEntry, Record
from tiktok_middleware.core.http.asgi_request import ScopeRequest
from tiktok_middleware.delivery.delivery import Delivery
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox

__all__ = ["SENDERS", "Sender"]

_CONTENTS = [{"content_id": "MUG-350", "content_name": "Morning mug", "price": 24.5, "quantity": 1}]
_BATCH = 1000
_QUEUE = 300_000
_MARK = MARK.decode()


class Sender(Protocol):
    """Takes events and sends them when it likes."""

    def send(self, number: int) -> None:
        """Take one event; what the caller's thread does here is what a request would wait for."""

    def flush(self) -> None:
        """Send what still waits, where it would wait for more."""


def _properties(number: int) -> dict[str, Any]:
    """What every sender is given with an event."""
    return {
        "value": 24.5,
        "currency": "EUR",
        "contents": _CONTENTS,
        "description": f"{_MARK}{number}",
    }


def _context() -> dict[str, Any]:
    """What ours finds in the request, for those that must be given it."""
    headers = pages.SCENES["tracked"].headers
    return {
        "url": "https://shop.example.com/tracked",
        "referrer": headers["referer"],
        "ip": "203.0.113.7",
        "user_agent": headers["user-agent"],
    }


class _Tracked:
    """Ours from the view's call on: an exchange a request, ``track()``, the hand-over, an outbox on disk."""

    def __init__(self, port: int, outbox: str) -> None:
        self._client = make_client(outbox, f"http://127.0.0.1:{port}")
        self._scope = scope_of(pages.SCENES["tracked"])

    def send(self, number: int) -> None:
        client = self._client
        exchange = client.exchange(ScopeRequest(self._scope, client.runtime.proxies))
        exchange.tracker.track("ViewContent", _properties(number))
        commit = exchange.finish()
        self._last = client.submit(commit)  # type: ignore[arg-type]  # there is an event, so there is a commit

    def flush(self) -> None:
        """It does not wait for more."""

    def accepted(self) -> None:
        """Wait as a response does: it leaves once its event is on disk."""
        self._last.result(10)

    def resume(self) -> None:
        """What a new process does of itself: send what an earlier one left."""
        self._client.start()


class _Submitted:
    """Ours from the hand-over on."""

    def __init__(self, port: int, outbox: str) -> None:
        delivery = make_client(outbox, f"http://127.0.0.1:{port}").delivery
        assert isinstance(delivery, Delivery)
        self._delivery = delivery
        self._made = _submissions()

    def send(self, number: int) -> None:
        self._last = self._delivery.submit((self._made(number),))

    def flush(self) -> None:
        """It does not wait for more; but who wants to see what rests in memory waits until all is stored."""
        self._last.result(10)


class _Left:
    """Ours from the disk on: what an earlier process left there is sent by a new one."""

    def __init__(self, port: int, outbox: str) -> None:
        delivery = make_client(outbox, f"http://127.0.0.1:{port}").delivery
        assert isinstance(delivery, Delivery)
        self._delivery = delivery
        self._outbox = SqliteOutbox(outbox.removeprefix("sqlite:///"), environment="loopback", pixels=[PIXEL])
        self._waiting: list[OutboxEntry] = []
        self._made = _submissions()
        self._turn = self._delivery._relay._turn

    def send(self, number: int) -> None:
        if not self._turn.locked():
            self._turn.acquire()  # nothing is sent before all is there
        self._waiting.append(self._made(number))
        if len(self._waiting) == _BATCH:
            self._outbox.put(self._waiting)
            self._waiting = []

    def flush(self) -> None:
        self._outbox.put(self._waiting)
        self._waiting = []
        self._turn.release()
        self._delivery.wake()


def _submissions() -> Callable[[int], OutboxEntry]:
    """Makes hand-overs of the size that a tracked event has, at next to no cost."""
    import time

    now = int(time.time())
    item = {"event": "ViewContent", "event_time": now, "event_id": "0123456789abcdef0123456789abcdef"}
    item |= {"user": {**_context(), "ttclid": "E.C.P." + "x" * 60, "ttp": "2aB3cD4eF5gH6iJ7kL8mN9oP0qR"}}
    item |= {"page": {"url": "https://shop.example.com/tracked"}, "limited_data_use": False}
    before, after = msgspec.json.encode({**item, "properties": _properties(10**9)}).split(f"{_MARK}{10**9}".encode())

    def make(number: int) -> OutboxEntry:
        id_ = f"{number:032x}"
        body = b"%b%s%d%b" % (before, MARK, number, after)
        return OutboxEntry(id_, (Record(PIXEL, "web", "ViewContent", id_, now, body),))

    return make


class _Loop:
    """Encode and post, and nothing else: what the machine could do."""

    def __init__(self, port: int, _: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port)
        self._context = _context()
        self._encode = msgspec.json.Encoder().encode
        self._waiting: list[bytes] = []

    def send(self, number: int) -> None:
        item = {"event": "ViewContent", "user": self._context, "properties": _properties(number)}
        self._waiting.append(self._encode(item))
        if len(self._waiting) == _BATCH:
            self.flush()

    def flush(self) -> None:
        if self._waiting:
            self._connection.request("POST", "/", b'{"data":[' + b",".join(self._waiting) + b"]}")
            self._connection.getresponse().read()
            self._waiting = []


class _PostHog:
    """PostHog's client, with its largest batches and room for everything."""

    def __init__(self, port: int, _: str) -> None:
        make = import_module("posthog").Posthog
        self._client = make("phc_x", host=f"http://127.0.0.1:{port}", flush_at=_BATCH, max_queue_size=_QUEUE)
        self._context = _context()

    def send(self, number: int) -> None:
        self._client.capture("ViewContent", distinct_id="user-1", properties={**self._context, **_properties(number)})

    def flush(self) -> None:
        """It sends what it has twice a second."""


class _Segment:
    """Segment's client, in the same way."""

    def __init__(self, port: int, _: str) -> None:
        make = import_module("segment.analytics.client").Client
        self._client = make("key", host=f"http://127.0.0.1:{port}", upload_size=_BATCH, max_queue_size=_QUEUE)
        self._context = _context()

    def send(self, number: int) -> None:
        self._client.track(user_id="user-1", event="ViewContent", properties={**self._context, **_properties(number)})

    def flush(self) -> None:
        """It sends what it has twice a second."""


class _Snowplow:
    """Snowplow's tracker with its asynchronous emitter, in the same way."""

    def __init__(self, port: int, _: str) -> None:
        self._sdk = import_module("snowplow_tracker")
        logging.getLogger("snowplow_tracker").setLevel(logging.CRITICAL)
        self._emitter = self._sdk.AsyncEmitter(
            "127.0.0.1", protocol="http", port=port, method="post", batch_size=_BATCH, buffer_capacity=_QUEUE
        )
        self._tracker = self._sdk.Tracker("ns", [self._emitter], app_id="shop", encode_base64=False)
        self._context = _context()

    def send(self, number: int) -> None:
        data = self._sdk.SelfDescribingJson(
            "iglu:com.acme/view/jsonschema/1-0-0", {**self._context, **_properties(number)}
        )
        self._tracker.track(self._sdk.SelfDescribing(data))

    def flush(self) -> None:
        self._emitter.flush()


#: By name: how it is called in the table, and what makes it from a port and an outbox.
SENDERS: Mapping[str, tuple[str, Callable[[int, str], Sender]]] = {
    "tracked": ("ours: track(), on disk, sent", _Tracked),
    "submitted": ("ours: handed over, on disk, sent", _Submitted),
    "left": ("ours: found on disk, sent", _Left),
    "snowplow": ("Snowplow (not durable)", _Snowplow),
    "segment": ("Segment (not durable)", _Segment),
    "posthog": ("PostHog (not durable)", _PostHog),
    "loop": ("encode and post alone", _Loop),
}
