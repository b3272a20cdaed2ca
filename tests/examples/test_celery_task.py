"""The Celery example reports a renewal once, however often its task runs."""

from __future__ import annotations

import importlib
import json
import sys
import time
from collections.abc import Iterator
from types import ModuleType

import pytest

from tests.contrib.shared import _taken as taken
from tests.core.core_world import GOOD_TTP, scope_request
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.tracker import Tracker


@pytest.fixture
def example(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    taken.clear()
    for name, value in {
        "TIKTOK_PIXEL_ID": "C0000000000000000000",
        "TIKTOK_ACCESS_TOKEN": "token",
        "TIKTOK_SECRET_KEY": "shared-by-web-app-and-worker",
        "TIKTOK_OUTBOX": "memory://",
        "TIKTOK_SINK": "import:tests.contrib.shared:make_sink",
        "CELERY_BROKER": "memory://",
    }.items():
        monkeypatch.setenv(name, value)
    module = importlib.import_module("examples.celery_task")
    module.app.conf.task_always_eager = True
    yield module
    module.client.close(0)
    del sys.modules["examples.celery_task"]


def test_a_renewal_is_reported_once_as_its_visitors(example: ModuleType) -> None:
    visitor = Tracker(RequestState(scope_request("/join", {"cookie": f"_ttp={GOOD_TTP}"}), example.client.runtime))
    arguments = ("INV-7", visitor.snapshot(), 9.0, "EUR", int(time.time()))
    ids = {example.subscription_renewed.delay(*arguments).get() for _ in range(3)}
    assert example.client.flush(20)
    [record] = taken
    item = json.loads(record.body)
    assert ids == {item["event_id"]}
    assert (item["event"], item["user"]["ttp"], item["properties"]["value"]) == ("Subscribe", GOOD_TTP, 9)
