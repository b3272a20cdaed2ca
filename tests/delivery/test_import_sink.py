"""The documented sink for another engine works as it is printed: over a real Redis stream, with a consumer that dies."""

from __future__ import annotations

import importlib
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.celery_world import Redis, environ
from tests.delivery.delivery_world import Api, record, running_api, submission, wait_until
from tiktok_middleware.client import Client

pytestmark = pytest.mark.redis

PAGE = Path(__file__).parents[2] / "docs" / "delivery.md"


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Redis]:
    server = Redis(tmp_path)
    yield server
    server.stop()


@pytest.fixture
def shop_stream(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    [block] = re.findall(r"```python\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)
    (tmp_path / "shop_stream.py").write_text(block)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("shop_stream")
    sys.modules.pop("shop_stream")


def test_the_documented_stream_delivers_and_survives_its_consumer(
    tmp_path: Path, broker: Redis, shop_stream: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_api() as api:
        variables = {**environ("", api.url, tmp_path / "o.sqlite3"), "TIKTOK_SINK": "import:shop_stream:make_sink"}
        for name, value in {**variables, "SHOP_REDIS": broker.url}.items():
            monkeypatch.setenv(name, value)
        client = Client.from_env()
        try:
            client.delivery.submit([submission(record(f"e{i}", event_time=time.time())) for i in range(20)]).result(10)
            assert client.flush(10)

            def dies(*_: object) -> None:
                raise KeyboardInterrupt

            with monkeypatch.context() as patch:
                patch.setattr(shop_stream.BatchWorker, "deliver", dies)
                with pytest.raises(KeyboardInterrupt):
                    shop_stream.consume(2)
            assert api.ids == []
            shop_stream.consume(3)
            assert sorted(api.ids) == sorted(f"e{i}" for i in range(20))
            assert broker.client.xlen("tiktok") == 0

            api.status, api.body = 503, b""
            client.delivery.submit([submission(record("late", event_time=time.time()))]).result(10)
            assert client.flush(10)
            shop_stream.consume(2)
            assert broker.client.xlen("tiktok") == 1, "what TikTok does not take waits in the stream"
            api.status, api.body = 200, Api.OK
            shop_stream.consume(3)
            assert api.ids[-1] == "late"
        finally:
            client.close(5)
        broker.client.shutdown(nosave=True)
        assert wait_until(lambda: broker._process.poll() is not None)
        [verdict] = shop_stream.make_sink(None).send([record("down")])
        assert verdict.reason == "ConnectionError"
