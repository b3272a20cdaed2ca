"""A view says what happened once, in any words, and is never made to wait or to fail for it."""

from __future__ import annotations

import math
import uuid
from dataclasses import replace
from datetime import datetime, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.core.core_world import NOW, counts, runtime_of, scope_request, tracker_of
from tests.strategies import examples
from tiktok_middleware.core.events.event import Event
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.core.tracking.current import tracker_of as tracker_in
from tiktok_middleware.core.tracking.request_state import RequestState, TrackedEvent
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.errors import EventError

HASH = "ab" * 32


def events(tracker: Tracker) -> list[Event]:
    return [pending.event for pending in tracker.state.pending]


def test_a_tracked_event_has_an_id_a_time_and_two_channels() -> None:
    runtime = runtime_of()
    tracker = tracker_of(runtime)
    event = tracker.track("ViewContent", value=5, currency="EUR")
    assert events(tracker) == [event]
    assert (event.event, event.event_time, event.once) == ("ViewContent", int(NOW), False)
    assert event.properties["value"] == 5
    assert 1 <= len(event.event_id) <= 64
    assert event.channels.browser
    assert event.channels.server
    assert counts(runtime) == {"tracked": 1}


def test_keywords_outrank_the_mapping() -> None:
    event = tracker_of(runtime_of()).track("ViewContent", {"value": 1, "currency": "EUR"}, value=2)
    assert event.properties == {"value": 2, "currency": "EUR"}


def test_an_old_name_is_translated() -> None:
    assert tracker_of(runtime_of()).track("CompletePayment", value=1, currency="EUR").event == "Purchase"


@pytest.mark.parametrize(
    ("options", "headers", "browser", "server"),
    [
        ({}, {}, "", ""),
        ({"access_token": ""}, {}, "", "no_token"),
        ({"snippet": "off"}, {}, "snippet_off", ""),
        ({"environment": "development"}, {}, "not_production", "not_production"),
        ({"environment": "test", "test_event_code": "T1"}, {}, "not_production", ""),
        ({"environment": "test", "api_url": "http://localhost:8001/v"}, {}, "not_production", ""),
        ({"enabled": False}, {}, "disabled", "disabled"),
        ({"pixel_id": "", "access_token": ""}, {}, "no_pixel", "no_pixel"),
        ({"exclude": "/a*"}, {}, "excluded", "excluded"),
        ({"consent": "required"}, {}, "consent_unknown", "consent_unknown"),
        ({}, {"cookie": "_tt_consent=d"}, "denied", "denied"),
        ({}, {"sec-gpc": "1"}, "gpc", "gpc"),
        ({"gpc": "limit"}, {"sec-gpc": "1"}, "", ""),
    ],
)
def test_each_channel_says_why_it_is_closed(
    options: dict[str, Any], headers: dict[str, str], browser: str, server: str
) -> None:
    runtime = runtime_of(**options)
    tracker = tracker_of(runtime, "/admin", headers)
    channels = tracker.track("Contact").channels
    assert (channels.browser.reason, channels.server.reason) == (browser, server)
    assert (channels.browser.sends, channels.server.sends) == (not browser, not server)
    # What the visitor has not allowed yet may still be, before the response begins.
    assert bool(tracker.state.pending) is (not (browser and server) or browser in {"consent_unknown", "denied", "gpc"})


def test_a_disabled_response_takes_no_more_events() -> None:
    tracker = tracker_of(runtime_of())
    tracker.disable()
    assert tracker.track("Contact").channels.server.reason == "disabled_by_app"
    assert not tracker.state.pending


# -- once


def test_a_once_event_has_the_same_id_everywhere() -> None:
    ids = {
        tracker_of(runtime_of(keys=(key,)), "/", {"host": host})
        .track("Purchase", value=1, currency="EUR", once="A-1")
        .event_id
        for key in ("one", "two")
        for host in ("a.example", "b.example")
    }
    assert len(ids) == 1


def test_a_purchase_with_an_order_id_is_counted_once() -> None:
    tracker = tracker_of(runtime_of())
    first = tracker.track("Purchase", value=1, currency="EUR", order_id="A-1")
    again = tracker.track("Purchase", value=1, currency="EUR", once="A-1")
    other = tracker.track("Purchase", value=1, currency="EUR", order_id="A-2")
    assert first.once
    assert first.event_id == again.event_id != other.event_id
    assert tracker.track("AddToCart", order_id="A-1").once is False
    assert tracker.track("Purchase", value=1, currency="EUR").once is False
    assert tracker.track("Lead", once="A-1").event_id != first.event_id


