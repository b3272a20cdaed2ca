"""A worker that serves scenes through one variant of one door and says how long that took."""

from __future__ import annotations

import gc
import re
import time
from functools import partial
from typing import Any

from tests.bench import asgi_adapter as asgi_door
from tests.bench import wsgi_adapter as wsgi_door
from tests.bench.asgi_adapter import AsgiDoor
from tests.bench.crew import answer_lines, pin
from tests.bench.memory import PeakMemory
from tests.bench.ours import make_client, track_in
from tests.bench.wsgi_adapter import WsgiDoor
from tiktok_middleware import Client, asgi, wsgi
from tiktok_middleware.core.tracking.current import KEY

__all__ = ["serve"]

Door = AsgiDoor | WsgiDoor

_SCRIPTS = re.compile(rb"<script")
_BURST = 500


def serve(door: str, variant: str, outbox: str, api_url: str, cpu: str) -> None:
    """Answer orders until standard input ends.

    Args:
        door: ``asgi`` or ``wsgi``.
        variant: ``bare``, ``ours`` or the name of a wrapper.
        outbox: of ours.
        api_url: of ours.
        cpu: the processor to stay on; empty for any.
    """
    if cpu:
        pin(int(cpu))
    worker = _RequestWorker(door, variant, outbox, api_url)
    answer_lines(worker.answer)


class _RequestWorker:
    """One variant at work; each public name below `answer` is an order."""

    def __init__(self, door: str, variant: str, outbox: str, api_url: str) -> None:
        self._door_name = door
        self._variant = variant
        self._client = make_client(outbox, api_url) if variant == "ours" else None
        self._open: Door | None = None

    def answer(self, order: dict[str, Any]) -> Any:
        """Do what the order's ``do`` says."""
        return getattr(self, f"_do_{order.pop('do')}")(**order)

    @property
    def _door(self) -> Door:
        # Made at the first order, so that a missing package is an answer and not a death.
        if self._open is None:
            self._open = _open(self._door_name, self._variant, self._client)
        return self._open

    def _do_check(self, scene: str) -> dict[str, Any]:
        """What the response looks like, so that nobody is measured doing nothing."""
        body: list[bytes] = []
        status, headers = self._door.once(scene, body.append)
        whole = b"".join(body)
        promised = headers.get("content-length")
        return {
            "status": status,
            "is_length_true": promised is None or int(promised) == len(whole),
            "pieces": len(body),
            "scripts": len(_SCRIPTS.findall(whole)),
            "cookies": "set-cookie" in headers,
        }

    def _do_time(self, scene: str, count: int) -> dict[str, float]:
        """Microseconds a request: by the clock, and of this thread's processor time."""
        door = self._door
        begin, thread_begin = time.perf_counter(), time.thread_time()
        door.many(scene, count)
        thread_end, end = time.thread_time(), time.perf_counter()
        return {"us": (end - begin) / count * 1e6, "thread_us": (thread_end - thread_begin) / count * 1e6}

    def _do_first_byte(self, scene: str) -> float:
        """Milliseconds until the first byte of the body."""
        self._door.many("stream", 20)
        times: list[float] = []
        begin = time.perf_counter()
        self._door.once(scene, lambda _: times.append(time.perf_counter() - begin))
        return times[0] * 1e3

    def _do_memory(self) -> float:
        """MB that the process grew to, at its largest, above what it had before a stream of 50 MB."""
        self._door.many("stream", 20)
        gc.collect()
        peak = PeakMemory()
        self._door.many("big", 1)
        return peak.growth_mb()

    def _do_pace(self, per_s: float, for_s: float) -> dict[str, list[float]]:
        """Milliseconds of each request, at a steady pace: tracked ones through us, and as many through the bare app,
        alone and with a call to another thread."""
        bare = _open(self._door_name, "bare", None)
        calls = {
            "bare": partial(bare.timed, "page"),
            "thread": partial(bare.timed_elsewhere, "page"),
            "ours": partial(self._door.timed, "tracked"),
        }
        for call in calls.values():
            for _ in range(20):
                call()
        names = list(calls)
        times: dict[str, list[float]] = {name: [] for name in names}
        begin = time.perf_counter()
        for number in range(int(per_s * for_s)):
            left_s = begin + number / per_s - time.perf_counter()
            bare.wait(max(left_s, 0.0))
            for name in names[number % 3 :] + names[: number % 3]:
                times[name].append(calls[name]() * 1e3)
        return times

    def _do_burst(self) -> dict[str, float]:
        """Microseconds of one ``track()``, many in a request and the first of a request."""
        assert self._client is not None
        raws: list[dict[str, Any]] = [{} for _ in range(_BURST)]
        for raw in raws:
            raw[KEY] = self._client.exchange(asgi_request(self._client)).tracker
        track_in(raws[0])
        begin = time.thread_time()
        for _ in range(_BURST):
            track_in(raws[0])
        middle = time.thread_time()
        for raw in raws:
            track_in(raw)
        end = time.thread_time()
        return {"burst_us": (middle - begin) / _BURST * 1e6, "first_us": (end - middle) / _BURST * 1e6}

    def _do_stats(self) -> dict[str, Any]:
        """What our own client counted."""
        return self._client.stats() if self._client is not None else {}


def asgi_request(client: Client) -> Any:
    """The facts of a tracked request."""
    from tests.bench import pages
    from tiktok_middleware.core.http.asgi_request import ScopeRequest

    return ScopeRequest(asgi_door.scope_of(pages.SCENES["tracked"]), client.runtime.proxies)


def _open(door: str, variant: str, client: Client | None) -> Door:
    if door == "asgi":
        app = asgi_door.bare()
        if client is not None:
            return AsgiDoor(asgi.TikTokMiddleware(app, client=client))
        return AsgiDoor(app if variant == "bare" else asgi_door.WRAPPERS[variant](app))
    plain = wsgi_door.bare()
    if client is not None:
        return WsgiDoor(wsgi.TikTokMiddleware(plain, client=client))
    return WsgiDoor(plain if variant == "bare" else wsgi_door.WRAPPERS[variant](plain))
