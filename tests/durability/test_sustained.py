"""A thousand tracked requests a second for minutes, with four workers: nothing is lost, and nothing arrives twice."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.browser.servers import ROOT
from tests.durability.rounds import DOORS, environment_of, running_shop
from tests.servers.sink import Sink

pytestmark = [pytest.mark.servers, pytest.mark.soak, pytest.mark.timeout(1500)]

_PER_S = float(os.environ.get("SUSTAINED_PER_S", "1000"))
_MINUTES = float(os.environ.get("SUSTAINED_MINUTES", "10"))
_VISITORS = 64
_DRAIN_S = 120.0


class _Ids(Sink):
    """Keeps nothing of an event but its id."""

    def _take(self, body: bytes) -> None:
        with self._has_more:
            self._events += [{"event_id": event["event_id"]} for event in json.loads(body)["data"]]
            self._has_more.notify_all()


@pytest.mark.parametrize("door", DOORS)
def test_sustained_load_loses_nothing(door: str, tmp_path: Path) -> None:
    """The rate that this machine holds is printed: it need not be the rate that is asked for."""
    command = [sys.executable, "-m", "tests.durability.load"]
    load = [str(_VISITORS), str(_PER_S), str(_MINUTES * 60)]
    with (
        _Ids().running() as tiktok,
        running_shop(door, tmp_path, environment_of(tmp_path, tiktok.url), ["--workers", "4"]) as shop,
    ):
        done = subprocess.run(
            [*command, str(shop.port), "evt", *load], cwd=ROOT, capture_output=True, text=True, check=True
        )
        received = done.stdout.split()
        missing = tiktok.lacks(set(received), _DRAIN_S)
        ids = tiktok.ids
    excused_file = tmp_path / "excused"
    excused = set(excused_file.read_text().split()) if excused_file.exists() else set()
    print(f"{door}: asked for {_PER_S:.0f}/s: {done.stderr.strip()}; {len(received)} received, {len(excused)} excused")
    assert len(received) > 100 * _MINUTES
    assert len(set(received)) == len(received)
    assert missing - excused == set()
    assert len(ids) == len(set(ids))