def test_an_own_id_outranks_the_once_key() -> None:
    event = tracker_of(runtime_of()).track("Purchase", value=1, currency="EUR", order_id="A-1", event_id="mine")
    assert (event.event_id, event.once) == ("mine", True)


@pytest.mark.parametrize(
    ("key", "same"),
    [(1001, "1001"), (uuid.UUID(int=5), str(uuid.UUID(int=5))), ("ä" * 512, "ä" * 512), (0, "0"), (-1, "-1")],
)
def test_a_key_may_be_a_text_a_number_or_a_uuid(key: Any, same: str) -> None:
    tracker = tracker_of(runtime_of(strict=True))
    assert tracker.track("Lead", once=key).event_id == tracker.track("Lead", once=same).event_id


@pytest.mark.parametrize(
    ("key", "same"),
    [
        (" 1001", "1001"),
        (1001.0, "1001"),
        (Decimal(1001), "1001"),
        ("x" * 513, "x" * 513),
        ("x" * 513 + " ", "x" * 513),
        (1.5, "1.5"),
        pytest.param(10**5000, f"{10**5000:x}", id="huge"),
    ],
)
def test_spellings_of_one_key_are_one_key(key: Any, same: str) -> None:
    tracker = tracker_of(runtime_of(strict=True))
    assert tracker.track("Lead", once=key).event_id == tracker.track("Lead", once=same).event_id


def test_a_key_is_the_same_conversion_as_the_order_id() -> None:
    tracker = tracker_of(runtime_of(strict=True))
    by_order = tracker.track("Purchase", order_id=1001, value=5, currency="EUR")
    keys: list[Any] = [" 1001", "1001", 1001, 1001.0]
    for key in keys:
        assert tracker.track("Purchase", once=key, value=5, currency="EUR").event_id == by_order.event_id
    assert tracker.track("purchase", transaction_id="1001", value=5, currency="EUR").event_id == by_order.event_id


@pytest.mark.parametrize("key", ["", " ", "null", "undefined", "{{id}}", True, b"A-1", ["A-1"], object(), math.nan])
def test_a_key_that_is_none_is_left_out_and_the_event_may_be_repeated(key: Any) -> None:
    with pytest.raises(EventError, match=r"^once is .* allowed: a text, a number or a UUID"):
        tracker_of(runtime_of(strict=True)).track("Lead", once=key)
    runtime = runtime_of()
    tracker = tracker_of(runtime)
    event = tracker.track("Lead", once=key)
    assert (event.channels.server.sends, event.once) == (True, False)
    assert counts(runtime) == {"invalid": 1, "tracked": 1}


@pytest.mark.parametrize("order_id", ["null", "None", "undefined", "{{order.id}}", "guest"])
def test_a_word_for_a_missing_order_id_does_not_make_one_order_of_all(order_id: str) -> None:
    tracker = tracker_of(runtime_of())
    events = [tracker.track("Purchase", value=5, currency="EUR", order_id=order_id) for _ in range(2)]
    assert [event.once for event in events] == [False, False]
    assert "order_id" not in events[0].properties


def test_a_key_that_is_none_leaves_the_order_id_to_count_once() -> None:
    tracker = tracker_of(runtime_of())
    event = tracker.track("Purchase", value=5, currency="EUR", order_id="A-1", once="null")
    assert event.event_id == tracker.track("Purchase", value=5, currency="EUR", once="A-1").event_id


@pytest.mark.parametrize(
    ("age_s", "once", "reason"), [(46 * 3600, True, ""), (48 * 3600, True, "too_old"), (48 * 3600, False, "")]
)
def test_once_event_that_tiktok_no_longer_drops_gets_a_server_copy_alone(age_s: int, once: bool, reason: str) -> None:
    tracker = tracker_of(runtime_of())
    event = tracker.track("Lead", once="A-1" if once else None, event_time=NOW - age_s)
    assert event.event_time == int(NOW) - age_s
    assert (event.channels.browser.reason, event.channels.server.reason) == (reason, "")


def test_an_event_may_have_happened_earlier() -> None:
    when = datetime.fromtimestamp(NOW - 60, tz=timezone.utc)
    assert tracker_of(runtime_of()).track("Lead", event_time=when).event_time == int(NOW) - 60


# -- mistakes

