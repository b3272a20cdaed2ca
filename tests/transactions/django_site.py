"""Settings and views of a Django project whose orders and outbox are in PostgreSQL; ``DATABASE_PORT`` says where."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

SECRET_KEY = "of the tests"
ROOT_URLCONF = __name__
ALLOWED_HOSTS = ["*"]
USE_TZ = True
STATIC_URL = "/static/"
INSTALLED_APPS = ["tiktok_middleware.contrib.django"]
MIDDLEWARE = ["tiktok_middleware.contrib.django.TikTokMiddleware"]
_database = {
    "ENGINE": "django.db.backends.postgresql",
    "USER": "postgres",
    "HOST": "127.0.0.1",
    "PORT": os.environ.get("DATABASE_PORT", ""),
}
DATABASES = {
    "default": {**_database, "NAME": "shop", "ATOMIC_REQUESTS": True},
    "other": {**_database, "NAME": "shop_other"},
}
TIKTOK = {
    "outbox": "django:default?wait=20",  # on a busy machine, too
    "pixel_id": "C0000000000000000000",
    "access_token": "t",
    "consent": "implied",
    "api_url": os.environ.get("API_URL", "http://127.0.0.1:9"),
    "browser_in_test": True,
}
PAGE = "<!doctype html><html><head><title>Shop</title></head><body>Thanks</body></html>"


def _buy(request: Any) -> None:
    request.tiktok.track("Purchase", order_id=request.GET["order"], value=5, currency="EUR")


def thanks(request: Any) -> Any:
    from django.http import HttpResponse

    _buy(request)
    if "fails" in request.GET:
        raise ZeroDivisionError
    return HttpResponse(PAGE)


def streamed(request: Any) -> Any:
    """Track while the page is sent, in a transaction of its own."""
    from django.db import transaction
    from django.http import StreamingHttpResponse

    def pieces() -> Iterator[str]:
        yield PAGE.partition("Thanks")[0]
        with transaction.atomic():
            _buy(request)
        yield "Thanks</body></html>"

    return StreamingHttpResponse(pieces())


def last_one(request: Any) -> Any:
    """Sell from one row that every order locks; an order whose number ends with 0 is given up."""
    from django.db import connections, transaction
    from django.http import HttpResponse

    with contextlib.suppress(ZeroDivisionError), transaction.atomic():
        with connections["default"].cursor() as cursor:
            cursor.execute("SELECT number FROM stock FOR UPDATE")
            cursor.execute("UPDATE stock SET number = number - 1")
        _buy(request)
        if request.GET["order"].endswith("0"):
            raise ZeroDivisionError
    return HttpResponse(PAGE)


def elsewhere(request: Any) -> Any:
    """Track while a transaction of another database is open, which is rolled back."""
    from django.db import transaction
    from django.http import HttpResponse

    with transaction.atomic(using="other"):
        _buy(request)
        transaction.set_rollback(True, using="other")
    return HttpResponse(PAGE)


async def on_a_loop(request: Any) -> Any:
    from asgiref.sync import sync_to_async
    from django.db import transaction
    from django.http import HttpResponse

    def order() -> None:
        with transaction.atomic():
            _buy(request)

    await sync_to_async(order)()
    return HttpResponse(PAGE)


def __getattr__(name: str) -> Any:
    """Make the routes when Django asks for them: settings may not import ``django.urls``."""
    if name == "urlpatterns":
        from django.db.transaction import non_atomic_requests
        from django.urls import path

        own = [path(view.__name__, non_atomic_requests(view)) for view in (streamed, last_one, elsewhere, on_a_loop)]
        return [path("thanks", thanks), *own]
    raise AttributeError(name)
