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
from tiktok_middleware.core.tracking.server_tracker import Context, server_tracker
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
        tracker = server_tracker(runtime, snapshot_of(runtime), source="crm", context=Context(lead_id=lead_id))
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
    ("options", "source", "says"),
    [
        ({}, "offline", "'offline' with TIKTOK_OFFLINE_ID set"),
        ({}, "crm", "'crm' with TIKTOK_CRM_ID set"),
    ],
)
def test_a_source_without_its_event_set_is_said_and_refuses_every_event(
    options: dict[str, Any], source: str, says: str
) -> None:
    with pytest.raises(EventError, match=says):
        server_tracker(runtime_of(strict=True, **options), None, source=source)
    runtime = runtime_of(**options)
    tracker = server_tracker(runtime, None, source=source)
    event = tracker.track("Purchase", value=1, currency="EUR")
    assert event.channels.server == Channel(sends=False, reason="invalid")
    assert records_of(tracker) == []


@pytest.mark.parametrize("source", ["shop", "", 5, b"web", ["web"], object()])
def test_a_source_that_is_none_of_them_is_said_and_the_event_goes_to_the_pixel(source: Any) -> None:
    with pytest.raises(EventError, match="source is none of them; allowed: 'web', 'offline', 'crm'"):
        server_tracker(runtime_of(strict=True), None, source=source)
    runtime = runtime_of()
    tracker = server_tracker(runtime, None, source=source)
    assert tracker.track("Contact").channels.server.sends
    assert counts(runtime)["invalid"] == 1


@pytest.mark.parametrize(("source", "sent"), [("WEB", "web"), (" Offline ", "offline"), ("Crm", "crm"), (None, "web")])
def test_a_source_is_read_in_any_case(source: Any, sent: str) -> None:
    tracker = server_tracker(runtime_of(strict=True, **SETS), None, source=source, context=Context(lead_id="1"))
    assert tracker.state.source.name == sent