MISTAKES: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("event", ("",), {}),
    ("event", (None,), {}),
    ("event", ("Children's cancer",), {}),
    ("event", ("mail bob@example.com",), {}),
    ("event", ("成交",), {}),
]

#: Arguments beside the name; each is left out, and the event goes.
SECONDARY: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = [
    ("event_id", ("Contact",), {"event_id": ""}),
    ("event_id", ("Contact",), {"event_id": b"x"}),
    ("event_time", ("Contact",), {"event_time": "yesterday"}),
    ("event_time", ("Contact",), {"event_time": math.nan}),
    ("once", ("Contact",), {"once": ["A"]}),
    ("on_commit", ("Contact",), {"on_commit": True}),
    ("properties", ("Contact", ["a"]), {}),
    ("properties", ("Contact", "value=1"), {}),
    ("properties", ("Contact", 5), {}),
]


@pytest.mark.parametrize(("field", "args", "more"), MISTAKES)
def test_a_mistake_that_spoils_the_event_raises_in_strict_mode(
    field: str, args: tuple[Any, ...], more: dict[str, Any]
) -> None:
    with pytest.raises(EventError) as caught:
        tracker_of(runtime_of(strict=True)).track(*args, **more)
    assert caught.value.field.split(".")[0] == field
    assert "allowed:" in str(caught.value)


