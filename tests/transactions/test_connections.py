"""``track(connection=)``: the event is committed with the app's transaction, or rolled back with it."""

from __future__ import annotations

import contextlib
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.contrib.shared import PAGE, make_client, sent
from tests.postgres_world import Postgres
from tests.transactions.databases import KINDS, Database, database
from tests.transactions.shop import drafts, fetch, settled, shop_client, visit
from tiktok_middleware import Client, EventError
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.delivery.outbox.person import Person
from tiktok_middleware.delivery.outbox.postgres.admin import PostgresAdmin
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
from tiktok_middleware.testing import record

pytestmark = pytest.mark.postgres


@pytest.fixture(params=["psycopg", "session-psycopg2"])
def app(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Database]:
    with database(postgres.url(), request.param) as made:
        yield made


@pytest.fixture(params=KINDS)
def any_app(request: pytest.FixtureRequest, postgres: Postgres) -> Iterator[Database]:
    with database(postgres.url(), request.param) as made:
        yield made


def buy(tracker: Tracker, app: Database, order: str = "A-1", **more: Any) -> Any:
    app.execute(f"INSERT INTO orders VALUES ('{order}')")
    return tracker.track("Purchase", order_id=order, value=5, currency="EUR", connection=app.given, **more)


def orders(postgres: Postgres) -> list[str]:
    return [row[0] for row in postgres.execute("SELECT id FROM orders ORDER BY id")]


def test_committed_order_sends_both_copies(client: Client, any_app: Database, postgres: Postgres, url: str) -> None:
    def view(tracker: Tracker) -> None:
        buy(tracker, any_app)
        any_app.commit()

    [copy] = visit(client, view).copies
    [server] = sent(client)
    assert copy[2] == server["event_id"]
    assert (orders(postgres), drafts(postgres, url)) == (["A-1"], 0)


def test_rolled_back_order_sends_nothing(client: Client, any_app: Database, postgres: Postgres, url: str) -> None:
    def view(tracker: Tracker) -> None:
        buy(tracker, any_app)
        any_app.rollback()

    answer = visit(client, view)
    assert answer.copies == []
    assert fetch(client, answer.references) == []
    settled(client, postgres, url)
    assert (sent(client), orders(postgres), drafts(postgres, url)) == ([], [], 0)
    assert client.stats()["counts"]["browser_uncommitted"] == 1

    def again(tracker: Tracker) -> None:
        buy(tracker, any_app)
        any_app.commit()

    assert len(visit(client, again).copies) == len(sent(client)) == 1  # nothing was claimed before


def test_order_committed_after_the_response_is_fetched_by_reference(client: Client, app: Database) -> None:
    answer = visit(client, lambda tracker: buy(tracker, app) and None)
    assert (answer.copies, fetch(client, answer.references), sent(client)) == ([], [], [])
    app.commit()
    [copy] = fetch(client, answer.references)
    [server] = sent(client)
    assert copy[2] == server["event_id"]


def test_order_committed_late_is_sent_before_the_page_asks(client: Client, app: Database) -> None:
    answer = visit(client, lambda tracker: buy(tracker, app) and None)
    app.commit()
    [server] = sent(client)
    [copy] = fetch(client, answer.references)
    assert copy[2] == server["event_id"]


def test_nested_savepoint_rolls_back_its_own_event(client: Client, any_app: Database, postgres: Postgres) -> None:
    def view(tracker: Tracker) -> None:
        buy(tracker, any_app, "A-1")
        any_app.execute("SAVEPOINT inner_part")
        buy(tracker, any_app, "A-2")
        any_app.execute("ROLLBACK TO SAVEPOINT inner_part")
        any_app.commit()

    [copy] = visit(client, view).copies
    assert copy[1]["order_id"] == "A-1"
    assert [server["properties"]["order_id"] for server in sent(client)] == orders(postgres) == ["A-1"]


