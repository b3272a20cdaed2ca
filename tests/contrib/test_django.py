"""Django under WSGI and ASGI: plain, streamed and file responses, sync and async views."""

from __future__ import annotations

import asyncio
import atexit
import html
import io
import json
import os
import pickle
import re
import tempfile
from collections.abc import AsyncIterator, Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import django
import httpx
import pytest
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.cache import cache
from django.core.wsgi import get_wsgi_application
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponse,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template import Context, RequestContext, Template
from django.test import override_settings
from django.urls import path
from django.views.decorators.cache import cache_page

import tiktok_middleware
from tests.contrib.shared import NAVIGATION, PAGE, PIXEL, inline_events, is_pair, make_client, sent
from tests.core.endpoint.report_world import token_of
from tiktok_middleware import Client
from tiktok_middleware.contrib import django as contrib
from tiktok_middleware.contrib._django_settings import client_of_settings
from tiktok_middleware.contrib.django import tiktok_from
from tiktok_middleware.core.events.ids import timed_event_id

# A file, because Django never closes a database in memory. It is never written, and stays empty.
_DATABASE = Path(tempfile.gettempdir()) / f"tiktok-middleware-{os.getpid()}.sqlite3"
atexit.register(_DATABASE.unlink, missing_ok=True)

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of the tests",
        CACHES={"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}},
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "OPTIONS": {
                    "context_processors": ["django.template.context_processors.request"],
                    "libraries": {"tiktok": "tiktok_middleware.contrib.django"},
                },
            }
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": _DATABASE}},
        MIDDLEWARE=[
            "tiktok_middleware.contrib.django.TikTokMiddleware",
            "django.middleware.common.CommonMiddleware",
            "django.middleware.csrf.CsrfViewMiddleware",
        ],
    )
    django.setup()


def page(request: HttpRequest) -> HttpResponse:
    request.tiktok.track("ViewContent", value=24.5, currency="EUR")  # type: ignore[attr-defined]
    response = HttpResponse(PAGE)
    response.set_cookie("theme", "dark blue", max_age=60)
    response.set_cookie("cart", "1", httponly=True, samesite="Strict")
    return response


async def page_async(request: HttpRequest) -> HttpResponse:
    tiktok_from(request).track("ViewContent", value=24.5, currency="EUR")
    return HttpResponse(PAGE)


def add(request: HttpRequest) -> JsonResponse:
    tiktok_from(request).track("AddToCart", value=3, currency="EUR")
    return JsonResponse({"count": 1}, headers={"Server-Timing": "db;dur=5"})


def pay(request: HttpRequest) -> HttpResponse:
    tiktok_middleware.current().track("Purchase", value=59.9, currency="EUR", order_id="A-1001")
    return HttpResponseRedirect("/thanks")


@cache_page(600)
def cached(request: HttpRequest) -> HttpResponse:
    """A page of a template, kept by the app itself."""
    template = Template('{% load tiktok %}<div {% tiktok_on "load" "ViewContent" value=24.5 currency="EUR" %}></div>')
    return HttpResponse(PAGE.replace("Hello", template.render(RequestContext(request))))


def cross(request: HttpRequest) -> JsonResponse:
    tiktok_from(request).track("AddToCart", value=3, currency="EUR")
    headers = {"Access-Control-Allow-Origin": "https://shop.example", "Access-Control-Expose-Headers": "X-Total"}
    return JsonResponse({"count": 1}, headers=headers)


def thanks(request: HttpRequest) -> HttpResponse:
    tiktok_middleware.current().track("Purchase", value=59.9, currency="EUR", order_id="A-1001")
    return HttpResponse(PAGE)


def fails(request: HttpRequest) -> HttpResponse:
    tiktok_from(request).track("Lead")
    raise RuntimeError("the view failed")


