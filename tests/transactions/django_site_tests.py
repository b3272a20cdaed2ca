"""The tests of the Django project, which ``manage.py test`` runs in databases of their own."""

from __future__ import annotations

import threading
import time
import urllib.request
from typing import Any

from django import test
from django.db import connections, transaction

from tests.transactions.shop import AGENT
from tiktok_middleware.contrib.django import tiktok_client
from tiktok_middleware.core.events.ids import once_event_id
from tiktok_middleware.testing import record

PERSON: Any = {"HTTP_USER_AGENT": AGENT, "HTTP_ACCEPT": "text/html", "HTTP_SEC_FETCH_MODE": "navigate"}
_test: Any = test
_SESSIONS = """SELECT pid FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'tiktok-middleware'"""
_BUYERS, _ORDERS = 8, 5
_THREADS = 12  # of one client, also while calls hang; a client for each test would have more


def rows(sql: str) -> set[int]:
    with connections["default"].cursor() as cursor:
        cursor.execute(sql)
        return {int(value) for (value,) in cursor.fetchall()}


def asked(sql: str) -> int:
    [value] = rows(sql)
    return value


def stored(table: str) -> int:
    return asked(f"SELECT count(*) FROM tiktok_middleware.{table}")


def is_claimed(order: str) -> bool:
    event_id = once_event_id("Purchase", order)
    return asked(f"SELECT count(*) FROM tiktok_middleware.claim WHERE event_id = '{event_id}'") > 0


class InATransaction(_test.TestCase):  # type: ignore[misc]  # Django has no types
    @classmethod
    def setUpTestData(cls) -> None:
        with tiktok_client().tracker(ip="93.184.216.34") as tracker:
            tracker.track("Purchase", order_id="of all tests", value=5, currency="EUR")

    def test_event_is_a_draft_that_the_test_rolls_back(self) -> None:
        page = self.client.get("/thanks", {"order": "A-1"}, **PERSON)
        assert page.status_code == 200
        assert b"A-1" not in page.content
        assert (stored("draft"), stored("claim")) == (2, 0)

    def test_next_test_begins_without_the_events_of_the_last(self) -> None:
        self.client.get("/thanks", {"order": "A-1"}, **PERSON)
        assert (stored("draft"), stored("claim")) == (2, 0)

    def test_event_is_recorded_at_once(self) -> None:
        with record() as tiktok:
            self.client.get("/thanks", {"order": "A-1"}, **PERSON)
            tiktok.assert_matched("Purchase", order_id="A-1")
        assert stored("draft") == 1

    def test_streamed_page_is_a_draft(self) -> None:
        page = self.client.get("/streamed", {"order": "A-1"}, **PERSON)
        assert b"Thanks</body>" in page.getvalue()
        assert (stored("draft"), stored("claim")) == (2, 0)

    def test_savepoint_takes_its_event_with_it(self) -> None:
        with transaction.atomic(), tiktok_client().tracker(ip="93.184.216.34") as tracker:
            tracker.track("Purchase", order_id="A-1", value=5, currency="EUR")
            transaction.set_rollback(True)
        assert stored("draft") == 1

    async def test_async_view_is_a_draft(self) -> None:
        from asgiref.sync import sync_to_async

        headers = {"user-agent": AGENT, "accept": "text/html", "sec-fetch-mode": "navigate"}
        page = await self.async_client.get("/on_a_loop", {"order": "A-1"}, headers=headers)
        assert page.status_code == 200
        assert await sync_to_async(stored)("draft") == 2


class Committed(_test.TransactionTestCase):  # type: ignore[misc]  # as above
    databases = ("default", "other")

    def tearDown(self) -> None:
        """No connection of ours stays open, and few threads of ours run, however many tests there were."""
        before = rows(_SESSIONS)
        deadline = time.monotonic() + 20
        while before & rows(_SESSIONS) and time.monotonic() < deadline:
            time.sleep(0.05)
        assert not before & rows(_SESSIONS)
        assert sum(thread.name.startswith("tiktok") for thread in threading.enumerate()) <= _THREADS

    def test_committed_order_is_sent_and_a_failed_one_is_not(self) -> None:
        assert self.client.get("/thanks", {"order": "A-2"}, **PERSON).status_code == 200
        self.client.raise_request_exception = False
        assert self.client.get("/thanks", {"order": "A-3", "fails": "1"}, **PERSON).status_code == 500
        assert tiktok_client().flush(60)
        assert stored("draft") == 0
        assert (is_claimed("A-2"), is_claimed("A-3")) == (True, False)

    def test_transaction_of_another_database_takes_nothing_with_it(self) -> None:
        assert self.client.get("/elsewhere", {"order": "B-1"}, **PERSON).status_code == 200
        assert tiktok_client().flush(60)
        assert is_claimed("B-1")

    def test_orders_that_lock_the_same_row_all_succeed(self) -> None:
        with connections["default"].cursor() as cursor:
            cursor.execute("CREATE TABLE IF NOT EXISTS stock (number integer)")
            cursor.execute("TRUNCATE stock")
            cursor.execute("INSERT INTO stock VALUES (1000)")
        statuses: list[int] = []

        def buy(number: int) -> None:
            client = test.Client()
            orders = [f"S-{turn}{number}" for turn in range(_ORDERS)]
            statuses.extend(client.get("/last_one", {"order": order}, **PERSON).status_code for order in orders)
            connections.close_all()

        buyers = [threading.Thread(target=buy, args=(number,)) for number in range(_BUYERS)]
        for one in buyers:
            one.start()
        for one in buyers:
            one.join()
        assert statuses == [200] * (_BUYERS * _ORDERS)
        assert tiktok_client().flush(60)
        sold = {f"S-{turn}{number}" for turn in range(_ORDERS) for number in range(1, _BUYERS)}
        assert asked("SELECT 1000 - number FROM stock") == len(sold)
        assert {order for order in sold if is_claimed(order)} == sold
        assert not any(is_claimed(f"S-{turn}0") for turn in range(_ORDERS))

    def test_what_cannot_be_sent_waits_when_the_test_ends(self) -> None:
        self.client.get("/thanks", {"order": "A-4"}, **PERSON)


class OverHttp(_test.LiveServerTestCase):  # type: ignore[misc]  # as above
    def test_page_of_a_live_server_is_committed(self) -> None:
        headers = {"User-Agent": AGENT, "Accept": "text/html", "Sec-Fetch-Mode": "navigate"}
        request = urllib.request.Request(f"{self.live_server_url}/thanks?order=L-1", headers=headers)
        with urllib.request.urlopen(request, timeout=20) as page:
            assert page.status == 200
        assert tiktok_client().flush(60)
        assert is_claimed("L-1")


class Unsent(_test.TransactionTestCase):  # type: ignore[misc]  # as above
    """What these leave behind, the API does not take."""

    def test_event_waits_when_the_tests_end(self) -> None:
        self.client.get("/thanks", {"order": "A-5"}, **PERSON)


Unsent = test.tag("unsent")(Unsent)  # type: ignore[misc]


@test.tag("unsent")
class AlsoUnsent(Unsent):
    """Runs in another process with ``--parallel``."""
