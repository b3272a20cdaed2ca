"""An event whose response was received comes to TikTok, however the workers end: both doors, real processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.durability.rounds import DOORS, ENDS, play

pytestmark = pytest.mark.servers

_SOAK_ROUNDS = 20


def _check(door: str, end: str, folder: Path, sync: str) -> None:
    found = play(door, ENDS[end], folder, sync=sync)
    print(f"{door} {end} sync={sync}: {found}")
    assert found.lost == set()
    assert len(found.received) >= 200
    assert abs(found.redirects / len(found.received) - 0.5) < 0.1
    assert len(found.excused) * 20 < len(found.received), "hardly any may be excused"


@pytest.mark.parametrize("door", DOORS)
def test_workers_killed_under_load_lose_nothing(door: str, tmp_path: Path) -> None:
    _check(door, "kill", tmp_path, "normal")


@pytest.mark.soak
@pytest.mark.timeout(180)
@pytest.mark.parametrize("number", range(_SOAK_ROUNDS))
@pytest.mark.parametrize("door", DOORS)
def test_twenty_rounds_lose_nothing(door: str, tmp_path: Path, number: int) -> None:
    _check(door, "kill", tmp_path, "normal")


@pytest.mark.soak
@pytest.mark.timeout(180)
@pytest.mark.parametrize("sync", ["normal", "full"])
@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("door", DOORS)
def test_however_workers_end_nothing_is_lost(door: str, end: str, sync: str, tmp_path: Path) -> None:
    _check(door, end, tmp_path, sync)
