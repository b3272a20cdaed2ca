"""An outbox in PostgreSQL behind PgBouncer in transaction mode, which gives each transaction another session."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from tests.delivery.delivery_world import PIXEL, Api, record, submission, submissions, wait_until
from tests.postgres_world import Postgres, pooler
from tiktok_middleware.core.events.event import Claim
from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox

pytestmark = pytest.mark.postgres


@pytest.fixture(scope="module")
def pooled(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Port of a PgBouncer with two server connections, so that transactions share them."""
    with pooler(postgres, pool_size=2) as port:
        yield port


@pytest.fixture
def url(postgres: Postgres, pooled: int) -> Iterator[str]:
    with postgres.schema() as url:
        yield url.replace(f":{postgres.port}/", f":{pooled}/")


def test_an_outbox_behind_a_pooler_keeps_its_promises(url: str) -> None:
    outboxes = [PostgresOutbox(url, pixels=[PIXEL], sends=[PIXEL]) for _ in range(4)]
    order = submission(record("order-1", event_time=time.time()), browser=True, once=True)
    claims = [outbox.put([order], put_id=bytes([n] * 16)) for n, outbox in enumerate(outboxes)]
    assert claims == [[Claim(browser=True, server=True)], *[[Claim(browser=False, server=False)]] * 3]
    assert outboxes[3].put([order], put_id=bytes(16)) == claims[0], "a repeated put"
    rows = [row for outbox in outboxes for row in outbox.lease("a", 10, limit_bytes=10**6, for_s=60)]
    assert [row.record.event_id for row in rows] == ["order-1"]
    assert outboxes[2].ack("a", rows) == 1
    for outbox in outboxes:
        outbox.tidy()
        outbox.close()


def test_nothing_is_left_in_a_session(postgres: Postgres, url: str) -> None:
    outbox = PostgresOutbox(url, pixels=[PIXEL], sends=[PIXEL])
    for number in range(20):
        outbox.put(submissions(3, f"e{number}", event_time=time.time()))
        outbox.lease("a", 10, limit_bytes=10**6, for_s=60)
    with psycopg.connect(url.partition("?")[0], autocommit=True, prepare_threshold=None) as db:
        settings = {
            name: db.execute(f"SHOW {name}".encode()).fetchone() for name in ("lock_timeout", "statement_timeout")
        }
        assert settings == dict.fromkeys(settings, ("0",))
        assert db.execute("SELECT count(*) FROM pg_prepared_statements").fetchone() == (0,)
    assert postgres.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") == [(0,)]
    outbox.close()


def test_a_relay_behind_a_pooler_looks_instead_of_listening(url: str, api: Api, tmp_path: Path) -> None:
    options: dict[str, Any] = {"outbox": url, "tokens": {PIXEL: "t"}, "api_url": api.url, "spool": str(tmp_path / "s")}
    outbox = PostgresOutbox(url)
    assert not outbox.listen(0.1)
    assert not outbox.is_listening
    outbox.close()
    sender = open_delivery(DeliveryOptions(**options))
    writer = open_delivery(DeliveryOptions(**options, flush="relay"))
    try:
        writer.submit(submissions(1, event_time=time.time())).result(20)
        end = time.monotonic() + 30
        sender.listen(lambda: bool(api.ids) or time.monotonic() > end)
        assert api.ids == ["evt-0"]
    finally:
        writer.close(1)
        sender.close(1)


def test_the_direct_server_is_listened_to(postgres: Postgres) -> None:
    with postgres.schema() as url:
        outbox, other = PostgresOutbox(url), PostgresOutbox(url)
        assert not outbox.listen(0.01)
        assert outbox.is_listening
        other.notify()
        assert wait_until(lambda: outbox.listen(0.5))
        outbox.close()
        other.close()
