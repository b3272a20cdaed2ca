"""The project's Celery: a task for each order, which is done again if its worker dies."""

from __future__ import annotations

import os
from typing import Any

import django
from celery import Celery
from celery.signals import worker_init

from tests.transactions.jobs.orders import take_order

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.transactions.jobs.settings")

app: Any = Celery("jobs", broker=os.environ["BROKER"])
app.conf.broker_transport_options = {
    "visibility_timeout": 2,
    "unacked_restore_interval": 1,
    "unacked_restore_throttle": 1,
}
app.conf.broker_connection_retry_on_startup = True
app.conf.task_acks_late = True
app.conf.task_reject_on_worker_lost = True
app.conf.worker_prefetch_multiplier = 1


@worker_init.connect
def make_client(**_: object) -> None:
    """Make the client before the worker forks, as a project does that imports its own modules early."""
    django.setup()
    from tiktok_middleware.contrib.django import tiktok_client

    tiktok_client()


@app.task(name="order")
def order(number: str, outcome: str, death: str = "") -> None:
    """Take an order. A process that is to die does so at the first try alone."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO tries VALUES (%s)", [number])
        cursor.execute("SELECT count(*) FROM tries WHERE id = %s", [number])
        is_first = cursor.fetchone()[0] == 1
    take_order(number, outcome, death if is_first else "")
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO done VALUES (%s)", [number])
