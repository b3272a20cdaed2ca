"""Figures of a shared outbox: waits beside SQLite's, the loss of a host, and the largest flow. Not a test.

``python -m tests.durability.shared_rate [SECONDS]`` starts a PostgreSQL of its own, with its log synced.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tests.delivery.delivery_world import PIXEL, submissions
from tests.postgres_world import new_cluster
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery

_HOSTS = 4
_RATE = 250.0


class FileSink:
    """Takes everything, and writes down what it has taken."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT)

    def send(self, batch: Sequence[Record]) -> Sequence[Verdict]:
        os.write(self._file, "".join(f"{record.event_id}\n" for record in batch).encode())
        return [Delivered()] * len(batch)

    def close(self) -> None:
        os.close(self._file)


def host(name: str, outbox: str, folder: str, seconds: float, burst: int) -> None:
    """Track at a rate, or, with ``burst``, so many at a time without a pause; write down what was promised."""
    delivery = open_delivery(
        DeliveryOptions(
            outbox=outbox,
            spool=f"{folder}/{name}.spool",
            sink=lambda _: FileSink(f"{folder}/{name}.sent"),
            sends=(PIXEL,),
        )
    )
    delivery.wake()
    promised = os.open(f"{folder}/{name}.promised", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    waits: list[float] = []
    number, begin = 0, time.monotonic()
    while (now := time.monotonic()) < begin + seconds:
        entries = submissions(burst or 1, f"{name}-{number}", event_time=time.time(), size=500)
        delivery.submit(entries).result(30)
        waits.append(time.monotonic() - now)
        os.write(promised, "".join(f"{entry.event_id}\n" for entry in entries).encode())
        number += 1
        if not burst:
            time.sleep(max(0.0, begin + number / _RATE - time.monotonic()))
    is_sent = delivery.close(30)
    waits = sorted(waits[len(waits) // 10 :])  # the first ones open files and connections
    shares = {
        f"p{share}": round(waits[min(int(len(waits) * share / 100), len(waits) - 1)] * 1000, 2) for share in (50, 99)
    }
    print(
        json.dumps(
            {
                **shares,
                "max": round(waits[-1] * 1000, 1),
                "rate": round(number * (burst or 1) / seconds),
                "sent": is_sent,
            }
        )
    )


def play(outbox: str, folder: Path, seconds: float, *, burst: int = 0, kills: bool = False) -> None:
    folder.mkdir()
    command = [sys.executable, "-m", "tests.durability.shared_rate", "host"]
    hosts = [
        subprocess.Popen([*command, f"h{n}", outbox, str(folder), str(seconds), str(burst)], stdout=subprocess.PIPE)
        for n in range(_HOSTS)
    ]
    if kills:
        time.sleep(seconds / 2)
        hosts[0].send_signal(signal.SIGKILL)
    for process in hosts:
        printed = process.communicate(timeout=seconds + 120)[0].decode().strip()
        print("   ", printed or "killed", flush=True)
    if kills:
        host("h0", outbox, str(folder), 0.1, 0)  # the killed host comes back
        time.sleep(21)  # what it had leased
        host("h0", outbox, str(folder), 0.1, 0)
    promised = {line for file in folder.glob("*.promised") for line in file.read_text().split()}
    sent = Counter(line for file in folder.glob("*.sent") for line in file.read_text().split())
    print(
        f"    promised {len(promised)}, lost {len(promised - set(sent))}, copies sent again {sum(sent.values()) - len(sent)}"
    )


def main(seconds: float) -> None:
    with tempfile.TemporaryDirectory() as folder, new_cluster(fsync="on", full_page_writes="on") as cluster:
        for turn in range(2):
            for name, outbox in (
                ("sqlite", f"sqlite:///{folder}/{turn}.sqlite3"),
                ("postgres", cluster.url(schema=f"rate_{turn}")),
            ):
                print(f"{name}: {_HOSTS} processes, {_RATE:.0f} events/s each", flush=True)
                play(outbox, Path(folder) / f"{name}-{turn}", seconds)
        print(f"postgres: the same, one killed after {seconds / 2:.0f} s")
        play(cluster.url(schema="killed"), Path(folder) / "killed", seconds, kills=True)
        print(f"postgres: {_HOSTS} processes, 200 events at a time, without a pause")
        play(cluster.url(schema="flow"), Path(folder) / "flow", seconds, burst=200)


if __name__ == "__main__":
    if sys.argv[1:2] == ["host"]:
        host(sys.argv[2], sys.argv[3], sys.argv[4], float(sys.argv[5]), int(sys.argv[6]))
    else:
        main(float(sys.argv[1]) if len(sys.argv) > 1 else 60.0)
