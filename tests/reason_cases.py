"""Inputs that reach a reason code by more than one request: each returns the client, or delivery, that has counted it."""

from __future__ import annotations

import contextlib
import gc
import json
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import msgspec
import pytest

from tests.contract.adapters import TRACKED, Request, Response, asgi_messages, asgi_scope, through_asgi, through_wsgi
from tests.contract.test_asgi_adapter import START, app_of
from tests.contract.test_reports import POST, Stalled, by_wsgi
from tests.contract.test_skipped_pages import coded
from tests.core.endpoint.report_world import PAGE, token_of
from tests.delivery.delivery_world import PIXEL, ToldSink, record, submission, submissions, wait_until
from tests.delivery.test_delivery import Held
from tests.postgres_world import Postgres
from tests.transactions.databases import database
from tests.transactions.shop import shop_client, visit
from tiktok_middleware import Client, Config
from tiktok_middleware._rate_limit import PER_VISITOR
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.core.events.ids import timed_event_id
from tiktok_middleware.core.events_api.answers import Rejected, Retry, Verdict
from tiktok_middleware.core.page import codings
from tiktok_middleware.core.pixel.signed_event import SEALED_LIFE_S
from tiktok_middleware.core.response import policy
from tiktok_middleware.core.response.exchange import Exchange
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.delivery.delivery import Delivery, open_delivery
from tiktok_middleware.delivery.options import DeliveryOptions
from tiktok_middleware.delivery.outbox.base import Limits
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.reasons import Reason
from tiktok_middleware.testing import Recorder

__all__ = ["CASES", "DATABASE_CASES", "LINES", "NAVIGATION", "Counting", "client_of"]

NOW = 1_760_000_000.0
NAVIGATION = {
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "accept": "text/html",
    "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0",
}
_HTML = ("Content-Type", "text/html; charset=utf-8")
_CONTACT: Any = (("Contact", {}),)
_VISIT = Request(headers=NAVIGATION)


class Counting(Protocol):
    """What has counted a reason: a client, or a delivery."""

    def stats(self) -> dict[str, Any]: ...

    def close(self, timeout_s: float) -> bool: ...


def client_of(**options: Any) -> Client:
    given = {
        "pixel_id": "C0000000000000000000",
        "access_token": "t",
        "secret_key": "k",
        "api_url": "http://127.0.0.1:9/open_api/v1.3",
        "outbox": "memory://",
        "sink": "import:tests.contract.adapters:make_sink",
        **options,
    }
    return Client(Config(**given), clock=lambda: NOW)


def no_pixel_of(_: str) -> list[str]:
    return []


def _no_pixel_for_host(_: Path) -> Client:
    client = client_of(pixel_by_host="import:tests.reason_cases:no_pixel_of")
    through_wsgi(client, _VISIT, Response(events=_CONTACT))
    return client


def _view(client: Client, view: Callable[[Any], None], *, headers: dict[str, str] | None = None) -> Client:
    """Let a WSGI view call ``view`` with its tracker."""

    def make(_: Response) -> Any:
        def app(environ: Any, start_response: Any) -> list[bytes]:
            view(environ[KEY])
            start_response("200 OK", [_HTML])
            return [b"<!doctype html><html><head><title>x</title></head><body>x</body></html>"]

        return app

    through_wsgi(client, Request(headers={**NAVIGATION, **(headers or {})}), Response(), make)
    return client


def _disabled_by_app(_: Path) -> Client:
    def view(tracker: Any) -> None:
        tracker.disable()
        TRACKED.append(tracker.track("Contact"))

    return _view(client_of(), view)


def _gpp_opt_out(_: Path) -> Client:
    client = client_of(consent="gpp")
    cookie = {"cookie": "__gpp=DBABL~BVQqAAAAAY.Y; __gpp_sid=7"}
    return _view(client, lambda tracker: TRACKED.append(tracker.track("Contact")), headers=cookie)


def _cookies_absent(_: Path) -> Client:
    client = client_of()
    posted = {"sec-fetch-site": "cross-site", "origin": "https://bank.example"}
    response = Response(303, (("Location", "/"), ("Cache-Control", "public, max-age=60")), (b"",), _CONTACT)
    through_wsgi(client, Request("POST", headers={**NAVIGATION, **posted}), response)
    return client


