"""What tests of a shared outbox use: a PostgreSQL that they may kill, and deliveries that store in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery_world import PIXEL, Api
from tests.postgres_world import Postgres, new_cluster
from tiktok_middleware.delivery.delivery import Delivery, DeliveryOptions, open_delivery

Open = Callable[..., Delivery]


@pytest.fixture(scope="package")
def own() -> Iterator[Postgres]:
    """A cluster that these tests may kill."""
    with new_cluster() as cluster:
        yield cluster


@pytest.fixture
def url(own: Postgres) -> Iterator[str]:
    """Address of an outbox whose tables exist."""
    from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox

    with own.schema() as url:
        outbox = PostgresOutbox(url)
        outbox.counts()
        outbox.close()
        yield f"{url}&wait=2"  # a busy machine may take longer than a response may wait


@pytest.fixture
def open_(url: str, api: Api, tmp_path: Path) -> Iterator[Open]:
    opened: list[Delivery] = []

    def open_one(**options: Any) -> Delivery:
        defaults = {"outbox": url, "spool": str(tmp_path / "spool"), "tokens": {PIXEL: "t"}, "api_url": api.url}
        opened.append(open_delivery(DeliveryOptions(**{**defaults, **options})))
        return opened[-1]

    yield open_one
    for delivery in opened:
        delivery.close(0.1)
