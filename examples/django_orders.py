"""An order and its event in one transaction on Django: `python examples/django_orders.py`.

DATABASE_URL names a PostgreSQL database. Its tables, also those of the outbox, are created at the start.
An order that is declined after it was tracked leaves neither a row nor an event.
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch TikTok on.
"""

from __future__ import annotations

import os
import uuid
from urllib.parse import urlsplit

from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path
from django.views.decorators.http import require_GET, require_POST

database = urlsplit(os.environ.get("DATABASE_URL", "postgresql://postgres@127.0.0.1/shop"))

settings.configure(
    INSTALLED_APPS=["tiktok_middleware.contrib.django"],
    MIDDLEWARE=["tiktok_middleware.contrib.django.TikTokMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SHOP_SECRET", "only for the example"),
    ALLOWED_HOSTS=["*"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.postgresql",
            "NAME": database.path.strip("/"),
            "USER": database.username or "",
            "PASSWORD": database.password or "",
            "HOST": database.hostname or "",
            "PORT": database.port or "",
        }
    },
    # Events that are tracked while a transaction is open are committed with it, or rolled back with it.
    TIKTOK={"outbox": "django:default"},
)

PAGE = '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Orders</title></head><body>{}</body></html>'
FORM = (
    '<form method="post" action="/orders"><button name="card" value="good">Buy</button> '
    '<button name="card" value="declined">Buy with a card that is declined</button></form>'
)


class DeclinedError(Exception):
    """The bank has declined the card."""


def charge(card: str) -> None:
    if card != "good":
        raise DeclinedError


@require_GET
def home(_request: HttpRequest) -> HttpResponse:
    return HttpResponse(PAGE.format(FORM))


@require_POST
def order(request: HttpRequest) -> HttpResponse:
    number = uuid.uuid4().hex[:12]
    try:
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("INSERT INTO shop_order (number, total) VALUES (%s, %s)", [number, "59.90"])
            request.tiktok.track("Purchase", order_id=number, value=59.90, currency="EUR")
            charge(request.POST.get("card", ""))  # rolls back the order and its event if it raises
    except DeclinedError:
        return HttpResponse(PAGE.format("Your card was declined."), status=402)
    return HttpResponseRedirect(f"/orders/{number}")


@require_GET
def thank_you(_request: HttpRequest, number: str) -> HttpResponse:
    return HttpResponse(PAGE.format(f"Thank you for order {number}."))


urlpatterns = [path("", home), path("orders", order), path("orders/<slug:number>", thank_you)]

wsgi_application = get_wsgi_application()


def create_tables() -> None:
    """Create the tables. A project of yours has models and `manage.py migrate` for this."""
    execute_from_command_line(["django", "migrate", "--verbosity", "0"])
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS shop_order (number text PRIMARY KEY, total numeric NOT NULL)")


if __name__ == "__main__":
    create_tables()
    execute_from_command_line(["django", "runserver", "--noreload", os.environ.get("PORT", "8000")])
