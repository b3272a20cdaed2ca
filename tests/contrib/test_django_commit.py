"""``on_commit=True``: an event waits for the transaction around it, and goes down with it."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.test import override_settings
from django.urls import path

from tests.contrib import test_django
from tests.contrib.shared import PAGE, PIXEL, inline_events, make_client, sent
from tests.core.core_world import runtime_of, tracker_of
from tiktok_middleware import Client, EventError
from tiktok_middleware.contrib import django as contrib
from tiktok_middleware.contrib.django import tiktok_from

seen: list[Any] = []


def buy(request: HttpRequest, **more: Any) -> None:
    seen.append(tiktok_from(request).track("Purchase", value=5, currency="EUR", on_commit=True, **more))


def commits(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        buy(request, order_id="A-1")
        assert list(tiktok_from(request).state.pending) == []
    assert len(tiktok_from(request).state.pending) == 1
    return HttpResponse(PAGE)


def rolls_back(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        buy(request, order_id="A-1")
        transaction.set_rollback(True)
    return HttpResponse(PAGE)


def partly(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        buy(request, order_id="A-1")
        with transaction.atomic():
            buy(request, order_id="A-2")
            transaction.set_rollback(True)
    return HttpResponse(PAGE)


def without(request: HttpRequest) -> HttpResponse:
    buy(request, order_id="A-1")
    return HttpResponse(PAGE)


def fails(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        buy(request, order_id="A-1")
    raise RuntimeError("after the commit")


async def on_a_loop(request: HttpRequest) -> HttpResponse:
    await sync_to_async(commits)(request)
    return HttpResponse(PAGE)


async def on_a_loop_without(request: HttpRequest) -> HttpResponse:
    buy(request, order_id="A-1")
    return HttpResponse(PAGE)


def kept_open(request: HttpRequest) -> HttpResponse:
    seen.append(request)
    return HttpResponse(PAGE)


urlpatterns = [
    path("commits", commits),
    path("rolls-back", rolls_back),
    path("partly", partly),
    path("without", without),
    path("fails", fails),
    path("on-a-loop", on_a_loop),
    path("on-a-loop-without", on_a_loop_without),
    path("kept-open", kept_open),
]


@pytest.fixture
def client() -> Iterator[Client]:
    seen.clear()
    made = make_client()
    with override_settings(ROOT_URLCONF=__name__, TIKTOK=made):
        yield made


def get(where: str, kind: str = "wsgi") -> list[list[Any]]:
    return inline_events(test_django.Browser(kind).get(where).text)


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
@pytest.mark.parametrize("where", ["/commits", "/without", "/on-a-loop", "/on-a-loop-without"])
def test_a_commit_lets_it_go(client: Client, where: str, kind: str) -> None:
    [copy], [server] = get(where, kind), sent(client)
    assert copy[2] == server["event_id"] == seen[0].event_id
    assert "rolled_back" not in client.stats()["counts"]


@pytest.mark.parametrize("kind", ["wsgi", "asgi"])
def test_a_rollback_takes_it_down_and_counts_it(client: Client, kind: str) -> None:
    assert get("/rolls-back", kind) == []
    gc.collect()
    assert sent(client) == []
    assert client.stats()["counts"]["rolled_back"] == 1


def test_a_savepoint_takes_down_its_own(client: Client) -> None:
    [copy] = get("/partly")
    assert copy[1]["order_id"] == "A-1"
    gc.collect()
    assert client.stats()["counts"]["rolled_back"] == 1


def test_a_view_that_fails_after_the_commit_tells_no_lies_either(client: Client) -> None:
    test_django.Browser("asgi").get("/fails")
    assert sent(client) == []
    assert client.stats()["counts"]["request_failed"] == 1


def test_a_transaction_that_outlives_the_response_is_late(client: Client) -> None:
    assert get("/kept-open") == []
    request = seen.pop()
    with transaction.atomic():
        buy(request, order_id="A-1")
        assert sent(client) == []
    assert len(sent(client)) == 1
    assert seen[0].channels.browser.reason == "late"


def test_a_transaction_that_django_does_not_manage_is_an_error(client: Client) -> None:
    get("/kept-open")
    request = seen.pop()
    transaction.set_autocommit(False)
    try:
        with pytest.raises(EventError, match="Django does not manage"):
            buy(request, order_id="A-1")
    finally:
        transaction.rollback()
        transaction.set_autocommit(True)
    assert sent(client) == []


def test_a_task_has_the_middlewares_client_or_one_of_its_own(client: Client) -> None:
    get("/kept-open")
    assert contrib.tiktok_client() is client
    contrib._clients.clear()
    with override_settings(TIKTOK={"pixel_id": PIXEL, "outbox": "memory://"}):
        own = contrib.tiktok_client()
    assert own is not client
    assert contrib.tiktok_client() is own


def test_without_django_it_is_an_error_and_the_event_goes_at_once(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(EventError, match=r"on_commit is True without Django; allowed: True behind .*contrib\.django"):
        tracker_of(runtime_of(strict=True)).track("Contact", on_commit=True)
    tracker = tracker_of(runtime_of())
    event = tracker.track("Contact", on_commit=True)
    assert [tracked.event for tracked in tracker.state.pending] == [event]
    assert "contrib.django" in caplog.text
