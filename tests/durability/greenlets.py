"""How late another greenlet is while a gevent process and seven others write to one outbox: a figure, not a test.

``python -m tests.durability.greenlets normal|full`` prints it for the hub's native threads, and for the hub itself.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from contextlib import suppress

__all__ = ["measure"]

_S = 3.0
_WRITERS = 8
_EVERY_S = _WRITERS / 200  # 200 events a second in all


def measure(sync: str, *, off_hub: bool) -> dict[str, float]:
    """Lateness of a greenlet that sleeps a millisecond, and time of a commit, in milliseconds."""
    with tempfile.TemporaryDirectory() as folder:
        outbox = f"sqlite:///{folder}/outbox.sqlite3"
        writers = [_started("write", outbox, sync) for _ in range(_WRITERS - 1)]
        watched = _started("watch" if off_hub else "watch-on-hub", outbox, sync)
        try:
            found: dict[str, float] = json.loads(watched.communicate(timeout=60)[0])
        finally:
            for process in (*writers, watched):
                process.kill()
                process.communicate()
    return found


def _started(role: str, outbox: str, sync: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tests.durability.greenlets", role, outbox, sync]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)


def _watch(outbox: str, sync: str, *, off_hub: bool) -> None:
    import gevent

    from tiktok_middleware.delivery.process import threads

    if not off_hub:
        threads._patched = lambda: None
    lateness: list[float] = []
    waits: list[float] = []
    gevent.spawn(_write, outbox, sync, waits)
    gevent.sleep(0.5)  # the first commit opens the file
    waits.clear()
    end = time.perf_counter() + _S
    while (began := time.perf_counter()) < end:
        gevent.sleep(0.001)
        lateness.append(time.perf_counter() - began - 0.001)
    print(json.dumps({f"{name} {share}": _share(values, share) for name, values in
                      (("late", lateness), ("commit", waits)) for share in (50, 99, 100)}))  # fmt: skip


def _share(values: list[float], percent: int) -> float:
    return round(sorted(values)[min(len(values) * percent // 100, len(values) - 1)] * 1000, 2)


def _write(outbox: str, sync: str, waits: list[float]) -> None:
    from tests.delivery.delivery_world import submissions
    from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery

    delivery = open_delivery(DeliveryOptions(outbox=outbox, sync=sync))  # nothing is sent: only commits are of interest
    number, next_at = 0, time.perf_counter()
    while True:
        number += 1
        began = time.perf_counter()
        delivery.submit(submissions(1, f"w{number}", event_time=time.time(), size=500)).result(10)
        waits.append(time.perf_counter() - began)
        next_at = max(next_at + _EVERY_S, time.perf_counter())
        time.sleep(max(0.0, next_at - time.perf_counter()))


def _run(role: str, outbox: str, sync: str) -> None:
    if role == "write":
        with suppress(KeyboardInterrupt):
            _write(outbox, sync, [])
    else:
        from gevent import monkey

        monkey.patch_all()
        _watch(outbox, sync, off_hub=role == "watch")


if __name__ == "__main__":
    if len(sys.argv) > 2:
        _run(*sys.argv[1:])
    else:
        for turn in range(3):
            for is_off in (True, False):
                print(f"{turn} {'threads' if is_off else 'hub    '}", measure(sys.argv[1], off_hub=is_off), flush=True)
