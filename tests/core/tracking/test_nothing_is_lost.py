"""No conversion is lost by an argument beside its name, whatever Python value stands there."""

from __future__ import annotations

import datetime as dt
import json
import math
import uuid
from collections import UserDict
from collections.abc import Iterator, Mapping
from decimal import Decimal
from enum import Enum
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.core.core_world import NOW, runtime_of, scope_request
from tests.strategies import examples
from tiktok_middleware.core.events.event import Event
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.server_event import make_entry
from tiktok_middleware.core.tracking.server_tracker import Context, server_tracker
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.sandbox.check import check_item


class Raises:
    """An object that breaks at every touch."""

    def _raise(self, *_: object) -> Any:
        raise RuntimeError("theirs")

    __bool__ = __str__ = __repr__ = __iter__ = __len__ = __float__ = __index__ = __getitem__ = __eq__ = _raise
    __hash__ = object.__hash__

    @property  # type: ignore[misc]  # as lazy objects do
    def __class__(self) -> Any:
        raise RuntimeError("theirs")


class BrokenMapping(Mapping[str, object]):
    def __getitem__(self, key: str) -> object:
        raise RuntimeError("theirs")

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("theirs")

    def __len__(self) -> int:
        return 1


class Array:
    """A numpy array: it has no single truth."""

    def __bool__(self) -> bool:
        raise ValueError("ambiguous")

    def __len__(self) -> int:
        return 2

    def __iter__(self) -> Iterator[int]:
        return iter((1, 2))


class Color(Enum):
    RED = "red"
    NONE = None


def odd_values() -> list[Any]:
    """Values that no caller should give, made anew: some of them are used up."""
    return [
        *(None, True, False, 0, -1, 1, 2**63, 10**400, 0.0, 1.5, math.nan, math.inf, -math.inf, 1j),
        *(Decimal("59.90"), Decimal("NaN"), Decimal("sNaN"), Decimal("1e999"), Fraction(1, 3)),
        *(
            "",
            " ",
            "null",
            "undefined",
            "None",
            "NaN",
            "0",
            "guest",
            "{{x}}",
            "__CLICKID__",
            "${x}",
            "2026/1001",
            "x" * 5000,
        ),
        *(
            "\x00",
            "\ud800",
            "a\nb",
            "ü",
            "成交",
            "bob@example.com",
            "+4915112345678",
            "<script>",
            "%00",
            "EUR",
            "2026-11-30",
        ),
        *(b"", b"bytes", bytearray(b"x"), memoryview(b"x")),
        *([], ["a"], [None], (), ("a", 1), set(), frozenset({1}), {}, {"a": 1}, {1: 2}, {"": ""}, UserDict(a=1)),
        *(range(3), iter(()), (n for n in range(3)), lambda: 1, print, object(), object, Exception("x"), ...),
        *(
            dt.datetime(2025, 10, 9),  # noqa: DTZ001 -- naive on purpose
            dt.datetime.max,  # noqa: DTZ901 -- the same
            dt.datetime.min,  # noqa: DTZ901 -- the same
            dt.date(2025, 10, 9),
            dt.time(8),
            dt.timedelta(1),
        ),
        *(uuid.UUID(int=5), Color.RED, Color.NONE, Color, Raises(), BrokenMapping(), Array()),
    ]


COUNT = len(odd_values())
odd = st.integers(0, COUNT - 1).map(lambda index: odd_values()[index])
anything = odd | st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary() | st.decimals() | st.uuids()
    | st.datetimes(timezones=st.none() | st.timezones()) | st.dates() | st.times(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=3),
    max_leaves=5,
)  # fmt: skip

PROPERTIES = [
    *(
        "value",
        "currency",
        "contents",
        "content_type",
        "content_ids",
        "num_items",
        "query",
        "search_string",
        "order_id",
    ),
    *(
        "description",
        "shop_id",
        "customer_type",
        "content_id",
        "content_name",
        "price",
        "quantity",
        "items",
        "products",
    ),
    *("transaction_id", "search_term", "item_id", "mileage", "email", "event_id", "mine", "limited_data_use"),
]
ARGUMENTS = ["event_id", "once", "event_time", "keep", "on_commit", "limited_data_use", "browser", "once_per"]
CONTEXT = list(Context._fields)
IDENTITY = [
    *("email", "phone", "external_id", "first_name", "last_name", "city", "state", "country", "zip_code"),
    *("phone_number", "mine"),
]


