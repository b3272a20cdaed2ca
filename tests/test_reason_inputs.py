"""For each reason code an input that yields it: the code is counted, and logged once at WARNING unless it is expected."""

from __future__ import annotations

import contextlib
import json
import logging
import re
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.contract.adapters import TRACKED, Request, Response, through_wsgi
from tests.contract.test_reports import SAME, by_wsgi
from tests.core.endpoint.report_world import MINTED, token_of
from tests.postgres_world import Postgres
from tests.reason_cases import CASES, DATABASE_CASES, LINES, NAVIGATION, Counting, client_of
from tiktok_middleware import Client
from tiktok_middleware.client import deliver_to
from tiktok_middleware.core.endpoint.report import MAX_BODY_BYTES
from tiktok_middleware.core.events.event import Claim, OutboxEntry
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.tracking.request_tracker import RequestTracker
from tiktok_middleware.reasons import Reason, reason_of
from tiktok_middleware.testing import Recorder

ROOT = Path(__file__).parents[1]
DOCS = (ROOT / "docs" / "reasons.md").read_text("utf-8")
CONTACT: Any = (("Contact", {}),)
ORDER: Any = (("Purchase", {"order_id": "A-1", "value": 5, "currency": "EUR"}),)
HTML = ("Content-Type", "text/html; charset=utf-8")


class View(msgspec.Struct, frozen=True):
    """One request of a page that tracks an event.

    Attributes:
        options: options of the client beside the usual ones.
        headers: headers of the request beside those of a navigation.
        times: how often it is requested.
        request, response: further fields.
    """

    options: dict[str, Any] = {}
    headers: dict[str, str] = {}
    times: int = 1
    request: dict[str, Any] = {}
    response: dict[str, Any] = {}


class Report(msgspec.Struct, frozen=True):
    """A report of a page, as the endpoint gets it."""

    body: bytes
    options: dict[str, Any] = {}
    headers: dict[str, str] = {}
    method: str = "POST"
    times: int = 1


def page(*, headers: tuple[tuple[str, str], ...] = (HTML,), **more: Any) -> dict[str, Any]:
    return {"headers": headers, **more}


def kinds(kind: str, *more: tuple[str, str]) -> dict[str, Any]:
    return page(headers=(("Content-Type", kind), *more))


def event(**given: Any) -> dict[str, Any]:
    return page(events=(("Contact", given),))