def streamed(request: HttpRequest) -> StreamingHttpResponse:
    tiktok = tiktok_from(request)

    def pieces() -> Iterator[str]:
        yield PAGE[:20]
        tiktok.track("ViewContent", value=4, currency="EUR")
        yield PAGE[20:]

    return StreamingHttpResponse(pieces())


async def streamed_async(request: HttpRequest) -> StreamingHttpResponse:
    tiktok = tiktok_from(request)

    async def pieces() -> AsyncIterator[str]:
        yield PAGE[:20]
        await asyncio.sleep(0)
        tiktok.track("ViewContent", value=4, currency="EUR")
        yield PAGE[20:]

    return StreamingHttpResponse(pieces())


def html_file(_request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(PAGE.encode()), content_type="text/html")


def text_file(_request: HttpRequest) -> FileResponse:
    return FileResponse(io.BytesIO(b"plain text"), content_type="text/plain")


urlpatterns = [
    path("", page),
    path("async", page_async),
    path("add", add),
    path("pay", pay),
    path("thanks", thanks),
    path("cached", cached),
    path("cross", cross),
    path("fails", fails),
    path("streamed", streamed),
    path("streamed-async", streamed_async),
    path("file.html", html_file),
    path("file.txt", text_file),
]


class Browser:
    """One visitor of the app, under WSGI or ASGI."""

    def __init__(self, kind: str) -> None:
        self.kind = kind
        self.cookies = httpx.Cookies()
        self.app: Any = get_wsgi_application() if kind == "wsgi" else get_asgi_application()

    def get(self, where: str, headers: dict[str, str] = NAVIGATION) -> httpx.Response:
        return asyncio.run(self._get_async(where, headers)) if self.kind == "asgi" else self._get(where, headers)

    def _get(self, where: str, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.WSGITransport(self.app)
        with httpx.Client(transport=transport, base_url="https://shop.example", cookies=self.cookies) as http:
            answer = http.get(where, headers=headers)
            self.cookies = http.cookies
            return answer

    async def _get_async(self, where: str, headers: dict[str, str]) -> httpx.Response:
        transport = httpx.ASGITransport(self.app)
        async with httpx.AsyncClient(
            transport=transport, base_url="https://shop.example", cookies=self.cookies
        ) as http:
            answer = await http.get(where, headers=headers)
            self.cookies = http.cookies
            return answer

    def post(self, where: str, body: bytes, headers: dict[str, str]) -> httpx.Response:
        """The answer to what a page's script sends, as ``sendBeacon`` does."""
        headers = {"content-type": "text/plain", **headers}

        async def by_asgi() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=httpx.ASGITransport(self.app), base_url="https://shop.example", cookies=self.cookies
            ) as http:
                return await http.post(where, content=body, headers=headers)

        if self.kind == "asgi":
            return asyncio.run(by_asgi())
        transport = httpx.WSGITransport(self.app)
        with httpx.Client(transport=transport, base_url="https://shop.example", cookies=self.cookies) as http:
            return http.post(where, content=body, headers=headers)


@pytest.fixture
def client() -> Iterator[Client]:
    made = make_client()
    with override_settings(TIKTOK=made):
        yield made


@pytest.fixture(params=["wsgi", "asgi"])
def browser(request: pytest.FixtureRequest, client: Client) -> Browser:
    return Browser(request.param)


@pytest.mark.parametrize("where", ["/", "/async"])
def test_an_event_of_a_page_is_one_pair(client: Client, browser: Browser, where: str) -> None:
    answer = browser.get(where)
    [copy], [server] = inline_events(answer.text), sent(client)
    assert is_pair(copy, server)
    assert int(answer.headers["content-length"]) == len(answer.content)
    assert server["page"]["url"] == f"https://shop.example{where}"