def arrived(tracker: Tracker, event: Event, source: str = "web") -> dict[str, Any]:
    """The server's copy, as the sandbox takes it."""
    assert event.channels.server.sends, event.channels.server.reason
    pending = [tracked for tracked in tracker.state.pending if tracked.event is event]
    assert len(pending) == 1
    (record,) = make_entry(event, tracker.state, browser=False, server=True).records
    item: dict[str, Any] = json.loads(record.body)
    refusals = [problem for problem in check_item(item, source=source, now=NOW) if problem.refuses]
    assert refusals == []
    return item


RUNTIME, SETS_RUNTIME = runtime_of(), runtime_of(offline_id="7000000000000000001", crm_id="7000000000000000002")


def tracker() -> Tracker:
    return Tracker(RequestState(scope_request("/thanks", {"user-agent": "Mozilla/5.0"}), RUNTIME))


@pytest.mark.parametrize("argument", [*ARGUMENTS, "properties"])
def test_an_odd_argument_of_track_costs_itself(argument: str) -> None:
    for value in odd_values():
        here = tracker()
        if argument == "properties":
            event = here.track("Purchase", value, value=5, currency="EUR")
        else:
            event = here.track("Purchase", value=5, currency="EUR", **{argument: value})
        item = arrived(here, event)
        assert (item["event"], item["properties"]) == (
            "Purchase",
            {**item["properties"], "value": 5, "currency": "EUR"},
        )
        assert abs(item["event_time"] - NOW) <= 7 * 86_400
        assert item["event_id"] == event.event_id


def test_an_odd_name_raises_nothing_and_what_can_be_read_is_sent() -> None:
    for value in odd_values():
        here = tracker()
        event = here.track(value, value=5, currency="EUR")
        assert event.channels.server.sends or event.channels.server.reason == "invalid"
        if event.channels.server.sends:
            arrived(here, event)


@pytest.mark.parametrize("key", PROPERTIES)
def test_an_odd_parameter_costs_itself(key: str) -> None:
    for value in odd_values():
        here = tracker()
        item = arrived(here, here.track("AddToCart", {"description": "kept", key: value}))
        assert item["event"] == "AddToCart"
        assert key == "description" or item["properties"]["description"] == "kept"


@pytest.mark.parametrize("field", IDENTITY)
def test_an_odd_identity_costs_itself(field: str) -> None:
    for value in odd_values():
        here = tracker()
        here.identify(external_id="u-7")
        here.identify(**{field: value})
        assert arrived(here, here.track("Contact"))["user"]["external_id"]


@pytest.mark.parametrize("field", ["source", *CONTEXT])
def test_an_odd_argument_of_a_servers_tracker_costs_itself(field: str) -> None:
    for value in odd_values():
        given = {} if field == "source" else {field: value}
        source: Any = value if field == "source" else "web"
        here = server_tracker(SETS_RUNTIME, None, source=source, consent=True, context=Context(**given))
        here.identify(email="ada@example.com")
        item = arrived(here, here.track("Purchase", value=5, currency="EUR"))
        assert item["properties"]["value"] == 5


def test_an_odd_snapshot_costs_itself_where_the_caller_vouches() -> None:
    for value in odd_values():
        here = server_tracker(SETS_RUNTIME, value, consent=True)
        here.identify(email="ada@example.com")
        arrived(here, here.track("Purchase", value=5, currency="EUR"))


def test_an_odd_consent_raises_nothing() -> None:
    for value in odd_values():
        event = server_tracker(SETS_RUNTIME, None, consent=value).track("Purchase", value=5, currency="EUR")
        assert event.channels.server.reason in {"", "denied", "consent_unknown"}


@settings(max_examples=examples(200), deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    arguments=st.dictionaries(st.sampled_from(ARGUMENTS), anything, max_size=4),
    properties=st.dictionaries(st.sampled_from(PROPERTIES), anything, max_size=6) | anything,
    identity=st.dictionaries(st.sampled_from(IDENTITY), anything, max_size=4),
    context=st.dictionaries(st.sampled_from(CONTEXT), anything, max_size=4),
    source=st.sampled_from(["web", "offline", "crm"]) | anything,
)
def test_whatever_is_given_the_conversion_goes_from_views_and_servers(
    arguments: dict[str, Any], properties: Any, identity: dict[str, Any], context: dict[str, Any], source: Any
) -> None:
    servers = server_tracker(SETS_RUNTIME, None, source=source, consent=True, context=Context(**context))
    for here in (tracker(), servers):
        here.identify(**identity)
        here.identify(email="ada@example.com")
        event = here.track("purchase", properties, **arguments)
        arrived(here, event, here.state.source.name)