def test_failed_insert_leaves_the_app_s_transaction_usable(
    client: Client, any_app: Database, postgres: Postgres, url: str
) -> None:
    client.delivery.stats()
    schema = url.rpartition("schema=")[2]
    postgres.execute(f"ALTER TABLE {schema}.draft ADD CONSTRAINT broken CHECK (due < 0)")

    def view(tracker: Tracker) -> None:
        buy(tracker, any_app)
        any_app.execute("INSERT INTO orders VALUES ('A-2')")
        any_app.commit()

    [copy] = visit(client, view).copies
    assert [server["event_id"] for server in sent(client)] == [copy[2]]
    assert orders(postgres) == ["A-1", "A-2"]
    assert client.stats()["counts"]["draft_failed"] == 1
    postgres.execute(f"ALTER TABLE {schema}.draft DROP CONSTRAINT broken")


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "psycopg-pipeline"])  # which reports errors later
def test_error_of_the_app_before_the_event_sends_nothing(client: Client, kind: str, postgres: Postgres) -> None:
    with database(postgres.url(), kind) as app:

        def view(tracker: Tracker) -> None:
            with pytest.raises(Exception, match="division"):
                app.execute("SELECT 1 / 0")
            tracker.track("Purchase", order_id="A-1", value=5, currency="EUR", connection=app.given)
            app.rollback()

        assert visit(client, view).copies == []
    assert sent(client) == []
    assert client.stats()["counts"]["rolled_back"] == 1


def test_view_that_fails_after_the_commit_still_counts(client: Client, app: Database) -> None:
    def view(tracker: Tracker) -> None:
        buy(tracker, app)
        app.commit()

    answer = visit(client, view, "500 Internal Server Error")
    assert answer.status.startswith("500")
    assert len(sent(client)) == 1
    assert "request_failed" not in client.stats()["counts"]


def test_view_that_raises_after_the_rollback_sends_nothing(
    client: Client, app: Database, postgres: Postgres, url: str
) -> None:
    def view(tracker: Tracker) -> None:
        buy(tracker, app)
        app.rollback()
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        visit(client, view)
    settled(client, postgres, url)
    assert sent(client) == []


def test_revocation_in_the_same_request_removes_the_draft(
    client: Client, app: Database, postgres: Postgres, url: str
) -> None:
    def view(tracker: Tracker) -> None:
        buy(tracker, app)
        tracker.revoke_consent()
        app.commit()

    assert visit(client, view).copies == []
    assert drafts(postgres, url) == 0
    settled(client, postgres, url)
    assert sent(client) == []


def test_revocation_before_a_later_commit_removes_the_draft(
    client: Client, app: Database, postgres: Postgres, url: str
) -> None:
    def view(tracker: Tracker) -> None:
        buy(tracker, app)
        tracker.revoke_consent()

    visit(client, view)
    app.commit()
    assert sent(client) == []
    assert drafts(postgres, url) == 0


def test_process_that_ends_before_the_response_sends_after_a_minute(
    client: Client, app: Database, postgres: Postgres, url: str
) -> None:
    tracker = client.tracker(ip="93.184.216.3").__enter__()
    buy(tracker, app)
    app.commit()
    assert sent(client) == []
    settled(client, postgres, url)
    [server] = sent(client)
    assert server["properties"]["order_id"] == "A-1"


def test_job_block_inside_the_transaction_waits_for_the_commit(client: Client, app: Database) -> None:
    with client.tracker(ip="93.184.216.3") as tracker:
        buy(tracker, app)
    assert sent(client) == []
    app.commit()
    assert len(sent(client)) == 1


@pytest.mark.parametrize("given", [object(), "default", 5, b"x"], ids=lambda given: type(given).__name__)
def test_unknown_connection_is_an_error_that_names_what_is_allowed(client: Client, given: object) -> None:
    def view(tracker: Tracker) -> None:
        with pytest.raises(EventError, match="psycopg connection, an SQLAlchemy Session"):
            tracker.track("Purchase", order_id="A-1", value=5, currency="EUR", connection=given)

    visit(client, view)


def test_redirect_carries_a_reference_until_the_commit(client: Client, app: Database) -> None:
    answer = visit(client, lambda tracker: buy(tracker, app) and None, "303 See Other")
    cookie = answer.header("Set-Cookie").partition(";")[0]
    app.commit()
    page = visit(client, lambda _tracker: None, HTTP_COOKIE=cookie)
    [copy] = fetch(client, page.references)
    [server] = sent(client)
    assert copy[2] == server["event_id"]


