"""``TIKTOK_OUTBOX=django:ALIAS``: the events of a view join the transaction of Django that is open."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Iterator
from functools import partial
from typing import Any

import pytest
from asgiref.sync import sync_to_async
from django.db import connections, transaction
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.test import override_settings
from django.urls import path

from tests.contrib import test_django
from tests.contrib.shared import PAGE, sent
from tests.postgres_world import Postgres
from tests.transactions.shop import Answer, drafts, fetch, settled, shop_client
from tiktok_middleware import Client, ConfigError
from tiktok_middleware.contrib._django_settings import check_outbox, in_django
from tiktok_middleware.contrib.django import TikTokMiddleware, tiktok_client, tiktok_from

pytestmark = pytest.mark.postgres

ALIAS = "shop"
atomic = partial(transaction.atomic, using=ALIAS)


def buy(request: HttpRequest, order: str = "A-1", **more: Any) -> None:
    with connections[ALIAS].cursor() as cursor:
        cursor.execute("INSERT INTO orders VALUES (%s)", [order])
    tiktok_from(request).track("Purchase", order_id=order, value=5, currency="EUR", **more)


def page(_request: HttpRequest | None = None, status: int = 200) -> HttpResponse:
    return HttpResponse(PAGE, status=status)


def commits(request: HttpRequest) -> HttpResponse:
    with atomic():
        buy(request)
    return page()


def rolls_back(request: HttpRequest) -> HttpResponse:
    with atomic():
        buy(request)
        transaction.set_rollback(True, using=ALIAS)
    return page()


def raises_inside(request: HttpRequest) -> HttpResponse:
    with contextlib.suppress(ZeroDivisionError), atomic():
        buy(request)
        raise ZeroDivisionError
    return page()


def nested(request: HttpRequest) -> HttpResponse:
    with atomic():
        buy(request, "A-1")
        with contextlib.suppress(ZeroDivisionError), atomic():
            buy(request, "A-2")
            raise ZeroDivisionError
        with atomic():
            buy(request, "A-3")
    return page()


def whole_view(request: HttpRequest) -> HttpResponse:
    buy(request)
    return page()


def whole_view_that_fails(request: HttpRequest) -> HttpResponse:
    buy(request)
    raise ZeroDivisionError


@transaction.non_atomic_requests(using=ALIAS)
def non_atomic(request: HttpRequest) -> HttpResponse:
    buy(request)
    return page()


def other_database(request: HttpRequest) -> HttpResponse:
    with transaction.atomic(using="default"):
        tiktok_from(request).track("Purchase", order_id="A-1", value=5, currency="EUR")
        transaction.set_rollback(True, using="default")
    return page()


def fails_after_commit(request: HttpRequest) -> HttpResponse:
    commits(request)
    return page(status=500)


def revokes(request: HttpRequest) -> HttpResponse:
    with atomic():
        buy(request)
        tiktok_from(request).revoke_consent()
    return page()


def kept(request: HttpRequest) -> HttpResponse:
    with atomic():
        buy(request, keep=True)
        transaction.set_rollback(True, using=ALIAS)
    return page()


def after_commit(request: HttpRequest) -> HttpResponse:
    with atomic():
        buy(request, on_commit=True)
    return page()


def streams(_request: HttpRequest) -> StreamingHttpResponse:
    def pieces() -> Iterator[str]:
        yield PAGE.partition("Hello")[0]
        with atomic():
            buy(_request)
        yield "Hello</body></html>"

    return StreamingHttpResponse(pieces())


def broken(request: HttpRequest) -> HttpResponse:
    """The app catches an error of the database inside the block, so Django rolls the whole block back."""
    try:
        with atomic():
            try:
                with connections[ALIAS].cursor() as cursor, atomic(savepoint=False):
                    cursor.execute("SELECT 1 / 0")
            except Exception:
                tiktok_from(request).track("Purchase", order_id="A-1", value=5, currency="EUR")
    except transaction.TransactionManagementError:
        pass
    return page()


async def on_a_loop(request: HttpRequest) -> HttpResponse:
    await sync_to_async(commits)(request)
    return page()


async def on_a_loop_that_rolls_back(request: HttpRequest) -> HttpResponse:
    await sync_to_async(rolls_back)(request)
    return page()


async def streams_on_a_loop(request: HttpRequest) -> StreamingHttpResponse:
    async def pieces() -> AsyncIterator[str]:
        yield PAGE.partition("Hello")[0]
        await sync_to_async(commits)(request)
        yield "Hello</body></html>"

    return StreamingHttpResponse(pieces())


VIEWS = (
    *(commits, rolls_back, raises_inside, nested, whole_view, whole_view_that_fails, non_atomic, other_database),
    *(fails_after_commit, revokes, kept, after_commit, streams, broken),
    *(on_a_loop, on_a_loop_that_rolls_back, streams_on_a_loop),
)
urlpatterns = [path(view.__name__, view) for view in VIEWS]


@pytest.fixture(scope="module")
def django_url(postgres: Postgres, url: str) -> Iterator[str]:
    database = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": str(postgres.port),
    }
    connections.databases[ALIAS] = connections.configure_settings({"default": {}, ALIAS: database})[ALIAS]
    yield f"django:{ALIAS}?{url.partition('?')[2]}"
    connections[ALIAS].close()
    del connections[ALIAS]
    del connections.databases[ALIAS]


@pytest.fixture(scope="module")
def shop(django_url: str, url: str) -> Iterator[Client]:
    client = in_django(shop_client(django_url))
    assert client.delivery.drafts is not None
    yield client
    client.close(5)


@pytest.fixture
def client(client: Client) -> Iterator[Client]:
    with override_settings(ROOT_URLCONF=__name__, TIKTOK=client):
        yield client
    connections.databases[ALIAS]["ATOMIC_REQUESTS"] = False


@pytest.fixture(params=["wsgi", "asgi"])
def kind(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def get(view: Any, kind: str) -> Answer:
    response = test_django.Browser(kind).get(f"/{view.__name__}")
    return Answer(str(response.status_code), list(response.headers.items()), response.text)


def ids(copies: list[Any]) -> list[str]:
    return [copy[1]["order_id"] for copy in copies]


@pytest.mark.parametrize(
    "view", [commits, non_atomic, other_database, fails_after_commit, after_commit, on_a_loop, kept]
)
def test_event_of_a_committed_order_is_matched(client: Client, kind: str, view: Any) -> None:
    answer = get(view, kind)
    [server] = sent(client)
    assert [copy[2] for copy in answer.copies] == [server["event_id"]]
    assert server["properties"]["order_id"] == "A-1"


@pytest.mark.parametrize("view", [rolls_back, raises_inside, revokes, broken, on_a_loop_that_rolls_back])
def test_event_of_a_rolled_back_order_is_not_sent(
    client: Client, kind: str, view: Any, postgres: Postgres, url: str
) -> None:
    answer = get(view, kind)
    assert answer.copies == []
    assert fetch(client, answer.references) == []
    settled(client, postgres, url)
    assert (sent(client), drafts(postgres, url)) == ([], 0)


def test_savepoint_rolls_back_its_own_event(client: Client, kind: str) -> None:
    answer = get(nested, kind)
    assert ids(answer.copies) == ["A-1", "A-3"]
    assert sorted(server["properties"]["order_id"] for server in sent(client)) == ["A-1", "A-3"]


@pytest.mark.parametrize("view", [whole_view, whole_view_that_fails, non_atomic])
def test_atomic_requests_decide_by_the_whole_view(client: Client, kind: str, view: Any, postgres: Postgres) -> None:
    connections.databases[ALIAS]["ATOMIC_REQUESTS"] = True
    answer = get(view, kind)
    is_sent = view is not whole_view_that_fails
    assert len(answer.copies) == is_sent
    assert len(sent(client)) == is_sent
    assert len(postgres.execute("SELECT id FROM orders")) == is_sent


@pytest.mark.parametrize(("view", "kind"), [(streams, "wsgi"), (streams_on_a_loop, "asgi")])
def test_order_of_a_stream_is_in_its_late_script(client: Client, view: Any, kind: str) -> None:
    body = get(view, kind).body
    [server] = sent(client)
    assert server["event_id"] in body


def test_job_in_a_transaction_waits_for_its_commit(client: Client) -> None:
    """A Celery task, or a management command."""
    TikTokMiddleware(lambda _request: None, client)  # makes its client that of the process
    with atomic(), tiktok_client().tracker(ip="93.184.216.34") as tracker:
        tracker.track("Purchase", order_id="A-1", value=5, currency="EUR")
        transaction.set_rollback(True, using=ALIAS)
    with atomic():
        with tiktok_client().tracker(ip="93.184.216.34") as tracker:
            tracker.track("Purchase", order_id="A-2", value=5, currency="EUR")
        assert sent(client) == []
    assert [server["properties"]["order_id"] for server in sent(client)] == ["A-2"]


@pytest.mark.parametrize(
    ("outbox", "said"), [("django:nowhere", "there are: "), ("django:default", "its engine is sqlite")]
)
def test_wrong_alias_names_what_is_allowed(django_url: str, outbox: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        shop_client(outbox)


def test_check_finds_missing_tables(client: Client, django_url: str, postgres: Postgres) -> None:
    def codes(outbox: str) -> list[str]:
        with override_settings(TIKTOK={"outbox": outbox, "pixel_id": "C0000000000000000000"}):
            return [message.id for message in check_outbox(databases=[ALIAS])]

    assert codes(django_url) == []
    assert codes(f"django:{ALIAS}?schema=not_there") == ["tiktok.W003"]
    assert codes("django:default") == []  # another database is checked
    assert codes("memory://") == []
