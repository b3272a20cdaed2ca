"""Random bytes for ids: of the right length, and never the same twice, in threads and after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tiktok_middleware._random import random_bytes


@pytest.mark.parametrize("count", [0, 1, 10, 14, 16, 17, 100])
def test_random_bytes_have_the_length_that_is_asked_for(count: int) -> None:
    assert len(random_bytes(count)) == count


def test_threads_never_get_the_same_bytes() -> None:
    with ThreadPoolExecutor(4) as pool:
        made = [
            block
            for blocks in pool.map(lambda _: [random_bytes(10) for _ in range(2000)], range(4))
            for block in blocks
        ]
    assert len(set(made)) == len(made) == 8000


_FORKS = """
import os
from tiktok_middleware._random import random_bytes

random_bytes(10)
for _ in range(3):
    if os.fork() == 0:
        os.write(1, b"".join(random_bytes(10).hex().encode() + b"\\n" for _ in range(200)))
        os._exit(0)
os.write(1, b"".join(random_bytes(10).hex().encode() + b"\\n" for _ in range(200)))
for _ in range(3):
    os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_forked_processes_never_get_the_same_bytes() -> None:
    done = subprocess.run([sys.executable, "-c", _FORKS], capture_output=True, text=True, timeout=60, check=True)
    made = done.stdout.split()
    assert len(set(made)) == len(made) == 800


def test_bytes_read_ahead_are_not_used_a_second_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """A snapshot of the process may be started many times, each time with the same bytes read ahead."""
    reads: list[int] = []

    def urandom(count: int) -> bytes:
        reads.append(count)
        return bytes(count)

    now = [1000.0]
    monkeypatch.setattr("os.urandom", urandom)
    monkeypatch.setattr("time.time", lambda: now[0])
    for moment in (1000.0, 1000.9, 1001.1, 1001.2, 900.0):
        now[0] = moment
        random_bytes(8)
    assert len(reads) == 3