def test_answer_to_a_script_carries_a_reference_until_the_commit(client: Client, app: Database) -> None:
    script = {"HTTP_SEC_FETCH_MODE": "cors", "HTTP_SEC_FETCH_DEST": "empty", "HTTP_ACCEPT": "*/*"}

    def view(tracker: Tracker) -> str:
        buy(tracker, app)
        return "{}"

    answer = visit(client, view, **script)
    references = re.findall(r'desc="~(\w+)"', answer.header("Server-Timing"))
    assert len(references) == 1
    assert fetch(client, references) == []
    app.commit()
    assert len(fetch(client, references)) == len(sent(client)) == 1


def test_event_of_a_stream_carries_a_reference_in_the_late_script(client: Client, app: Database) -> None:
    def stream(tracker: Tracker) -> Iterator[bytes]:
        yield PAGE.partition("Hello")[0].encode()
        buy(tracker, app)
        yield b"Hello</body></html>"

    body = visit(client, stream).body
    references = re.findall(r"desc=\"~(\w+)\"", body)
    assert len(references) == 1
    app.commit()
    assert len(fetch(client, references)) == len(sent(client)) == 1


def test_visitor_who_has_not_chosen_gets_a_sealed_event(
    postgres: Postgres, url: str, client: Client, app: Database
) -> None:
    undecided = shop_client(url, consent="required")

    def view(tracker: Tracker) -> None:
        buy(tracker, app)
        app.commit()

    answer = visit(undecided, view)
    assert (answer.copies, answer.references) == ([], [])
    assert len(answer.page["s"]) == 1
    assert drafts(postgres, url) == 0
    settled(undecided, postgres, url)
    undecided.close(1)
    assert sent(client) == []


def test_erasure_removes_drafts_of_the_person(client: Client, app: Database, postgres: Postgres, url: str) -> None:
    job = client.tracker(ip="93.184.216.3").__enter__()
    buy(job, app, "A-1")
    other = client.tracker(ip="93.184.216.34").__enter__()
    buy(other, app, "A-2")
    app.commit()
    assert drafts(postgres, url) == 2
    with contextlib.closing(PostgresAdmin(url, time.time)) as admin:
        erased = admin.erase(Person(ip=("93.184.216.3",)))
    assert (erased.waiting, drafts(postgres, url)) == (1, 1)


def test_cancelled_order_sends_nothing_when_it_commits(client: Client, app: Database) -> None:
    visit(client, lambda tracker: buy(tracker, app) and None)
    assert client.cancel(once="A-1", timeout_s=20)
    app.commit()
    assert sent(client) == []


def test_database_of_somebody_else_gets_no_draft(client: Client, postgres: Postgres, url: str) -> None:
    """A copy of the production database has the tables, too."""
    postgres.execute("CREATE DATABASE other")
    try:
        elsewhere = PostgresOutbox(postgres.url("other", schema=url.rpartition("schema=")[2]))
        elsewhere.read_switches()
        elsewhere.close()
        postgres.execute("CREATE TABLE orders (id text)", "other")
        with database(postgres.url("other"), "psycopg") as app:

            def view(tracker: Tracker) -> None:
                buy(tracker, app)
                app.commit()

            assert len(visit(client, view).copies) == 1
    finally:
        postgres.execute("DROP DATABASE other WITH (FORCE)")
    assert client.stats()["counts"]["draft_failed"] == 1
    assert len(sent(client)) == 1


def test_outbox_elsewhere_is_an_error_that_names_the_option(postgres: Postgres) -> None:
    client = make_client(consent="implied")
    with database(postgres.url(), "psycopg") as app:

        def view(tracker: Tracker) -> None:
            with pytest.raises(EventError, match="TIKTOK_OUTBOX is postgresql"):
                tracker.track("Purchase", order_id="A-1", value=5, currency="EUR", connection=app.given)

        visit(client, view)
    client.close(1)


def test_recorder_takes_the_event_at_once(client: Client, postgres: Postgres, url: str) -> None:
    with database(postgres.url(), "psycopg") as app, record() as recorder:
        visit(client, lambda tracker: buy(tracker, app) and None)
        recorder.assert_matched("Purchase", order_id="A-1")
    assert drafts(postgres, url) == 0