def test_the_apps_own_cookies_stay_as_they_were(client: Client, browser: Browser) -> None:
    answer = browser.get("/?ttclid=E.C.P.click")
    cookies = [cookie.strip() for cookie in answer.headers.get_list("set-cookie")]
    assert 'theme="dark blue"' in " ".join(cookies)
    assert any(
        cookie.startswith("cart=1") and "HttpOnly" in cookie and "SameSite=Strict" in cookie for cookie in cookies
    )
    [ttclid] = [cookie for cookie in cookies if cookie.startswith("ttclid=")]
    parts = set(ttclid.split("; "))
    assert parts == {"ttclid=E.C.P.click", "Max-Age=2592000", "Path=/", "Domain=shop.example", "Secure", "SameSite=Lax"}
    assert len(cookies) == 4


def test_an_answer_brings_its_event_in_headers(client: Client, browser: Browser) -> None:
    answer = browser.get("/add", {"sec-fetch-mode": "cors"})
    [copy], [server] = json.loads(answer.headers["tiktok-events"]), sent(client)
    assert is_pair(copy, server)
    assert answer.headers["server-timing"].startswith("db;dur=5, tiktok;desc=")


def test_a_purchase_tracked_twice_over_a_redirect_is_one_pair(client: Client, browser: Browser) -> None:
    assert browser.get("/pay").status_code == 302
    [copy], [server] = inline_events(browser.get("/thanks").text), sent(client)
    assert is_pair(copy, server)


def test_a_view_that_fails_tells_no_lies(client: Client, browser: Browser) -> None:
    assert browser.get("/fails").status_code == 500
    assert sent(client) == []


@pytest.mark.parametrize("where", ["/streamed", "/streamed-async"])
@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_a_streamed_page_carries_what_is_tracked_while_it_is_made(client: Client, browser: Browser, where: str) -> None:
    answer = browser.get(where)
    [copy], [server] = inline_events(answer.text), sent(client)
    assert is_pair(copy, server)


@pytest.mark.filterwarnings("ignore:StreamingHttpResponse must consume:Warning")
def test_an_html_file_gets_the_snippet_and_another_file_none(client: Client, browser: Browser) -> None:
    page_file, plain_file = browser.get("/file.html"), browser.get("/file.txt")
    assert inline_events(page_file.text) == []
    assert int(page_file.headers["content-length"]) == len(page_file.content)
    assert plain_file.content == b"plain text"


def test_the_helper_is_served(client: Client, browser: Browser) -> None:
    address = browser.get("/").text.split('"j":"')[1].split('"')[0]
    assert "PerformanceObserver" in browser.get(address).text


def test_settings_outrank_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_PIXEL_ID", "C1111111111111111111")
    with override_settings(TIKTOK={"PIXEL_ID": PIXEL, "outbox": "memory://"}):
        assert client_of_settings().config.pixels == (PIXEL,)


def test_a_client_of_the_apps_own_may_be_the_setting() -> None:
    made = make_client()
    with override_settings(TIKTOK=made):
        assert client_of_settings() is made


def test_without_the_middleware_the_error_says_what_to_do() -> None:
    request = HttpRequest()
    with pytest.raises(LookupError, match="put TikTokMiddleware around the app"):
        tiktok_from(request)


SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


def test_a_report_is_answered_before_csrf_is_asked(client: Client, browser: Browser) -> None:
    browser.cookies.set("_ttp", "01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1")
    body = {
        "u": "https://shop.example/?ttclid=E.C.P.x",
        "c": [[token_of(client.runtime, expires=2**40), minted(client)]],
    }
    answer = browser.post("/_tiktok/collect", json.dumps(body).encode(), SAME_ORIGIN)
    assert (answer.status_code, answer.json()) == (200, {"load": True})
    names = [line.partition("=")[0].strip() for line in answer.headers.get_list("set-cookie")]
    assert sorted(names) == ["_tt_fresh", "_ttp", "ttclid"]
    [server] = sent(client)
    assert (server["event"], server["user"]["ttclid"]) == ("ViewContent", "E.C.P.x")


