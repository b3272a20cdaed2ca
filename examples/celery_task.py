"""A Celery task that reports a conversion: `celery -A examples.celery_task worker`.

The web app stores `request.tiktok.snapshot()` with the order. Set TIKTOK_SECRET_KEY to the same value for the web app
and the worker, so that the worker can read it; also set TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN. The event is stored
on the worker's disk before the task ends. Another thread sends it to TikTok later, so that an outage fails no task.
"""

from __future__ import annotations

import os

from celery import Celery

from tiktok_middleware import Client

app = Celery("shop", broker=os.environ.get("CELERY_BROKER", "redis://127.0.0.1:6379/0"))
client = Client.from_env()


@app.task(name="shop.subscription_renewed", acks_late=True)
def subscription_renewed(invoice: str, snapshot: str, value: float, currency: str, paid_at: int) -> str:
    """Report a renewal and return the event's id; the invoice number makes a task that runs twice count once."""
    with client.tracker(snapshot) as tiktok:
        event = tiktok.track("Subscribe", once=invoice, value=value, currency=currency, event_time=paid_at)
    return event.event_id