def _no_cookies(_: Path) -> Client:
    client = client_of()
    through_wsgi(client, Request(headers=NAVIGATION), Response(303, (("Location", "/next"),), (b"",), _CONTACT))
    through_wsgi(client, Request(path="/next", headers=NAVIGATION), Response())
    return client


def _late(_: Path) -> Client:
    client = client_of()
    kept: list[Any] = []
    _view(client, kept.append)
    TRACKED.append(kept[0].track("Contact"))
    return client


def _already_injected(_: Path) -> Client:
    inner, outer = client_of(endpoint="/_other"), client_of()
    ready = through_wsgi(inner, _VISIT, Response()).body
    through_wsgi(outer, _VISIT, Response(pieces=(ready,)))
    inner.close(0)
    return outer


def _report(body: dict[str, Any], *, times: int = 1) -> Client:
    client = client_of()
    for _ in range(times):
        by_wsgi(client, replace(POST, headers={**POST.headers, "cookie": "_ttp=me"}), json.dumps(body).encode())
    return client


def _confirm(**more: Any) -> Callable[[Path], Client]:
    """Confirm an event whose signed token was made with ``more``."""

    def case(_: Path) -> Client:
        client = client_of()
        given = {"expires": int(NOW) + SEALED_LIFE_S, **more}
        minted = given.pop("minted", timed_event_id(NOW, bytes(10)))
        signer = client_of(pixel_id=given.pop("pixel_id")) if "pixel_id" in given else client
        by_wsgi(client, POST, json.dumps({"c": [[token_of(signer.runtime, **given), minted]]}).encode())
        return client

    return case


def _many_events(_: Path) -> Client:
    client = client_of()
    for report in range(60):
        minted = [timed_event_id(NOW, bytes([report, number] * 5)) for number in range(50)]
        by_wsgi(client, POST, json.dumps({"c": [[token_of(client.runtime), one] for one in minted]}).encode())
    return client


def _unfinished(_: Path) -> Client:
    client, stalled = client_of(), Stalled()
    by_wsgi(client, POST, b"", environ={"wsgi.input": stalled, "CONTENT_LENGTH": "99"})
    stalled.goes_on.set()
    return client


def _helper_never_asked(_: Path) -> Client:
    client = client_of()
    for number in range(400):
        agent = f"{NAVIGATION['user-agent']} {number % 25}"
        through_asgi(client, Request(headers={**NAVIGATION, "user-agent": agent}), Response())
    return client


def _rolled_back(_: Path) -> Client:
    from django.test import override_settings

    from tests.contrib import test_django_commit as site
    from tests.contrib.shared import make_client

    client = make_client()
    with override_settings(ROOT_URLCONF=site.__name__, TIKTOK=client):
        site.get("/rolls-back")
    gc.collect()
    return client


class _Silent(Recorder):
    """A delivery that stores nothing in time, and never answers."""

    is_inline = False

    def submit(self, submissions: Sequence[OutboxEntry]) -> Future[list[Claim]]:
        return Future()

    def cancel(self, event_id: str) -> Future[bool]:
        return Future()


def _silent_client() -> Client:
    return Client(Config(pixel_id=PIXEL, access_token="t"), delivery=_Silent())


def _undurable(_: Path) -> Client:
    client = _silent_client()
    through_wsgi(client, _VISIT, Response(events=_CONTACT))
    return client


def _not_cancelled(_: Path) -> Client:
    client = _silent_client()
    assert client.cancel(once="A-1", timeout_s=0.01) is False
    return client


def _interim(_: Path) -> Client:
    client = client_of()
    through_wsgi(client, _VISIT, Response(103, pieces=(), events=_CONTACT))
    return client


def _package_missing(_: Path) -> Client:
    client, response = client_of(), coded("br")
    caches = (codings._brotli.cache_clear, policy._made.clear)
    with pytest.MonkeyPatch.context() as patch:
        for name in ("brotli", "brotlicffi"):
            patch.setitem(sys.modules, name, None)  # makes its import fail
        for clear in caches:
            clear()
        through_wsgi(client, _VISIT, response)
    for clear in caches:
        clear()
    return client