@pytest.mark.parametrize("lead_id", [None, "", "x" * 257, True, -1, b"x", "null", "{{lead.id}}", "0", object()])
def test_a_crm_event_without_a_usable_lead_id_goes_and_that_is_said_once(
    lead_id: Any, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = runtime_of(**SETS)
    for _ in range(3):
        tracker = server_tracker(runtime, None, source="crm", context=Context(lead_id=lead_id))
        tracker.identify(email="ada@example.com")
        assert tracker.track("QualifiedLead").channels.server.sends
        assert "lead" not in item_of(tracker)
    lines = [record.getMessage() for record in caplog.records]
    assert [line for line in lines if "no lead_id" in line] == [lines[0]]
    assert counts(runtime)["no_lead_id"] == 3


def test_a_lead_names_its_crm_system() -> None:
    runtime = runtime_of(**SETS)
    context = Context(lead_id="1", lead_event_source="HubSpot")
    tracker = server_tracker(runtime, None, source="crm", context=context)
    tracker.track("Qualifizierter Lead")
    item = item_of(tracker)
    assert item["event"] == "Qualifizierter Lead"
    assert item["lead"] == {"lead_id": "1", "lead_event_source": "HubSpot"}
    alone = server_tracker(runtime, None, source="crm", context=Context(lead_event_source="HubSpot"))
    alone.track("Lead")
    assert item_of(alone)["lead"] == {"lead_event_source": "HubSpot"}


# -- what the caller says beside the snapshot

CLICK = "E.C.P.realrealrealrealreal"
GIVEN = Context(
    url=f"https://shop.example/thanks?ttclid={CLICK}&email=bob@example.com",
    ttp=GOOD_TTP,
    ip="8.8.8.8",
    user_agent="Mozilla/5.0 (iPhone)",
)


def test_what_the_caller_says_is_sent_without_a_snapshot() -> None:
    tracker = server_tracker(runtime_of(), None, consent=True, context=GIVEN)
    tracker.track("Purchase", value=5, currency="EUR")
    item = item_of(tracker)
    assert item["user"] == {"ttclid": CLICK, "ttp": GOOD_TTP, "ip": "8.8.8.8", "user_agent": "Mozilla/5.0 (iPhone)"}
    assert item["page"] == {"url": f"https://shop.example/thanks?ttclid={CLICK}"}


def test_what_the_caller_says_outranks_the_snapshot_and_the_rest_of_it_stays() -> None:
    runtime = runtime_of()
    context = Context(url="https://shop.example/other", user_agent="Mozilla/5.0 (iPhone)", ttclid="E.C.P.new")
    tracker = server_tracker(runtime, snapshot_of(runtime), context=context)
    tracker.track("Purchase", value=5, currency="EUR")
    item = item_of(tracker)
    assert item["page"] == {"url": "https://shop.example/other"}
    assert item["user"]["user_agent"] == "Mozilla/5.0 (iPhone)"
    assert item["user"]["ttclid"] == "E.C.P.new"
    assert (item["user"]["ip"], item["user"]["ttp"]) == ("9.9.9.9", GOOD_TTP)


@pytest.mark.parametrize("click", ["null", "undefined", "__CLICKID__", "{{ttclid}}", "", "a b", "x" * 1001, 5, None])
def test_a_word_for_a_missing_click_id_never_replaces_a_real_one(click: Any) -> None:
    runtime = runtime_of()
    tracker = server_tracker(runtime, snapshot_of(runtime), context=Context(ttclid=click))
    tracker.track("Contact")
    assert item_of(tracker)["user"]["ttclid"] == "E.C.P.1"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("url", "shop.example"),
        ("url", 5),
        ("url", "javascript:alert(1)"),
        ("ttp", "short"),
        ("ip", "300.1.1.1"),
        ("ip", b"8.8.8.8"),
        ("user_agent", ["Mozilla"]),
        ("user_agent", "a\r\nb"),
    ],
)
def test_a_context_that_cannot_be_right_is_left_out_and_the_event_goes(field: str, value: Any) -> None:
    with pytest.raises(EventError, match=f"^{field} is"):
        server_tracker(runtime_of(strict=True), None, context=Context(**{field: value}))
    runtime = runtime_of()
    tracker = server_tracker(runtime, None, context=Context(**{field: value}))
    assert tracker.track("Contact").channels.server.sends
    assert counts(runtime)["invalid"] == 1


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        *((word, "") for word in (True, 1, "yes", "granted", "True")),
        *((word, "denied") for word in (False, 0, "no", "denied", "False", "0")),
        *((word, "consent_unknown") for word in ("perhaps", "", [], {"a": 1}, object(), 1.5)),
    ],
)
def test_consent_that_cannot_be_read_is_no_consent(word: Any, reason: str) -> None:
    assert server_tracker(runtime_of(), None, consent=word).track("Contact").channels.server.reason == reason


@pytest.mark.parametrize("flag", [True, 1, "true", object()])
def test_limited_data_use_of_the_tracker_is_on_all_its_events(flag: Any) -> None:
    tracker = server_tracker(runtime_of(), None, context=Context(limited_data_use=flag))
    tracker.track("Contact")
    assert item_of(tracker)["limited_data_use"] is True


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
    tracker = server_tracker(runtime_of(**SETS, **options), None, source=source, context=Context(lead_id="L-1"))
    assert tracker.track("Lead").channels.server.reason == reason


# -- time


@pytest.mark.parametrize("hours", [46, 47, 48, 300])
def test_an_old_conversion_goes_to_the_outbox_which_decides(hours: int) -> None:
    tracker = server_tracker(runtime_of(), None)
    event = tracker.track("Purchase", value=1, currency="EUR", order_id="A-1", event_time=NOW - hours * 3600)
    assert (event.channels.browser.reason, event.channels.server.reason) == ("no_browser", "")


def test_what_is_not_counted_once_may_be_older() -> None:
    assert server_tracker(runtime_of(), None).track("Contact", event_time=NOW - 300 * 3600).channels.server


def test_a_weekly_import_is_not_too_late() -> None:
    tracker = server_tracker(runtime_of(**SETS), None, source="offline")
    assert tracker.track("Contact", once="visit-1", event_time=NOW - 300 * 3600).channels.server
