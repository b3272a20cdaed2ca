"""Take an order outside a request, as a command or a task does; the process may kill itself on the way."""

from __future__ import annotations

import contextlib
import os
import signal

from django.db import connection, transaction

from tests.transactions.shop import AGENT
from tiktok_middleware.contrib.django import tiktok_client

#: How an order ends, and whether its event is sent.
OUTCOMES = {
    "commits": True,
    "commits around the job": True,
    "commits, then raises": True,
    "is rolled back": False,
    "raises": False,
    "raises in a savepoint": True,
    "is locked first": True,
}
#: Where the process may die, and whether the order is committed by then.
DEATHS = {"before the commit": False, "after the commit": True, "after the job": True}


class RefusedError(Exception):
    """The app's own error."""


def die(here: str, wanted: str) -> None:
    if here == wanted:
        os.kill(os.getpid(), signal.SIGKILL)


def buy(tracker: object, number: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders VALUES (%s)", [number])
    tracker.track("Purchase", order_id=number, value=5, currency="EUR")  # type: ignore[attr-defined]


def take_order(number: str, outcome: str, death: str = "") -> None:
    if outcome == "commits around the job":
        with transaction.atomic(), tiktok_client().tracker(ip="93.184.216.34", user_agent=AGENT) as tracker:
            buy(tracker, number)
        return
    with contextlib.suppress(RefusedError), tiktok_client().tracker(ip="93.184.216.34", user_agent=AGENT) as tracker:
        with transaction.atomic():
            if outcome == "is locked first":
                with connection.cursor() as cursor:
                    cursor.execute("SELECT number FROM stock FOR UPDATE")
                    cursor.execute("UPDATE stock SET number = number - 1")
            buy(tracker, number)
            if outcome == "raises in a savepoint":
                with contextlib.suppress(RefusedError), transaction.atomic():
                    buy(tracker, f"{number} in a savepoint")
                    raise RefusedError
            die("before the commit", death)
            if outcome == "is rolled back":
                transaction.set_rollback(True)
            if outcome == "raises":
                raise RefusedError
        die("after the commit", death)
        if outcome == "commits, then raises":
            raise RefusedError
    die("after the job", death)
