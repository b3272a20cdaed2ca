"""A tracker without a request: whose leave it has, what goes with its events, and what TikTok takes from which source."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from tests.core.core_world import GOOD_TTP, NOW, PIXEL, Clock, counts, runtime_of, tracker_of
from tiktok_middleware.core.consent.consent import State
from tiktok_middleware.core.events.event import Channel, Record
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.server_event import server_entry
from tiktok_middleware.core.tracking.server_tracker import server_tracker
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.errors import EventError

AGENT = "Mozilla/5.0 (Linux; Android 16)"
GPC = {"sec-gpc": "1"}


def snapshot_of(runtime: Runtime, url: str = "/pay?ttclid=E.C.P.1", **headers: str) -> str:
    tracker = tracker_of(runtime, url, {"user-agent": AGENT, "cookie": f"_ttp={GOOD_TTP}", **headers}, peer="9.9.9.9")
    tracker.identify(email="ada@example.com", phone="+49 30 1234567", external_id="u-7", city="Berlin")
    return tracker.snapshot()


def records_of(tracker: Tracker) -> list[Record]:
    made = [server_entry(pending, tracker.state) for pending in tracker.state.take()]
    return [record for submission in made if submission is not None for record in submission.records]


def item_of(tracker: Tracker) -> dict[str, Any]:
    (record,) = records_of(tracker)
    item: dict[str, Any] = msgspec.json.decode(record.body)
    return item


def test_the_server_copy_is_that_of_the_visitor() -> None:
    runtime = runtime_of()
    tracker = server_tracker(runtime, snapshot_of(runtime))
    event = tracker.track("Purchase", value=5, currency="EUR", order_id="A-1", event_time=NOW - 60)
    assert event.channels.server == Channel(sends=True)
    assert event.channels.browser == Channel(sends=False, reason="no_browser")
    item = item_of(tracker)
    assert set(item.pop("user")) == {"ttclid", "ttp", "ip", "user_agent", "email", "phone", "external_id", "city"}
    assert item == {
        "event": "Purchase",
        "event_time": NOW - 60,
        "event_id": event.event_id,
        "page": {"url": "https://shop.example/pay?ttclid=E.C.P.1"},
        "properties": {"value": 5, "currency": "EUR", "order_id": "A-1"},
        "limited_data_use": False,
    }


def test_the_thank_you_page_and_the_webhook_make_one_id() -> None:
    runtime = runtime_of()
    page = tracker_of(runtime).track("Purchase", order_id="A-1", value=5, currency="EUR")
    webhook = server_tracker(runtime, snapshot_of(runtime)).track("Purchase", once="A-1", value=5, currency="EUR")
    assert page.event_id == webhook.event_id


def test_without_a_snapshot_the_callers_identity_goes_alone() -> None:
    tracker = server_tracker(runtime_of(), None)
    tracker.identify(email="ada@example.com")
    tracker.track("Purchase", order_id="A-1", value=5, currency="EUR")
    item = item_of(tracker)
    assert set(item["user"]) == {"email"}
    assert "page" not in item


def test_newer_identity_outranks_the_snapshots() -> None:
    runtime = runtime_of()
    tracker = server_tracker(runtime, snapshot_of(runtime))
    old = tracker.state.identity.email
    tracker.identify(email="ada@work.example")
    assert tracker.state.identity.email != old
    assert tracker.state.identity.phone


def test_a_job_can_pass_its_visitor_on() -> None:
    runtime = runtime_of()
    token = snapshot_of(runtime)
    assert (
        server_tracker(runtime, server_tracker(runtime, token).snapshot()).visitor
        == server_tracker(runtime, token).visitor
    )


def test_an_excluded_page_stays_excluded() -> None:
    runtime = runtime_of(exclude="/admin/*")
    tracker = server_tracker(runtime, snapshot_of(runtime, "/admin/orders"))
    assert tracker.track("Purchase", value=1, currency="EUR").channels.server.reason == "excluded"


# -- whose leave

REFUSED = {"cookie": "_tt_consent=d"}
AGREED = {"cookie": "_tt_consent=g"}


@pytest.mark.parametrize(
    ("consent", "headers", "word", "reason"),
    [
        # under implied consent
        ("implied", None, None, ""),
        ("implied", None, True, ""),
        ("implied", None, False, "denied"),
        ("implied", {}, None, ""),
        ("implied", {}, False, "denied"),
        ("implied", GPC, None, "gpc"),
        ("implied", GPC, True, "gpc"),
        ("implied", REFUSED, None, "denied"),
        ("implied", REFUSED, True, "denied"),
        # under required consent
        ("required", None, None, "consent_unknown"),
        ("required", None, True, ""),
        ("required", None, False, "denied"),
        ("required", {}, None, "consent_unknown"),
        ("required", {}, True, ""),
        ("required", {}, False, "denied"),
        ("required", AGREED, None, ""),
        ("required", AGREED, True, ""),
        ("required", AGREED, False, "denied"),
        ("required", REFUSED, None, "denied"),
        ("required", REFUSED, True, "denied"),
    ],
)
def test_the_snapshots_consent_governs_then_the_callers_word(
    consent: str, headers: dict[str, str] | None, word: bool | None, reason: str
) -> None:
    runtime = runtime_of(consent=consent)
    tracker = server_tracker(runtime, None if headers is None else snapshot_of(runtime, **headers), consent=word)
    event = tracker.track("Purchase", value=1, currency="EUR", order_id="A-1")
    assert event.channels.server == Channel(not reason, reason)
    assert bool(records_of(tracker)) is not bool(reason)
    assert counts(runtime).get(reason, 0) == bool(reason)


@pytest.mark.parametrize("consent", ["implied", "required"])
@pytest.mark.parametrize("word", [None, True])
@pytest.mark.parametrize("kind", ["forged", "malformed", "expired"])
def test_what_cannot_be_read_is_nobody_and_no_leave(
    kind: str, word: bool | None, consent: str, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    runtime = runtime_of(clock=clock, consent=consent)
    token = {"forged": snapshot_of(runtime)[:-4] + "abcd", "malformed": "é", "expired": snapshot_of(runtime)}[kind]
    clock.now += 401 * 86400
    for _ in range(2):
        tracker = server_tracker(runtime, token, consent=word)
        event = tracker.track("Purchase", value=1, currency="EUR", order_id="A-1")
        assert event.channels.server == (Channel(True) if word else Channel(False, f"snapshot_{kind}"))
        assert tracker.visitor.ttp == ""
    assert counts(runtime)[f"snapshot_{kind}"] == (2 if word else 4)
    assert len(caplog.records) == 1


@pytest.mark.parametrize("nothing", [None, ""])
def test_no_snapshot_is_nothing_to_complain_of(nothing: str | None, caplog: pytest.LogCaptureFixture) -> None:
    tracker = server_tracker(runtime_of(), nothing)
    assert tracker.consent.state is State.GRANTED
    assert not caplog.records


def test_limited_data_use_is_the_visitors_or_the_sites() -> None:
    limited = runtime_of(gpc="limit")
    tracker = server_tracker(limited, snapshot_of(limited, **GPC))
    tracker.track("Contact")
    assert item_of(tracker)["limited_data_use"] is True
    tracker = server_tracker(runtime_of(limited_data_use=True), None)
    tracker.track("Contact")
    assert item_of(tracker)["limited_data_use"] is True


# -- sources

SETS: dict[str, Any] = {"offline_id": "7000000000000000001", "crm_id": "7000000000000000002"}


def test_a_sale_in_a_shop_tells_what_tiktok_takes_from_there() -> None:
    runtime = runtime_of(**SETS)
    tracker = server_tracker(runtime, snapshot_of(runtime), source="offline")
    tracker.track("Purchase", value=5, currency="EUR", order_id="A-1")
    (record,) = records_of(tracker)
    assert (record.pixel, record.source) == (SETS["offline_id"], "offline")
    item = msgspec.json.decode(record.body)
    assert set(item["user"]) == {"email", "phone"}
    assert set(item) == {"event", "event_time", "event_id", "user", "properties"}


def test_a_lead_carries_its_id() -> None:
    runtime = runtime_of(**SETS)
    for lead_id, sent in (("L-1", "L-1"), (42, "42")):
        tracker = server_tracker(runtime, snapshot_of(runtime), source="crm", lead_id=lead_id)
        tracker.track("QualifiedLead")
        (record,) = records_of(tracker)
        assert (record.pixel, record.source) == (SETS["crm_id"], "crm")
        item = msgspec.json.decode(record.body)
        assert item["lead"] == {"lead_id": sent}
        assert set(item["user"]) == {"email", "phone", "external_id"}
        assert "page" not in item


def test_the_web_goes_to_every_pixel() -> None:
    second = "C0000000000000000002"
    tracker = server_tracker(runtime_of(pixel_id=f"{PIXEL},{second}", **SETS), None)
    tracker.track("Contact")
    assert [(record.pixel, record.source) for record in records_of(tracker)] == [(PIXEL, "web"), (second, "web")]


@pytest.mark.parametrize(
    ("options", "given", "says"),
    [
        (SETS, {"source": "shop"}, "source is none of them; allowed: 'web', 'offline', 'crm'"),
        (SETS, {"source": None}, "source is none of them"),
        ({}, {"source": "offline"}, "'offline' with TIKTOK_OFFLINE_ID set"),
        ({}, {"source": "crm", "lead_id": "L"}, "'crm' with TIKTOK_CRM_ID set"),
        (SETS, {"source": "crm"}, "lead_id is not given"),
        (SETS, {"source": "crm", "lead_id": ""}, "lead_id is a str of 0 characters"),
        (SETS, {"source": "crm", "lead_id": "x" * 257}, "lead_id is a str of 257 characters"),
        (SETS, {"source": "crm", "lead_id": True}, "lead_id is of type bool"),
        (SETS, {"source": "crm", "lead_id": -1}, "lead_id is of type int"),
        (SETS, {"source": "web", "lead_id": b"x"}, "lead_id is of type bytes"),
    ],
)
def test_what_cannot_be_right_is_said_and_refuses_every_event(
    options: dict[str, Any], given: dict[str, Any], says: str
) -> None:
    with pytest.raises(EventError, match=says):
        server_tracker(runtime_of(strict=True, **options), None, **given)
    runtime = runtime_of(**options)
    tracker = server_tracker(runtime, None, **given)
    event = tracker.track("Purchase", value=1, currency="EUR")
    assert event.channels.server == Channel(sends=False, reason="invalid")
    assert records_of(tracker) == []


def test_an_offline_event_is_a_standard_one() -> None:
    tracker = server_tracker(runtime_of(strict=True, **SETS), None, source="offline")
    with pytest.raises(EventError, match="offline takes no other"):
        tracker.track("WalkedIn")
    with pytest.raises(EventError, match="offline takes no other"):
        tracker.page()


@pytest.mark.parametrize(
    ("options", "source", "reason"),
    [
        ({"access_token": ""}, "web", "no_token"),
        ({"access_token": ""}, "offline", "no_token"),
        ({"access_token": "", "offline_token": "own"}, "offline", ""),
        ({"access_token": "", "offline_token": "own"}, "crm", "no_token"),
        ({"access_token": "t"}, "crm", ""),
        ({"environment": "test"}, "offline", "not_production"),
        ({"environment": "test", "test_event_code": "T1"}, "offline", ""),
    ],
)
def test_each_source_has_its_own_token_and_the_environments_rule(
    options: dict[str, Any], source: str, reason: str
) -> None:
    tracker = server_tracker(runtime_of(**SETS, **options), None, source=source, lead_id="L-1")
    assert tracker.track("Lead").channels.server.reason == reason


# -- time


@pytest.mark.parametrize(("hours", "reason"), [(46, ""), (47, ""), (48, "too_old"), (300, "too_old")])
def test_an_old_conversion_is_not_sent_again(hours: int, reason: str) -> None:
    tracker = server_tracker(runtime_of(), None)
    event = tracker.track("Purchase", value=1, currency="EUR", order_id="A-1", event_time=NOW - hours * 3600)
    assert event.channels.server.reason == reason


def test_what_is_not_counted_once_may_be_older() -> None:
    assert server_tracker(runtime_of(), None).track("Contact", event_time=NOW - 300 * 3600).channels.server


def test_a_weekly_import_is_not_too_late() -> None:
    tracker = server_tracker(runtime_of(**SETS), None, source="offline")
    assert tracker.track("Contact", once="visit-1", event_time=NOW - 300 * 3600).channels.server
