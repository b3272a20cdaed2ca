"""The tests of the Django project, which ``manage.py test`` runs in a database of their own."""

from __future__ import annotations

from typing import Any

from django import test
from django.db import connections

from tests.transactions.shop import AGENT
from tiktok_middleware.contrib.django import tiktok_client
from tiktok_middleware.testing import record

PERSON: Any = {"HTTP_USER_AGENT": AGENT, "HTTP_ACCEPT": "text/html", "HTTP_SEC_FETCH_MODE": "navigate"}
_test: Any = test


def stored(table: str) -> int:
    with connections["default"].cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM tiktok_middleware.{table}")
        return int(cursor.fetchone()[0])


class InATransaction(_test.TestCase):  # type: ignore[misc]  # Django has no types
    def test_event_is_a_draft_that_the_test_rolls_back(self) -> None:
        page = self.client.get("/thanks", {"order": "A-1"}, **PERSON)
        assert page.status_code == 200
        assert b"A-1" not in page.content
        assert (stored("draft"), stored("claim")) == (1, 0)

    def test_event_is_recorded_at_once(self) -> None:
        with record() as tiktok:
            self.client.get("/thanks", {"order": "A-1"}, **PERSON)
            tiktok.assert_matched("Purchase", order_id="A-1")
        assert stored("draft") == 0


class Committed(_test.TransactionTestCase):  # type: ignore[misc]  # as above
    def test_committed_order_is_sent_and_a_failed_one_is_not(self) -> None:
        page = self.client.get("/thanks", {"order": "A-2"}, **PERSON)
        assert b"A-2" in page.content
        self.client.raise_request_exception = False
        assert self.client.get("/thanks", {"order": "A-3", "fails": "1"}, **PERSON).status_code == 500
        assert tiktok_client().flush(10)
        assert (stored("draft"), stored("claim")) == (0, 2)
