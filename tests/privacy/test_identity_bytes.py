"""Whoever the visitor is: nothing that leaves or stays holds an address, a number or a name as it was typed."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import msgspec
import pytest
from click.testing import CliRunner
from flask import Flask
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse

from tests.needles import found_in
from tiktok_middleware import Client, Config, current
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.cli import main as cli
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Rejected, Verdict
from tiktok_middleware.core.events_api.requests import encode_request
from tiktok_middleware.delivery.celery import BatchMessage
from tiktok_middleware.sandbox.application import create_app
from tiktok_middleware.wsgi import TikTokMiddleware as WsgiMiddleware

PIXEL = "C0000000000000000001"
BROWSER = {
    "user-agent": "Mozilla/5.0",
    "accept": "text/html",
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
}
FETCH = {
    "user-agent": "Mozilla/5.0",
    "sec-fetch-mode": "cors",
    "sec-fetch-dest": "empty",
    "sec-fetch-site": "same-origin",
}
PAGE = "<!doctype html><html><head><title>x</title></head><body>hello</body></html>"


class Person(NamedTuple):
    email: str
    phone: str
    first_name: str
    last_name: str

    @property
    def needles(self) -> list[str]:
        digits = self.phone.removeprefix("+")
        return [
            self.email,
            self.email.partition("@")[0],
            self.phone,
            digits,
            digits[2:],
            self.first_name,
            self.last_name,
        ]


class Sink:
    """Takes purchases alone, so that there are dead letters too."""

    def __init__(self) -> None:
        self.records: dict[str, Record] = {}

    def send(self, batch: Sequence[Record]) -> list[Verdict]:
        self.records.update({record.event_id: record for record in batch})
        return [Delivered() if record.event == "Purchase" else Rejected("40002: no") for record in batch]

    def close(self) -> None:
        pass


SINK = Sink()
NOBODY = Person("", "", "", "")
SNAPSHOTS: list[str] = []  # as they would stand in orders
VISITORS = [NOBODY]  # the one that the views are about is the last


def make_sink(_: object) -> Sink:
    return SINK


def _tell() -> None:
    """What a view does that knows the customer, and is careless with it."""
    tiktok, who = current(), VISITORS[-1]
    tiktok.identify(**who._asdict(), external_id=who.email)
    tiktok.track("Purchase", value=1, currency="EUR", description=f"for {who.email}", shop_id=who.phone)
    tiktok.track("Lead", {who.email: "x", "note": who.phone})
    SNAPSHOTS.append(tiktok.snapshot())


def _starlette() -> Starlette:
    app = Starlette()

    async def page(_: Any) -> HTMLResponse:
        _tell()
        return HTMLResponse(PAGE)

    async def answer(_: Any) -> JSONResponse:
        _tell()
        return JSONResponse({})

    async def away(_: Any) -> RedirectResponse:
        _tell()
        return RedirectResponse("/page", 303)

    for path, view in (("/page", page), ("/confirm/{who}", page), ("/answer", answer), ("/away", away)):
        app.add_route(path, view, methods=["GET", "POST"])
    return app


def _flask() -> Flask:
    app = Flask(__name__)

    @app.get("/page")
    @app.get("/confirm/<who>")
    def page(who: str = "") -> str:
        _tell()
        return PAGE

    @app.get("/answer")
    def answer() -> dict[str, str]:
        _tell()
        return {}

    @app.get("/away")
    def away() -> Any:
        _tell()
        return "", 303, {"Location": "/page"}

    return app


class Asgi(httpx.BaseTransport):
    """An ASGI app, spoken to without a server."""

    def __init__(self, app: Any) -> None:
        self._transport = httpx.ASGITransport(app)

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return asyncio.run(self._ask(request))

    async def _ask(self, request: httpx.Request) -> httpx.Response:
        answer = await self._transport.handle_async_request(request)
        return httpx.Response(answer.status_code, headers=answer.headers, content=await answer.aread())


class World(NamedTuple):
    outbox: Path
    doors: dict[str, httpx.Client]
    client: Client
    sandbox: httpx.Client


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    outbox = tmp_path_factory.mktemp("privacy") / "outbox.sqlite3"
    config = Config(
        pixel_id=PIXEL,
        access_token="t" * 32,
        outbox=f"sqlite:///{outbox}",
        sink="import:tests.privacy.test_identity_bytes:make_sink",
        secret_key="k" * 32,
    )
    client = Client(config)
    transports = {
        "asgi": Asgi(AsgiMiddleware(_starlette(), client)),
        "wsgi": httpx.WSGITransport(WsgiMiddleware(_flask(), client)),
        "sandbox": Asgi(create_app()),
    }
    with ExitStack() as stack:
        doors = {
            name: stack.enter_context(httpx.Client(transport=transport, base_url="http://shop.example"))
            for name, transport in transports.items()
        }
        yield World(outbox, doors, client, doors.pop("sandbox"))
    client.close()


_LETTERS = st.characters(codec="latin-1", categories=["Ll"])
_NAMES = st.text(_LETTERS, min_size=7, max_size=12)
_WORDS = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=5, max_size=10)
people = st.builds(
    Person,
    email=st.builds("{}.{}@{}.example".format, _WORDS, _WORDS, st.text("bcdfghjklmnp", min_size=6, max_size=10)),
    phone=st.integers(15110000000, 15119999999).map("+49{}".format),
    first_name=_NAMES,
    last_name=_NAMES,
)


@pytest.mark.slow
@pytest.mark.parametrize("door", ["asgi", "wsgi"])
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(who=people)
def test_nothing_holds_what_was_typed(door: str, who: Person, world: World, caplog: pytest.LogCaptureFixture) -> None:
    VISITORS.append(who)
    caplog.clear()
    browser, before = world.doors[door], len(SINK.records)
    browser.cookies.clear()
    referrer = {"referer": f"http://shop.example/search?email={quote(who.email)}&tel={quote(who.phone)}"}
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.CRITICAL, "httpx"):  # the test's own visitor
        answers = [
            browser.get("/page", headers={**BROWSER, **referrer}),
            browser.get("/answer", headers={**FETCH, **referrer}),
            browser.get("/away", headers=BROWSER),
            browser.get("/page", headers=BROWSER),
            browser.get(f"/confirm/{quote(who.email)}", headers=BROWSER),
        ]
        assert world.client.flush(20)
    sent = list(SINK.records.values())[before:]
    assert len(sent) == 2 * len(answers)
    assert sum(b"ttq" in answer.content for answer in answers) == 2, "the page whose address is a person's has none"
    places = {
        "snapshots": "".join(SNAPSHOTS[-len(answers) :]).encode(),
        "responses": b"".join(answer.content + repr(answer.headers.multi_items()).encode() for answer in answers),
        "cookies": repr(dict(browser.cookies)).encode(),
        "disk": b"".join(path.read_bytes() for path in world.outbox.parent.iterdir()),
        "command": _said_by("list", world) + _said_by("export", world) + _said_by("status", world),
        "log": caplog.text.encode("utf-8", "replace"),
        "message": msgspec.json.encode(BatchMessage.of(sent)),
        "request": (request := encode_request(PIXEL, "web", [record.body for record in sent], None)),
        "inspector": _shown_by(world.sandbox, request),
    }
    assert {place: found for place, data in places.items() if (found := found_in(data, who.needles))} == {}


@pytest.fixture(scope="module")
def waiting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Client, httpx.Client, Path]]:
    """A site that asks first."""
    outbox = tmp_path_factory.mktemp("waiting") / "outbox.sqlite3"
    config = Config(
        pixel_id=PIXEL,
        access_token="t" * 32,
        outbox=f"sqlite:///{outbox}",
        sink="import:tests.privacy.test_identity_bytes:make_sink",
        secret_key="k" * 32,
        consent="required",
        browser_events="Search",
    )
    client = Client(config)
    with httpx.Client(transport=Asgi(AsgiMiddleware(_starlette(), client)), base_url="http://shop.example") as browser:
        yield client, browser, outbox
    client.close()


@pytest.mark.slow
@settings(
    max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(who=people)
def test_nothing_that_waits_for_leave_holds_it_either(
    who: Person, waiting: tuple[Client, httpx.Client, Path], caplog: pytest.LogCaptureFixture
) -> None:
    client, browser, outbox = waiting
    VISITORS.append(who)
    caplog.clear()
    browser.cookies.clear()
    before = len(SINK.records)
    bank = {**BROWSER, "sec-fetch-site": "cross-site"}
    with caplog.at_level(logging.DEBUG), caplog.at_level(logging.CRITICAL, "httpx"):
        answers = [browser.get("/page", headers=BROWSER), browser.post("/away", headers=bank)]
        answers.append(browser.get("/page", headers=BROWSER))
        signed_events = [entry for answer in (answers[0], answers[-1]) for entry in _sealed(answer.text)]
        told = {
            "u": f"http://shop.example/page?email={quote(who.email)}",
            "r": f"http://shop.example/search?tel={quote(who.phone)}",
            "w": "g",
            "c": [[token, event_id] for _, _, event_id, token in signed_events],
            "e": [["Search", {"search_string": f"for {who.email}", who.phone: 1}, "search-" + who.phone[-6:]]],
        }
        answers.append(browser.post("/_tiktok/collect", headers=FETCH, content=json.dumps(told)))
        assert client.flush(20)
    sent = list(SINK.records.values())[before:]
    assert len(signed_events) == 6, "two of each page, and two that came over the redirect"
    assert len(sent) == 7, answers[-1].text
    assert all(b'"email":"' in record.body for record in sent if record.event != "Search")
    places = {
        "responses": b"".join(answer.content + repr(answer.headers.multi_items()).encode() for answer in answers),
        "envelopes": json.dumps(signed_events).encode(),
        "cookies": repr(dict(browser.cookies)).encode(),
        "disk": b"".join(path.read_bytes() for path in outbox.parent.iterdir()),
        "log": caplog.text.encode("utf-8", "replace"),
        "request": encode_request(PIXEL, "web", [record.body for record in sent], None),
    }
    assert {place: found for place, data in places.items() if (found := found_in(data, who.needles))} == {}


def _sealed(page: str) -> list[Any]:
    """The envelopes in a page, as its script hands them back."""
    place = page.find('"s":')
    assert place > 0, page
    entries: list[Any] = json.JSONDecoder().raw_decode(page[place + 4 :])[0]
    return entries


def _said_by(command: str, world: World) -> bytes:
    flags = [] if command == "export" else ["--json"]
    environ = {"TIKTOK_OUTBOX": f"sqlite:///{world.outbox}", "TIKTOK_PIXEL_ID": PIXEL}
    result = CliRunner().invoke(cli.main, ["outbox", command, *flags], env=environ)
    assert result.exit_code == 0, result.output
    assert "dead" in result.output
    return result.output.encode()


def _shown_by(sandbox: httpx.Client, request: bytes) -> bytes:
    sandbox.post("/sandbox/reset")
    answer = sandbox.post(
        "/open_api/v1.3/event/track/",
        content=request,
        headers={"access-token": "t" * 32, "content-type": "application/json"},
    )
    assert answer.json()["code"] == 0, answer.text
    events = sandbox.get("/sandbox/events", params={"limit": 20})
    assert "Purchase" in events.text
    return events.content + sandbox.get("/sandbox/requests").content


def test_the_search_finds_what_is_there() -> None:
    who = Person("somebody.else@shop.example", "+4915112345678", "zaphodia", "beeblebrox")
    haystack = json.dumps(who._asdict()).encode()
    assert set(found_in(haystack, who.needles)) == set(who.needles)
