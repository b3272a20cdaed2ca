"""An outbox in the app's database, and a client of it, which the tests of a file share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.contrib import shared
from tests.postgres_world import Postgres
from tests.transactions.shop import shop_client
from tiktok_middleware import Client

_TABLES = ("draft", "draft_end", "claim", "event", "dead", "deferred", "ledger")


@pytest.fixture(scope="module", autouse=True)
def state_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Let what waits for the database wait in a folder of the tests, so that no other run brings it home."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        yield


@pytest.fixture(scope="module")
def url(postgres: Postgres) -> Iterator[str]:
    postgres.execute("CREATE TABLE IF NOT EXISTS orders (id text)")
    with postgres.schema() as url:
        yield url


@pytest.fixture(scope="module")
def shop(url: str) -> Iterator[Client]:
    client = shop_client(url)
    client.delivery.flush(20)  # its tables exist
    assert client.delivery.drafts is not None
    yield client
    client.close(5)


@pytest.fixture
def client(shop: Client, postgres: Postgres, url: str) -> Client:
    """A client with an empty outbox."""
    schema = url.rpartition("schema=")[2]
    tables = ", ".join(f"{schema}.{name}" for name in _TABLES)
    postgres.execute(f"TRUNCATE orders, {tables}")
    shop._log.counts.clear()
    shared._taken.clear()
    return shop
