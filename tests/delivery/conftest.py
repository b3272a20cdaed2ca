"""What tests of a whole delivery share: an API that answers, and each kind of outbox."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.delivery_world import NOW, WALL, Api, running_api


@pytest.fixture
def api() -> Iterator[Api]:
    with running_api() as api:
        yield api


@pytest.fixture(params=["memory", "sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def outbox(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    if request.param == "postgres":
        monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
        with request.getfixturevalue("postgres").schema() as url:
            yield f"{url}&wait=20"  # a busy machine must not change what these tests see
    else:
        yield "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/outbox.sqlite3"


@pytest.fixture(autouse=True)
def _clock() -> None:
    WALL.now = NOW