#: Inputs that one request of a view shows.
VIEWS: dict[Reason, View] = {
    Reason.NO_PIXEL: View({"pixel_id": ""}),
    Reason.NO_TOKEN: View({"access_token": ""}),
    Reason.NOT_PRODUCTION: View({"environment": "staging", "api_url": "https://business-api.tiktok.com/open_api/v1.3"}),
    Reason.SNIPPET_OFF: View({"snippet": "off"}),
    Reason.DISABLED: View({"enabled": False}),
    Reason.EXCLUDED: View({"exclude": "/shop"}),
    Reason.DENIED: View(headers={"cookie": "_tt_consent=d"}),
    Reason.GPC: View(headers={"sec-gpc": "1"}),
    Reason.USPRIVACY_OPT_OUT: View(headers={"cookie": "usprivacy=1YYN"}),
    Reason.CONSENT_UNKNOWN: View(
        {"consent": "required"}, request={"path": "/data"}, response=kinds("application/json")
    ),
    Reason.COOKIES_TOO_LONG: View(headers={"cookie": "a=" + "x" * 40_000}, response=kinds("application/json")),
    Reason.BOT: View(headers={"user-agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}),
    Reason.ALREADY_COUNTED: View(times=2, response=page(events=ORDER)),
    Reason.TOO_OLD: View(response=page(events=(("Contact", {"once": "a", "event_time": 1_759_700_000}),))),
    Reason.NO_HEADER_ROOM: View(
        response=page(headers=(("Location", "/"), ("X-Large", "x" * 6000)), status=303, pieces=(b"",))
    ),
    Reason.SHARED: View(response=kinds("application/json", ("Cache-Control", "public, max-age=60"))),
    Reason.PREFETCH: View(headers={"sec-purpose": "prefetch"}, response=kinds("application/json")),
    Reason.KEPT_FROM_BROWSER: View(response=event(browser=False)),
    Reason.OTHER_ORIGIN: View(
        headers={"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "sec-fetch-site": "cross-site"},
        response=kinds("application/json"),
    ),
    Reason.URL_HOLDS_IDENTITY: View(request={"query": "email=ada%40example.com"}),
    Reason.REQUEST_FAILED: View(response=page(status=500)),
    Reason.PARTIAL: View(response=page(status=206)),
    Reason.NOT_MODIFIED: View(response=page(status=304, pieces=())),
    Reason.HEAD_REQUEST: View(request={"method": "HEAD"}, response=page(pieces=())),
    Reason.EVENT_STREAM: View(response=kinds("text/event-stream")),
    Reason.XHTML: View(response=kinds("application/xhtml+xml")),
    Reason.NO_TRANSFORM: View(response=page(headers=(HTML, ("Cache-Control", "no-transform")))),
    Reason.ENCODED: View(response=page(headers=(HTML, ("Content-Encoding", "compress")))),
    Reason.CHARSET: View(response=kinds("text/html; charset=utf-16")),
    Reason.FRAGMENT: View(
        response=page(
            headers=(("Content-Type", "text/html"), ("Content-Encoding", "utf-8")), pieces=(b"\x1f\x8b\x08\x00",)
        )
    ),
    Reason.NO_HEAD_END: View(response=page(pieces=(b"<!doctype html><html><head><title>x",))),
    Reason.CHARSET_AT_RISK: View(
        response=page(
            headers=(("Content-Type", "text/html"),),
            pieces=(b"<!doctype html><p><svg><meta charset=utf-8></svg>",),
            has_length=True,
        )
    ),
    Reason.INVALID: View(response=page(events=(("Contact", {"value": "many"}),))),
    Reason.IGNORED_VALUE: View(headers={"cookie": "_ttp=\u00fc; ttclid=x y"}),
    Reason.NO_USER_AGENT: View(headers={"user-agent": ""}),
}

#: Inputs that a page's report shows.
REPORTS: dict[Reason, Report] = {
    Reason.METHOD: Report(b"{}", method="GET"),
    Reason.ORIGIN: Report(b"{}", headers={"sec-fetch-site": "cross-site"}),
    Reason.MALFORMED: Report(b"[["),
    Reason.OTHER_BASE_CODE: Report(b'{"o": "found GoogleTagManagerClient"}'),
    Reason.OTHER_BASE_CODE_LATE: Report(b'{"o": "late "}'),
    Reason.TTQ_IS_NO_QUEUE: Report(b'{"o": "broken function"}'),
    Reason.TTQ_REPLACED: Report(b'{"o": "replaced array"}'),
    Reason.EVENTS_API_GATEWAY: Report(b'{"o": "gateway gateway.shop.example"}'),
    Reason.FORGED: Report(json.dumps({"c": [["a.b.c", MINTED]]}).encode()),
    Reason.BROWSER_EVENT_REFUSED: Report(json.dumps({"e": [["Search", {}, MINTED]]}).encode()),
    Reason.TOO_LARGE: Report(b" " * (MAX_BODY_BYTES + 1)),
}


def job(client: Client, *, source: str = "web", **given: Any) -> None:
    with client.tracker(source=source, consent=True) as tiktok:
        TRACKED.append(tiktok.track("Contact", **given))


def failing_job(client: Client) -> None:
    with contextlib.suppress(RuntimeError), client.tracker(consent=True) as tiktok:
        tiktok.track("Contact")
        raise RuntimeError


def twice(client: Client) -> None:
    with client.tracker(consent=True) as tiktok:
        for _ in range(2):
            tiktok.track("Contact", event_id="same")


class BrokenDelivery(Recorder):
    """A delivery that takes no event."""

    def submit(self, submissions: Sequence[OutboxEntry]) -> Future[list[Claim]]:
        raise RuntimeError(len(submissions))


def broken_report(client: Client) -> None:
    body = json.dumps({"c": [[token_of(client.runtime), MINTED]]}).encode()
    with deliver_to(BrokenDelivery()):
        by_wsgi(client, Request("POST", "/_tiktok/collect", headers=SAME), body)


def broken_request(client: Client) -> None:
    """Read a request of a server that breaks its protocol."""

    def read(*_: object) -> RequestView:
        raise ValueError("no scope")

    TRACKED.append(RequestTracker({}, {}, client.runtime, read).track("Contact"))


#: Inputs that a tracker without a request shows, and requests of other kinds.
JOBS: dict[Reason, Callable[[Client], None]] = {
    Reason.NO_OFFLINE_ID: lambda client: job(client, source="offline"),
    Reason.NO_CRM_ID: lambda client: job(client, source="crm"),
    Reason.FAILED: broken_report,
    Reason.UNREADABLE_REQUEST: broken_request,
    Reason.NO_BROWSER: job,
    Reason.NOBODY: job,
    Reason.NO_PAGE: job,
    Reason.JOB_FAILED: failing_job,
    Reason.EVENT_ID_REUSED: twice,
}


def reasons_of(client: Counting) -> set[Reason]:
    """Every reason that was counted. That a job has no browser stands in its events' channels alone."""
    stats = client.stats()
    counted = (stats.get(name, ()) for name in ("counts", "dropped", "buried"))
    no_browser = (one.channels.browser.reason for one in TRACKED if one.channels.browser.reason == "no_browser")
    counters: Iterable[str] = chain(*counted, no_browser)
    return {reason for counter in counters if (reason := reason_of(counter)) is not None}


@pytest.fixture(autouse=True)
def _nothing_tracked() -> None:
    TRACKED.clear()


def lines(caplog: pytest.LogCaptureFixture, pattern: str) -> list[str]:
    found = (one.getMessage() for one in caplog.records if one.levelno >= logging.WARNING)
    return [line for line in found if re.search(pattern, line)]


def assert_reached(client: Counting, reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    """Assert that the reason is counted and logged once; one that is expected has no line, or one of its own."""
    assert reason in reasons_of(client), sorted(reasons_of(client))
    generic = rf"^(?:[a-z]+_)?{reason.value}: "
    if reason in LINES:
        assert len(lines(caplog, LINES[reason])) == 1, caplog.text
    elif reason.is_expected:
        assert lines(caplog, generic) == []
    else:
        counted = [counter for counter in client.stats().get("counts", {}) if reason_of(counter) is reason]
        assert len(lines(caplog, generic)) == max(len(counted), 1), caplog.text
    client.close(0)


@pytest.mark.parametrize("reason", VIEWS, ids=str)
def test_view_yields_the_reason_and_its_line_once(reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    view = VIEWS[reason]
    client = client_of(**view.options)
    headers = {name: value for name, value in {**NAVIGATION, **view.headers}.items() if value}
    response = Response(**{"events": CONTACT, **view.response})
    for _ in range(view.times):
        through_wsgi(client, Request(headers=headers, **view.request), response)
    assert_reached(client, reason, caplog)


@pytest.mark.parametrize("reason", REPORTS, ids=str)
def test_report_yields_the_reason_and_its_line_once(reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    report = REPORTS[reason]
    client = client_of(**report.options)
    for _ in range(report.times):
        by_wsgi(client, Request(report.method, "/_tiktok/collect", headers={**SAME, **report.headers}), report.body)
    assert_reached(client, reason, caplog)


SWALLOWING = {Reason.FAILED, Reason.UNREADABLE_REQUEST}


@pytest.mark.parametrize(
    "reason",
    [pytest.param(reason, marks=pytest.mark.swallows) if reason in SWALLOWING else reason for reason in JOBS],
    ids=str,
)
def test_job_yields_the_reason_and_its_line_once(reason: Reason, caplog: pytest.LogCaptureFixture) -> None:
    client = client_of()
    JOBS[reason](client)
    assert_reached(client, reason, caplog)


@pytest.mark.parametrize("reason", CASES, ids=str)
def test_case_yields_the_reason_and_its_line_once(
    reason: Reason, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert_reached(CASES[reason](tmp_path), reason, caplog)


@pytest.mark.postgres
@pytest.mark.parametrize("reason", DATABASE_CASES, ids=str)
def test_database_yields_the_reason_and_its_line_once(
    reason: Reason, postgres: Postgres, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres.schema() as url:
        assert_reached(DATABASE_CASES[reason](postgres, url), reason, caplog)


def test_every_reason_has_an_input_and_a_row_in_the_documentation() -> None:
    assert sorted([*VIEWS, *REPORTS, *JOBS, *CASES, *DATABASE_CASES]) == sorted(Reason)
    for reason in Reason:
        assert f"| `{reason.value}` | " in DOCS