@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (b"{", SAME_ORIGIN, 400),
        (b"x" * 16_385, SAME_ORIGIN, 413),
        (b"x" * 3_000_000, SAME_ORIGIN, 413),  # above what Django itself would read
        (b"{}", {"sec-fetch-site": "cross-site"}, 403),
    ],
)
def test_garbage_gets_a_refusal(
    client: Client, browser: Browser, body: bytes, headers: dict[str, str], status: int
) -> None:
    assert browser.post("/_tiktok/collect", body, headers).status_code == status
    assert sent(client) == []


def minted(client: Client) -> str:
    return timed_event_id(client.runtime.clock(), bytes(10))


def test_a_view_that_a_cache_answers_has_its_event_in_its_markup(client: Client, browser: Browser) -> None:
    cache.clear()
    first, hit = browser.get("/cached"), browser.get("/cached")
    signed_events = [
        re.findall(r'data-tiktok-on="load" data-tiktok-envelope="([^"]*)"', page.text) for page in (first, hit)
    ]
    assert signed_events[0] == signed_events[1]
    [[markup]] = {tuple(found) for found in signed_events}
    name, properties, event_id, token = json.loads(html.unescape(markup))
    assert (name, properties, event_id) == ("ViewContent", {"value": 24.5, "currency": "EUR"}, "")
    assert sent(client) == []
    answer = browser.post("/_tiktok/collect", json.dumps({"c": [[token, minted(client)]]}).encode(), SAME_ORIGIN)
    assert answer.json() == {"load": True}
    assert [server["event"] for server in sent(client)] == ["ViewContent"]


def test_what_the_app_exposes_to_another_origin_stays_exposed(client: Client, browser: Browser) -> None:
    headers = {"sec-fetch-site": "same-site", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
    own = {"host": "api.shop.example", "origin": "https://shop.example", **headers}
    answer = browser.get("/cross", own)
    assert answer.headers["access-control-expose-headers"] == "X-Total, TikTok-Events"
    assert answer.headers["timing-allow-origin"] == "https://shop.example"
    assert json.loads(answer.headers["tiktok-events"])[0][0] == "AddToCart"


@pytest.mark.parametrize("context", [Context(), RequestContext(HttpRequest())], ids=["no-request", "no-middleware"])
def test_markup_without_a_request_of_ours_is_empty_and_said_once(
    context: Context, caplog: pytest.LogCaptureFixture
) -> None:
    contrib._say_without_request.cache_clear()
    template = Template('{% load tiktok %}<p {% tiktok_on "load" "Lead" %}></p>')
    assert [template.render(context) for _ in range(2)] == ["<p ></p>"] * 2
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "MIDDLEWARE" in caplog.text


@pytest.mark.parametrize("given", [True, False])
def test_naive_event_times_are_of_djangos_time_zone(given: bool) -> None:
    """Models write them so where ``USE_TZ`` is false."""
    made = make_client()
    options = {"pixel_id": PIXEL, "outbox": "memory://"}
    happened = datetime.now(timezone.utc) - timedelta(hours=3)
    naive = happened.astimezone(ZoneInfo("Europe/Berlin")).replace(tzinfo=None)
    with override_settings(TIME_ZONE="Europe/Berlin", USE_TZ=False, TIKTOK=options):
        middleware = contrib.TikTokMiddleware(lambda _: HttpResponse(PAGE), made if given else None)
        with middleware.client.tracker(consent=True) as tiktok:
            event = tiktok.track("Lead", event_time=naive)
    assert (middleware.client is made) is given
    middleware.client.close(0)
    made.close(0)
    assert event.event_time == int(happened.timestamp())


def test_responses_that_an_earlier_release_pickled_can_still_be_read() -> None:
    """A cache keeps them beyond an upgrade."""
    close = pickle.loads(
        b"ctiktok_middleware.contrib.django\n_Closer\n(ctiktok_middleware.contrib.django\n_nothing\ntR."
    )
    assert close() is None
