"""A page that asks for a browser copy before its transaction has committed is made to ask again."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any
from wsgiref.util import setup_testing_defaults

import pytest

from tests.contrib.shared import sent
from tests.delivery.delivery_world import wait_until
from tests.postgres_world import Postgres
from tests.transactions.databases import Database, database
from tests.transactions.shop import AGENT, visit
from tiktok_middleware import Client
from tiktok_middleware.core.http.own_response import Answer
from tiktok_middleware.core.http.wsgi_request import EnvironRequest
from tiktok_middleware.errors import OutboxError

pytestmark = pytest.mark.postgres


@pytest.fixture
def app(postgres: Postgres) -> Iterator[Database]:
    with database(postgres.url(), "psycopg") as made:
        yield made


@pytest.fixture(params=["wsgi", "asgi"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def ask(client: Client, kind: str, references: list[str], **more: Any) -> Answer:
    """Post the report of a page that asks for references."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": "/_tiktok/collect", "HTTP_HOST": "shop.example"}
    environ |= {"HTTP_ORIGIN": "http://shop.example", "HTTP_USER_AGENT": AGENT}
    request = EnvironRequest(environ, client.runtime.proxies)
    body = json.dumps({"u": "http://shop.example/", "x": references, **more}).encode()
    return client.collect(request, body) if kind == "wsgi" else asyncio.run(client.collect_async(request, body))


def named(answer: Answer) -> list[str]:
    """The references that an answer names."""
    return re.findall(r'desc="~([\w.]+)"', dict(answer.headers).get("Server-Timing", ""))


def copies(answer: Answer) -> list[Any]:
    found: list[Any] = json.loads(answer.body).get("e", [])
    return found


def order(client: Client, app: Database) -> str:
    """Track an order whose transaction stays open, and return the reference in its page."""

    def view(tracker: Any) -> None:
        app.execute("INSERT INTO orders VALUES ('A-1')")
        tracker.track("Purchase", order_id="A-1", value=5, currency="EUR", connection=app.given)

    [reference] = visit(client, view).references
    return reference


def test_page_asks_until_the_commit_and_gets_the_copy_once(client: Client, app: Database, kind: str) -> None:
    reference = order(client, app)
    first = ask(client, kind, [reference])
    assert (first.status, named(first), copies(first)) == (200, [f"{reference}.1"], [])
    for _ in range(3):
        later = ask(client, kind, named(first))
        assert (later.status, dict(later.headers)["Retry-After"], named(later)) == (429, "1", [])
    app.commit()
    last = ask(client, kind, named(first))
    assert (last.status, named(last), len(copies(last))) == (200, [], 1)
    assert [server["event_id"] for server in sent(client)] == [copies(last)[0][2]]


OTHER_CONTENT: list[dict[str, Any]] = [
    {"w": "g"},
    {"b": "g"},
    {"q": 1},
    {"h": 1},
    {"n": 1},
    {"o": "other"},
    {"c": [["token", "0123456789abcdef0123"]]},
    {"m": [["token", "0123456789abcdef0123"]]},
    {"e": [["ViewContent", {}, "0123456789abcdef0123"]]},
]


@pytest.mark.parametrize("more", OTHER_CONTENT, ids=lambda more: next(iter(more)))
def test_other_content_of_a_report_is_answered_at_once(
    client: Client, app: Database, kind: str, more: dict[str, Any]
) -> None:
    references = [order(client, app)]
    asked = 0
    while references and asked < 20:
        answer = ask(client, kind, references, **more)
        assert answer.status == 200
        references = named(answer)
        asked += 1
    assert asked == 6, "a page whose reports bring something else does not ask without end"
    app.rollback()


def test_copy_that_is_there_is_not_held_back_by_one_that_is_not(client: Client, app: Database, kind: str) -> None:
    first = order(client, app)
    app.commit()
    second = order(client, app)
    answer = ask(client, kind, [f"{first}.1", f"{second}.1"])
    assert (answer.status, len(copies(answer)), named(answer)) == (200, 1, [f"{second}.2"])
    app.rollback()


def test_page_stops_asking_a_minute_after_a_rollback(
    client: Client, app: Database, kind: str, postgres: Postgres, url: str
) -> None:
    reference = order(client, app)
    app.rollback()
    assert named(ask(client, kind, [reference]))
    postgres.execute(f"UPDATE {url.rpartition('schema=')[2]}.draft_end SET at = at - 61")
    for asked in (reference, f"{reference}.1"):
        answer = ask(client, kind, [asked])
        assert (answer.status, named(answer), copies(answer)) == (200, [], [])


def test_page_asks_again_while_the_database_does_not_answer(client: Client, app: Database, kind: str) -> None:
    reference = order(client, app)
    app.commit()
    client.delivery._storage.lose_disk(OutboxError("of the test"))  # type: ignore[attr-defined]
    references = named(ask(client, kind, [reference]))
    assert wait_until(client.is_ready, 30)
    assert len(copies(ask(client, kind, references))) == 1


@pytest.mark.parametrize("unknown", ["f" * 32, "f" * 32 + ".1", "x", "", "%s", "é" * 60, "\0", "../..", "a.b.c"])
def test_unknown_reference_is_dropped(client: Client, kind: str, unknown: str) -> None:
    answer = ask(client, kind, [unknown])
    assert (answer.status, named(answer), copies(answer)) == (200, [], [])