def _head_memory_full(_: Path) -> Client:
    client = client_of()
    exchanges = []
    for _number in range(40):
        tracker = client.begin(asgi_scope(_VISIT))
        assert tracker is not None
        exchange = Exchange(tracker)
        exchange.response_started(200, [(b"content-type", b"text/html"), (b"content-length", b"2000000")])
        exchange.body_received(b"<!doctype html><head><style>" + bytes(1_000_000), last=False)
        exchanges.append(exchange)
    return client


def _body_unseen(_: Path) -> Client:
    client = client_of()
    app = app_of(
        {**START, "headers": list(START["headers"])}, {"type": "http.response.pathsend", "path": "/srv/p.html"}
    )
    asgi_messages(AsgiMiddleware(app, client), _VISIT)
    return client


def _no_lead_id(_: Path) -> Client:
    client = client_of(crm_id="1234567890123456")
    with client.tracker(source="crm", consent=True, email="ada@example.com") as tiktok:
        tiktok.track("Qualified")
    return client


def _sink(verdict: Verdict) -> ToldSink:
    return ToldSink(lambda batch: [verdict] * len(batch))


def _storing(verdict: Verdict, **options: Any) -> Delivery:
    given = {"tokens": {PIXEL: "t"}, "sink": lambda _: _sink(verdict), **options}
    return open_delivery(DeliveryOptions(**given))


_LATER = Retry(600.0, "later")


def _queue_full(folder: Path) -> Delivery:
    disk = Held(folder / "o.db")
    delivery = open_delivery(DeliveryOptions(sink=lambda _: ToldSink(), limit_uncommitted=5), disk=disk)
    for _ in range(20):
        delivery.submit(submissions(1, event_time=time.time()))
    disk.leave.set()
    return delivery


def _unstorable(folder: Path) -> Delivery:
    delivery = _storing(_LATER, outbox=f"sqlite:///{folder}/o.db")
    delivery.submit([submission(record("bad", event_time=2.0**70))]).result(10)
    return delivery


def _once_undecided(folder: Path) -> Delivery:
    delivery = _storing(_LATER, outbox=f"sqlite:///{folder}/below/o.db")
    delivery.submit(submissions(1, "first", event_time=time.time())).result(10)
    (folder / "below").rename(folder / "gone")
    while not (folder / "below").is_file():  # the delivery's own threads may make the folder anew meanwhile
        shutil.rmtree(folder / "below", ignore_errors=True)
        with contextlib.suppress(OSError):
            (folder / "below").write_text("a file where the folder was")
    delivery.submit([submission(record("order-1", event_time=time.time()), browser=True, once=True)]).result(10)
    delivery.close(0)
    return delivery


def _unsent(_: Path) -> Delivery:
    delivery = _storing(_LATER)
    delivery.submit(submissions(3, event_time=time.time())).result(10)
    assert wait_until(lambda: delivery.stats()["retried"] == 3)
    delivery.close(0)
    return delivery


def _full(*entries: OutboxEntry, rows: int) -> Callable[[Path], Delivery]:
    def case(_: Path) -> Delivery:
        delivery = _storing(_LATER, limit_rows=rows)
        delivery.submit([msgspec.structs.replace(entry) for entry in entries]).result(10)
        return delivery

    return case


def _fresh(count: int, name: str, event: str = "Purchase") -> list[OutboxEntry]:
    return submissions(count, name, event=event, event_time=time.time())


_REPORTED = [msgspec.structs.replace(one, reported=True) for one in _fresh(12, "stranger")]


def _rejected(_: Path) -> Delivery:
    delivery = _storing(Rejected("40002 no"))
    delivery.submit(_fresh(1, "bad")).result(10)
    assert wait_until(lambda: bool(delivery.stats()["buried"]))
    return delivery


def _overflow_dead(folder: Path) -> Delivery:
    disk = SqliteOutbox(folder / "o.db", limits=Limits(rows=100, bytes=1_000_000, dead=2))
    options = DeliveryOptions(tokens={PIXEL: "t"}, sink=lambda _: _sink(Rejected("40002 no")))
    delivery = open_delivery(options, disk=disk)
    delivery.submit(_fresh(5, "bad")).result(10)
    assert wait_until(lambda: bool(disk.dropped))
    delivery.submit(_fresh(1, "next")).result(10)  # the first event after a loss logs it
    return delivery


