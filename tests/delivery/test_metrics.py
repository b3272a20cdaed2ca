"""A scrape shows what happened, under the documented names, and registering costs nothing."""

from __future__ import annotations

import contextlib
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from tests.delivery.delivery_world import PIXEL, Api, record, running_api, submission
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import PAGE_VIEW
from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery
from tiktok_middleware.delivery.histogram import Histogram
from tiktok_middleware.delivery.metrics import METRICS, TikTokCollector

ROOT = Path(__file__).parents[2]


@pytest.fixture
def api() -> Iterator[Api]:
    with running_api() as api:
        yield api


@pytest.fixture
def client(api: Api, tmp_path: Path) -> Iterator[Client]:
    url = f"sqlite:///{tmp_path}/o.sqlite3"
    client = Client(Config(pixel_id=PIXEL, access_token="t", api_url=api.url, outbox=url))
    yield client
    client.close(2)


def scraped(registry: CollectorRegistry) -> dict[str, float]:
    """Every sample by its name and labels."""
    return samples(generate_latest(registry).decode())


def samples(text: str) -> dict[str, float]:
    return {
        sample.name + "".join(f"[{key}={value}]" for key, value in sorted(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if not sample.name.endswith("_created")
    }


def test_a_scrape_counts_what_happened(client: Client, api: Api) -> None:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(TikTokCollector(client))
    delivery = client.delivery
    delivery.submit([submission(record(f"e{i}", event_time=time.time())) for i in range(7)]).result(10)
    assert client.flush(10)
    api.body = b'{"code":40002,"message":"wrong"}'
    delivery.submit([submission(record("bad", event_time=time.time()))]).result(10)
    assert client.flush(10)
    api.status, api.body = 503, b""
    delivery.submit([submission(record("late", event_time=time.time() - 100))]).result(10)
    client.flush(0.2)
    client.runtime.notices.count("tracked")
    found = scraped(registry)
    assert found["tiktok_events_submitted_total"] == found["tiktok_records_accepted_total"] == 9
    assert found["tiktok_records_delivered_total"] == 7
    assert found["tiktok_records_buried_total[reason=rejected]"] == 1
    assert found["tiktok_records_retried_total"] >= 1
    assert found["tiktok_outbox_waiting_records"] == found["tiktok_outbox_dead_records"] == 1
    assert found["tiktok_outbox_waiting_bytes"] > 20
    assert 100 <= found["tiktok_outbox_oldest_age_seconds"] < 120
    assert found["tiktok_notices_total[reason=tracked]"] == 1
    requests = found["tiktok_batch_records_count"]
    assert requests == found["tiktok_send_duration_seconds_count"] == found["tiktok_batch_records_bucket[le=+Inf]"] >= 3
    assert found["tiktok_batch_records_sum"] >= 9
    assert 0 < found["tiktok_send_duration_seconds_sum"] < 60


def test_what_is_lost_or_buried_is_counted_by_reason(api: Api) -> None:
    registry = CollectorRegistry()
    delivery = open_delivery(DeliveryOptions(tokens={PIXEL: "t"}, api_url=api.url, limit_rows=1))
    registry.register(TikTokCollector(delivery))
    api.status, api.body = 503, b""
    old = time.time() - 8 * 86400
    for name, event, at in (
        ("expired", "Purchase", old),
        ("first", "Purchase", time.time()),
        ("view", PAGE_VIEW, time.time()),
        ("sale", "Purchase", time.time()),
    ):
        delivery.submit([submission(record(name, event=event, event_time=at))]).result(10)
        delivery.flush(0.2)
    found = scraped(registry)
    delivery.close(1)
    assert found["tiktok_records_buried_total[reason=expired]"] == 1
    assert found["tiktok_records_dropped_total[reason=overflow_page_view]"] == 1
    assert found["tiktok_records_dropped_total[reason=overflow]"] == 1
    assert found["tiktok_records_accepted_total"] == 2


WORKER = """
import sys, time
from prometheus_client import CollectorRegistry, start_http_server
from tests.delivery.delivery_world import PIXEL, submissions
from tiktok_middleware import Client, Config
from tiktok_middleware.delivery.metrics import TikTokCollector

name, outbox, url = sys.argv[1:4]
client = Client(Config(pixel_id=PIXEL, access_token="t", api_url=url, outbox=outbox))
registry = CollectorRegistry()
registry.register(TikTokCollector(client))
server, thread = start_http_server(0, "127.0.0.1", registry)
for part in range(10):
    client.delivery.submit(submissions(10, f"{name}-{part}", event_time=time.time())).result(10)
client.flush(10)
print(server.server_port, flush=True)
sys.stdin.read()
server.shutdown()
client.close(1)
"""


@pytest.mark.slow
def test_processes_add_up_and_agree_on_the_outbox_that_they_share(api: Api, tmp_path: Path) -> None:
    """As gunicorn's workers, each with a port of its own."""
    api.body = b'{"code":40105,"message":"expired"}'
    arguments = (f"sqlite:///{tmp_path}/o.sqlite3", api.url)
    with contextlib.ExitStack() as stack:
        workers = []
        for name in ("a", "b"):
            command = [sys.executable, "-c", WORKER, name, *arguments]
            worker = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            stack.callback(_end, worker)
            workers.append(worker)
        pages = [_scraped_over_http(int(worker.stdout.readline())) for worker in workers if worker.stdout]
    assert [page["tiktok_events_submitted_total"] for page in pages] == [100, 100]
    assert sum(page["tiktok_records_accepted_total"] for page in pages) == 200
    assert sum(page["tiktok_pixels_halted"] for page in pages) == 2, "each process has found out for itself"
    assert max(page["tiktok_outbox_waiting_records"] for page in pages) == 200, "one file, not two"
    assert all(page["tiktok_outbox_oldest_age_seconds"] >= 0 for page in pages)


def _end(worker: subprocess.Popen[str]) -> None:
    worker.communicate(timeout=30)


def _scraped_over_http(port: int) -> dict[str, float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as response:
        return samples(response.read().decode())


def test_the_names_are_the_documented_ones(client: Client) -> None:
    registry = CollectorRegistry()
    registry.register(TikTokCollector(client))
    text = generate_latest(registry).decode()
    shown = {family.name for family in text_string_to_metric_families(text)}
    assert shown == {re.sub("_total$", "", name) for name in METRICS}
    page = (ROOT / "docs" / "delivery.md").read_text("utf-8")
    assert [name for name in METRICS if f"`{name}`" not in page] == []


def test_registering_opens_no_outbox(client: Client, tmp_path: Path) -> None:
    registry = CollectorRegistry(auto_describe=True)
    registry.register(TikTokCollector(client))
    assert list(tmp_path.iterdir()) == []
    with pytest.raises(ValueError, match="Duplicated timeseries"):
        registry.register(TikTokCollector(client))


def test_a_bucket_includes_its_bound() -> None:
    histogram = Histogram(1, 5)
    for value in (0.5, 1, 1.1, 5, 6):
        histogram.observe(value)
    found = histogram.read()
    assert (found.bounds, found.counts, found.sum) == ((1, 5), (2, 2, 1), 13.6)