@pytest.mark.parametrize(("field", "args", "more"), MISTAKES)
def test_the_same_mistake_is_said_once_and_counted_in_production(
    field: str, args: tuple[Any, ...], more: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    runtime = runtime_of()
    tracker = tracker_of(runtime)
    for _ in range(3):
        event = tracker.track(*args, **more)
        assert (event.event_id, event.channels.browser.reason, event.channels.server.reason) == (
            "",
            "invalid",
            "invalid",
        )
    assert not tracker.state.pending
    assert counts(runtime) == {"invalid": 3}
    assert len(caplog.records) == 1
    assert field in caplog.text


@pytest.mark.parametrize(("field", "args", "more"), SECONDARY)
def test_a_bad_argument_costs_itself_and_not_the_event(
    field: str, args: tuple[Any, ...], more: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(EventError) as caught:
        tracker_of(runtime_of(strict=True)).track(*args, **more)
    assert caught.value.field == field
    runtime = runtime_of()
    tracker = tracker_of(runtime)
    for _ in range(3):
        event = tracker.track(*args, **more)
        assert (event.channels.browser.sends, event.channels.server.sends) == (True, True)
    assert counts(runtime) == {"invalid": 3, "tracked": 3}
    assert len(caplog.records) == 1
    assert field in caplog.text


def test_a_bad_property_costs_the_property_and_not_the_event(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(EventError, match=r"properties\.value"):
        tracker_of(runtime_of(strict=True)).track("Purchase", value="much")  # type: ignore[arg-type]
    runtime = runtime_of()
    tracker = tracker_of(runtime)
    event = tracker.track("Purchase", value="much", currency="EUR")  # type: ignore[arg-type]
    assert events(tracker) == [event]
    assert event.properties == {"currency": "EUR"}
    assert counts(runtime) == {"invalid": 1, "tracked": 1}
    assert "properties.value" in caplog.text
    assert "much" not in caplog.text


class Hostile:
    def __str__(self) -> str:
        raise RuntimeError("hostile")

    __repr__ = __hash__ = __eq__ = __bool__ = __len__ = __iter__ = __float__ = __int__ = __str__  # type: ignore[assignment]


class HostileMapping(dict[str, object]):
    def keys(self) -> Any:
        raise RuntimeError("hostile")

    items = __iter__ = __getitem__ = keys  # type: ignore[assignment]


garbage = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.decimals()
    | st.datetimes()
    | st.uuids()
    | st.builds(Hostile)
    | st.builds(HostileMapping)
    | st.builds(object)
)
deep = st.recursive(
    garbage, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(), inner, max_size=3)
)


@given(event=garbage, properties=deep, event_id=garbage, once=garbage, event_time=garbage)
def test_no_garbage_fails_a_view(event: Any, properties: Any, event_id: Any, once: Any, event_time: Any) -> None:
    tracker = tracker_of(runtime_of())
    assert isinstance(tracker.track(event, properties, event_id=event_id, once=once, event_time=event_time), Event)
    assert isinstance(tracker.track("Purchase", properties, value=event, contents=properties), Event)
    tracker.page(properties)


@settings(max_examples=examples(50))
@given(st.dictionaries(st.sampled_from(["email", "phone", "external_id", "first_name", "city", "other"]), deep))
def test_no_garbage_identity_fails_a_view(fields: Any) -> None:
    tracker_of(runtime_of()).identify(**fields)


@pytest.mark.swallows
def test_a_mistake_of_ours_fails_no_view(swallowed: list[BaseException]) -> None:
    def broken(_: int) -> bytes:
        raise OSError("no randomness")

    runtime = replace(runtime_of(), random_bytes=broken)
    assert tracker_of(runtime).track("Contact").channels.server.reason == "invalid"
    assert [str(error) for error in swallowed] == ["no randomness"]


# -- identity


def test_identity_is_hashed_at_once_and_the_newer_value_is_believed() -> None:
    tracker = tracker_of(runtime_of(strict=True))
    tracker.identify(email="Bob@Example.com", external_id=HASH)
    tracker.identify(email="alice@example.com", phone="+491701234567")
    user = tracker.state.identity.user()
    assert set(user) == {"email", "external_id", "phone"}
    assert user["external_id"] == HASH
    # printf 'alice@example.com' | sha256sum
    assert user["email"] == "ff8d9819fc0e12bf0d24892e45987e249a28dce836a85cad60e28eaaa8c6d976"
    assert "alice" not in repr(tracker.state.identity)


def test_an_identity_that_cannot_be_right_is_told_but_the_rest_is_kept(caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of()
    tracker = tracker_of(runtime)
    tracker.identify(email="nobody", external_id=HASH)
    assert set(tracker.state.identity.user()) == {"external_id"}
    assert counts(runtime) == {"invalid": 1}
    assert "identify.email" in caplog.text
    assert "nobody" not in caplog.text
    with pytest.raises(EventError, match=r"identify\.email"):
        tracker_of(runtime_of(strict=True)).identify(email="nobody")


def test_a_national_phone_number_is_read_in_the_configured_region() -> None:
    tracker = tracker_of(runtime_of(strict=True, phone_region="DE"))
    tracker.identify(phone="0170 1234567")
    same = tracker_of(runtime_of(strict=True))
    same.identify(phone="+49 170 1234567")
    assert tracker.state.identity == same.state.identity


# -- the rest


def test_a_failed_request_keeps_only_what_was_to_be_kept() -> None:
    tracker = tracker_of(runtime_of())
    tracker.track("Purchase", value=1, currency="EUR")
    kept = tracker.track("Contact", keep=True)
    assert tracker.state.discard() == 1
    assert events(tracker) == [kept]


def test_what_is_tracked_after_the_response_goes_where_late_events_go() -> None:
    tracker = tracker_of(runtime_of())
    late: list[TrackedEvent] = []
    tracker.state.late = lambda _, pending: late.append(pending)
    event = tracker.track("Contact")
    assert [pending.event for pending in late] == [event]
    assert not tracker.state.pending


def test_a_page_view_is_tracked_by_the_pixels_own_name() -> None:
    tracker = tracker_of(runtime_of())
    assert tracker.state.has_page_view is False
    assert tracker.page(description="home").event == "Pageview"
    assert tracker.state.has_page_view is True


def test_the_apps_word_on_the_audience_is_kept() -> None:
    tracker = tracker_of(runtime_of())
    assert tracker.state.shared_word is None
    tracker.shared()
    assert tracker.state.shared_word is True
    tracker.shared(False)
    assert tracker.state.shared_word is False


def test_garbage_of_the_visitors_is_counted_once_a_request() -> None:
    runtime = runtime_of()
    tracker = tracker_of(runtime, "/?ttclid=%3Cscript%3E")
    assert tracker.visitor is tracker.visitor
    assert counts(runtime) == {"ignored_value": 1}


def test_the_raw_request_holds_the_tracker_or_says_what_is_missing() -> None:
    tracker = tracker_of(runtime_of())
    assert tracker_in({KEY: tracker}) is tracker
    with pytest.raises(LookupError, match="put TikTokMiddleware around the app"):
        tracker_in({})


def test_exact_amounts_stay_exact() -> None:
    event = tracker_of(runtime_of(strict=True)).track("Purchase", value=Decimal("59.90"), currency="EUR")
    assert event.properties["value"] == 59.9


def test_an_untouched_tracker_costs_nothing() -> None:
    runtime: Runtime = runtime_of()
    tracker = Tracker(RequestState(scope_request(), runtime))
    assert tracker.state._consent is None
    assert tracker.state._visitor is None
    assert not tracker.state.identity