def _in_transaction(postgres: Postgres, url: str, *, is_broken: bool = False, is_committed: bool = False) -> Client:
    """Track a purchase in the app's transaction, which is not committed when the response leaves, or was before."""
    postgres.execute("CREATE TABLE IF NOT EXISTS orders (id text)")
    client = shop_client(url)
    client.delivery.stats()  # its tables exist
    if is_broken:
        postgres.execute(f"ALTER TABLE {url.rpartition('schema=')[2]}.draft ADD CONSTRAINT broken CHECK (due < 0)")
    with database(postgres.url(), "psycopg") as app:

        def view(tracker: Any) -> None:
            app.execute("INSERT INTO orders VALUES ('A-1')")
            if is_committed:
                app.commit()
            tracker.track("Purchase", order_id="A-1", value=5, currency="EUR", connection=app.given)

        visit(client, view)
        app.rollback()
    return client


#: Cases that need a database of the app.
DATABASE_CASES: dict[Reason, Callable[[Postgres, str], Client]] = {
    Reason.UNCOMMITTED: _in_transaction,
    Reason.NO_TRANSACTION: partial(_in_transaction, is_committed=True),
    Reason.DRAFT_FAILED: partial(_in_transaction, is_broken=True),
}

CASES: dict[Reason, Callable[[Path], Counting]] = {
    Reason.NO_PIXEL_FOR_HOST: _no_pixel_for_host,
    Reason.DISABLED_BY_APP: _disabled_by_app,
    Reason.GPP_OPT_OUT: _gpp_opt_out,
    Reason.COOKIES_ABSENT: _cookies_absent,
    Reason.NO_COOKIES: _no_cookies,
    Reason.LATE: _late,
    Reason.ALREADY_INJECTED: _already_injected,
    Reason.TOO_MANY: lambda _: _report({}, times=PER_VISITOR.burst + 1),
    Reason.ANSWER_UNHEARD: lambda _: _report({"u": PAGE, "r": "", "n": 1}),
    Reason.ROLLED_BACK: _rolled_back,
    Reason.UNDURABLE: _undurable,
    Reason.INTERIM: _interim,
    Reason.PACKAGE_MISSING: _package_missing,
    Reason.HEAD_MEMORY_FULL: _head_memory_full,
    Reason.BODY_UNSEEN: _body_unseen,
    Reason.EXPIRED: _confirm(expires=int(NOW) - 1),
    Reason.PIXELS: _confirm(pixel_id="C0000000000000000009"),
    Reason.ID: _confirm(minted="of-another-time"),
    Reason.HELPER_NEVER_ASKED: _helper_never_asked,
    Reason.UNFINISHED: _unfinished,
    Reason.TOO_MANY_EVENTS: _many_events,
    Reason.NO_LEAD_ID: _no_lead_id,
    Reason.QUEUE_FULL: _queue_full,
    Reason.UNSTORABLE: _unstorable,
    Reason.ONCE_UNDECIDED: _once_undecided,
    Reason.NOT_CANCELLED: _not_cancelled,
    Reason.UNSENT: _unsent,
    Reason.OVERFLOW: _full(*_fresh(3, "order"), rows=1),
    Reason.OVERFLOW_PAGE_VIEW: _full(*_fresh(3, "view", "Pageview"), rows=1),
    Reason.OVERFLOW_REPORTED: _full(*_REPORTED, rows=10),
    Reason.OVERFLOW_DEAD: _overflow_dead,
    Reason.REJECTED: _rejected,
}

#: Words of the line of a reason that has a line of its own, with more details than its meaning.
LINES: dict[Reason, str] = {
    Reason.NO_PIXEL_FOR_HOST: r"no_pixel_for_host: ",
    Reason.PACKAGE_MISSING: r"needs a package: pip install brotli",
    Reason.UNSTORABLE: r"could not be stored",
    Reason.ONCE_UNDECIDED: r"order-1: the disk never said",
    Reason.UNSENT: r"3 event\(s\) are in memory alone",
    Reason.REJECTED: r"become dead letters, first Purchase bad-0: 40002 no",
    Reason.INVALID: r"value",
    Reason.NO_LEAD_ID: r"lead_id",
    Reason.NO_PAGE: r"page",
    Reason.EVENT_ID_REUSED: r"same",
}
