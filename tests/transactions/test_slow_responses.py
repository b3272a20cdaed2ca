"""Responses and transactions that take longer than a draft waits: each event counts once, on both channels."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contrib.shared import sent
from tests.postgres_world import Postgres
from tests.transactions.databases import Database, database
from tests.transactions.shop import drafts, fetch, settled, shop_client, visit
from tiktok_middleware import Client
from tiktok_middleware.core.tracking.tracker import Tracker

pytestmark = pytest.mark.postgres


@pytest.fixture
def app(postgres: Postgres) -> Iterator[Database]:
    with database(postgres.url(), "psycopg") as made:
        yield made


def ends(postgres: Postgres, url: str) -> int:
    """How many completions of drafts are kept."""
    schema = url.rpartition("schema=")[2]
    return int(postgres.execute(f"SELECT count(*) FROM {schema}.draft_end")[0][0])


EVENTS: dict[str, dict[str, Any]] = {
    "once": {"order_id": "A-1", "value": 5, "currency": "EUR"},
    "plain": {"value": 5, "currency": "EUR"},
}


@pytest.mark.parametrize("event", EVENTS)
def test_response_that_ends_after_a_minute_adds_its_browser_copy(
    client: Client, app: Database, postgres: Postgres, url: str, event: str
) -> None:
    def view(tracker: Tracker) -> None:
        app.execute("INSERT INTO orders VALUES ('A-1')")
        tracker.track("Purchase" if event == "once" else "Contact", connection=app.given, **EVENTS[event])
        app.commit()
        settled(client, postgres, url)
        assert len(sent(client)) == 1

    [copy] = visit(client, view).copies
    settled(client, postgres, url)
    assert [server["event_id"] for server in sent(client)] == [copy[2]]
    assert (drafts(postgres, url), ends(postgres, url)) == (0, 0)


def test_response_that_fails_after_a_minute_leaves_the_server_copy(
    client: Client, app: Database, postgres: Postgres, url: str
) -> None:
    def view(tracker: Tracker) -> None:
        tracker.track("Purchase", connection=app.given, **EVENTS["once"])
        app.commit()
        settled(client, postgres, url)
        raise ZeroDivisionError

    app.execute("SELECT 1")
    with contextlib.suppress(ZeroDivisionError):
        visit(client, view)
    settled(client, postgres, url)
    assert (len(sent(client)), ends(postgres, url)) == (1, 0)


def test_grant_after_a_minute_sends_the_server_copy(
    client: Client, app: Database, postgres: Postgres, url: str
) -> None:
    undecided = shop_client(url, consent="required")

    def view(tracker: Tracker) -> None:
        app.execute("INSERT INTO orders VALUES ('A-1')")
        tracker.track("Purchase", connection=app.given, **EVENTS["once"])
        app.commit()
        settled(undecided, postgres, url)
        assert sent(undecided) == []
        tracker.grant_consent()

    [copy] = visit(undecided, view).copies
    assert [server["event_id"] for server in sent(undecided)] == [copy[2]]
    undecided.close(5)


def test_transaction_that_commits_after_a_minute_is_matched(
    client: Client, app: Database, postgres: Postgres, url: str
) -> None:
    def view(tracker: Tracker) -> None:
        app.execute("INSERT INTO orders VALUES ('A-1')")
        tracker.track("Purchase", connection=app.given, **EVENTS["once"])

    answer = visit(client, view)
    app.execute(f"UPDATE {url.rpartition('schema=')[2]}.draft SET due = 0")
    app.commit()
    settled(client, postgres, url)
    [copy] = fetch(client, answer.references)
    assert [server["event_id"] for server in sent(client)] == [copy[2]]
    assert (drafts(postgres, url), ends(postgres, url)) == (0, 0)


def test_statement_that_is_executed_in_two_transactions_counts_once(
    client: Client, app: Database, postgres: Postgres, url: str
) -> None:
    with client.tracker(ip="203.0.113.9") as tracker:
        event = tracker.track("Contact", value=5, currency="EUR")
        sql, parameters = client.insert_statement(event, style="percent")
        for _ in range(2):
            app.given.execute(sql, parameters)
            app.commit()
            settled(client, postgres, url)
    settled(client, postgres, url)
    assert len(sent(client)) == 1
    assert (drafts(postgres, url), ends(postgres, url)) == (0, 0)


@pytest.mark.parametrize("is_completed", [True, False])
def test_statement_that_is_executed_twice_in_a_transaction_counts_once(
    client: Client, app: Database, postgres: Postgres, url: str, is_completed: bool
) -> None:
    job = client.tracker(ip="203.0.113.9")
    tracker = job.__enter__()
    event = tracker.track("Contact", value=5, currency="EUR")
    sql, parameters = client.insert_statement(event, style="percent")
    for _ in range(2):
        app.given.execute(sql, parameters)
    if is_completed:
        job.__exit__(None, None, None)
    app.commit()
    settled(client, postgres, url)
    assert len(sent(client)) == 1
    assert drafts(postgres, url) == 0


def test_only_events_that_were_not_sent_are_counted_as_rolled_back(
    client: Client, app: Database, postgres: Postgres, url: str
) -> None:
    schema = url.rpartition("schema=")[2]
    counted = client.stats()["dropped"].get("rolled_back", 0)
    job = client.tracker(ip="93.184.216.3").__enter__()  # whose process ends without completing the draft
    app.execute("INSERT INTO orders VALUES ('A-1')")
    job.track("Purchase", connection=app.given, **EVENTS["once"])
    app.commit()
    settled(client, postgres, url)
    assert (len(sent(client)), ends(postgres, url)) == (1, 1)

    def view(tracker: Tracker) -> None:
        app.execute("INSERT INTO orders VALUES ('A-2')")
        tracker.track("Purchase", order_id="A-2", value=5, currency="EUR", connection=app.given)
        app.rollback()

    visit(client, view)
    postgres.execute(f"UPDATE {schema}.draft_end SET at = at - 7200")
    later = shop_client(url)
    later.start()
    settled(later, postgres, url)
    assert sum(one.stats()["dropped"].get("rolled_back", 0) for one in (client, later)) == counted + 1
    assert ends(postgres, url) == 0
    later.close(5)
