"""The examples with the order and its event in one transaction: an order that is declined sends nothing."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser.servers import running
from tests.contrib.shared import PIXEL, inline_events
from tests.delivery.delivery_world import Api, running_api, wait_until
from tests.postgres_world import Postgres
from tests.serving import free_port
from tests.transactions.shop import AGENT
from tiktok_middleware.core.events.ids import once_event_id

pytestmark = [pytest.mark.postgres, pytest.mark.servers, pytest.mark.slow]

_BROWSER = {"user-agent": AGENT, "accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


@pytest.fixture
def api() -> Iterator[Api]:
    with running_api() as api:
        yield api


@pytest.fixture
def database(postgres: Postgres) -> Iterator[str]:
    postgres.execute("CREATE DATABASE shop_of_example")
    yield postgres.url("shop_of_example")
    postgres.execute("DROP DATABASE shop_of_example WITH (FORCE)")


@pytest.fixture
def environment(database: str, api: Api, tmp_path: Path) -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")} | {
        "PORT": str(free_port()),
        "DATABASE_URL": database,
        "TIKTOK_PIXEL_ID": PIXEL,
        "TIKTOK_ACCESS_TOKEN": "t",
        "TIKTOK_API_URL": api.url,
        "TIKTOK_CONSENT": "implied",
        "XDG_STATE_HOME": str(tmp_path),
    }


def buy(url: str, path: str) -> str:
    """Place an order that is declined, and one that is paid; return the number of the second."""
    with httpx.Client(base_url=url, headers=_BROWSER, timeout=60, follow_redirects=True) as visitor:
        assert visitor.post(path, data={"card": "declined"}).status_code == 402
        page = visitor.post(path, data={"card": "good"})
    [(name, properties, event_id)] = inline_events(page.text)
    number = page.url.path.rpartition("/")[2]
    assert (name, properties["order_id"], event_id) == ("Purchase", number, once_event_id(name, number))
    return number


@pytest.mark.parametrize(
    ("example", "paths"), [("django_orders", ["/orders"]), ("fastapi_orders", ["/orders", "/async-orders"])]
)
def test_paid_order_is_matched_and_a_declined_one_sends_nothing(
    example: str, paths: list[str], environment: dict[str, str], postgres: Postgres, api: Api
) -> None:
    folder, port = Path(environment["XDG_STATE_HOME"]), int(environment["PORT"])
    with running(example, [sys.executable, f"examples/{example}.py"], port, folder, environment) as server:
        numbers = [buy(server.url, path) for path in paths]
        assert wait_until(lambda: len(api.ids) >= len(paths), 30)
    rows = postgres.execute("SELECT number FROM shop_order", "shop_of_example")
    assert sorted(number for (number,) in rows) == sorted(numbers)
    assert sorted(api.ids) == sorted(once_event_id("Purchase", number) for number in numbers)
