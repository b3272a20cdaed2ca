"""A shop on Django that takes one order after another, with synchronous and asynchronous views."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import AsyncIterator, Iterator
from typing import Any
from urllib.parse import urlsplit

import django
import httpx
from asgiref.sync import sync_to_async
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from tests.contrib.shared import NAVIGATION, PAGE
from tests.transactions.orders_shops import WAITS, RefusedError, copies_of, thank
from tests.transactions.shop import AGENT, Answer
from tiktok_middleware import Client
from tiktok_middleware.contrib.django import tiktok_from


def configure(url: str) -> None:
    """Set up a Django project whose database is at a ``postgresql://`` address."""
    parts = urlsplit(url)
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.path.strip("/"),
        "USER": parts.username,
        "HOST": parts.hostname,
        "PORT": parts.port,
    }
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of the tests",
        DATABASES={"default": database},
        MIDDLEWARE=["tiktok_middleware.contrib.django.TikTokMiddleware"],
        LOGGING_CONFIG=None,
    )
    django.setup()


class DjangoShop:
    """Orders of visitors of a Django site.

    Args:
        client: the client of its middleware.
        is_async: whether the site runs under ASGI, with asynchronous views.
    """

    def __init__(self, client: Client, *, is_async: bool) -> None:
        self._loop = asyncio.new_event_loop() if is_async else None
        with override_settings(TIKTOK=client):
            self._app: Any = get_asgi_application() if is_async else get_wsgi_application()

    def order(self, number: str, outcome: str) -> list[str]:
        """Take an order; return the orders whose browser copies left."""
        paths = [("late" if outcome == "late" else "order"), *(["thanks"] if outcome == "twice" else [])]
        ways = [self._get(path, number, outcome) for path in paths]
        return [order for answer in ways for order in copies_of(answer)]

    def _get(self, path: str, number: str, outcome: str) -> Answer:
        options: dict[str, Any] = {"params": {"number": number, "outcome": outcome}}
        options["headers"] = {**NAVIGATION, "user-agent": AGENT}
        if self._loop is not None:
            got = self._loop.run_until_complete(self._get_async(f"/{path}-async", options))
        else:
            transport = httpx.WSGITransport(self._app, raise_app_exceptions=False)
            with httpx.Client(transport=transport, base_url="https://shop.example") as http:
                got = http.get(f"/{path}", **options)
        return Answer(str(got.status_code), list(got.headers.items()), got.text)

    async def _get_async(self, path: str, options: dict[str, Any]) -> httpx.Response:
        transport = httpx.ASGITransport(self._app, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="https://shop.example") as http:
            return await http.get(path, **options)


def insert(request: HttpRequest, number: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO orders VALUES (%s)", [number])
    thank(tiktok_from(request).track, number)


def take(request: HttpRequest) -> None:
    number, outcome = request.GET["number"], request.GET["outcome"]
    if outcome == "retry":
        with contextlib.suppress(RefusedError), transaction.atomic():
            insert(request, number)
            raise RefusedError
    with transaction.atomic():
        insert(request, number)
        if outcome == "nested":
            with contextlib.suppress(RefusedError), transaction.atomic():
                insert(request, f"{number}-part")
                raise RefusedError
        time.sleep(random.choice(WAITS))
        if outcome == "raise before":
            raise RefusedError
        if outcome == "rollback":
            transaction.set_rollback(True)
    if outcome == "raise after":
        raise RefusedError


def order(request: HttpRequest) -> HttpResponse:
    take(request)
    return HttpResponse(PAGE)


async def order_async(request: HttpRequest) -> HttpResponse:
    await sync_to_async(take)(request)
    return HttpResponse(PAGE)


def late(request: HttpRequest) -> StreamingHttpResponse:
    """Commit the order after the head of the page has left."""

    def pieces() -> Iterator[str]:
        yield PAGE.partition("Hello")[0]
        take(request)
        yield "Hello</body></html>"

    return StreamingHttpResponse(pieces())


async def late_async(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[str]:
        yield PAGE.partition("Hello")[0]
        await sync_to_async(take)(request)
        yield "Hello</body></html>"

    return StreamingHttpResponse(pieces())


def thanks(request: HttpRequest) -> HttpResponse:
    thank(tiktok_from(request).track, request.GET["number"])
    return HttpResponse(PAGE)


async def thanks_async(request: HttpRequest) -> HttpResponse:
    return thanks(request)


urlpatterns = [
    path(view.__name__.replace("_", "-"), view) for view in (order, order_async, late, late_async, thanks, thanks_async)
]
