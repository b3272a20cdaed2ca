"""What the Events API refuses, and with which path: each line is a rule of TikTok's protocol."""

from __future__ import annotations

import copy
import hashlib
from typing import Any

import pytest

from tiktok_middleware.core.events.event_catalogue import ITEM_KINDS, PROPERTY_KINDS, USER_KEYS
from tiktok_middleware.core.events.parameter_rules import ITEM_RULES, RULES
from tiktok_middleware.core.events.sources import SOURCES
from tiktok_middleware.sandbox.check import check_item, check_name, check_root
from tiktok_middleware.sandbox.check_properties import CONTENT, PROPERTIES
from tiktok_middleware.sandbox.check_user import USER

NOW = 1_760_000_000
HASH = hashlib.sha256(b"user_123").hexdigest()
EMPTY = hashlib.sha256(b"").hexdigest()

ITEM: dict[str, Any] = {
    "event": "Purchase",
    "event_time": NOW,
    "event_id": "evt-0001",
    "user": {
        "email": HASH,
        "phone": [HASH, HASH],
        "external_id": HASH,
        "ttclid": "E.C.P.example",
        "ttp": "01JEXAMPLEEXAMPLEEXAMPLE00_.tt.1",
        "ip": "8.8.8.8",
        "user_agent": "Mozilla/5.0",
        "locale": "en-US",
    },
    "page": {"url": "https://shop.example/thanks?ttclid=E.C.P.example", "referrer": "https://shop.example/cart"},
    "properties": {
        "currency": "EUR",
        "value": 20.0,
        "content_type": "product",
        "content_ids": ["SKU-1"],
        "num_items": 2,
        "contents": [{"content_id": "SKU-1", "content_name": "Mug", "price": 10.0, "quantity": 2}],
        "order_id": "1001",
    },
    "limited_data_use": False,
}
GONE = object()


def changed(path: str, value: Any) -> dict[str, Any]:
    """The golden item with one field replaced, added or taken away."""
    item = copy.deepcopy(ITEM)
    place: Any = item
    *steps, last = path.split(".")
    for step in steps:
        place = place[int(step) if step.isdecimal() else step]
    if value is GONE:
        del place[last]
    else:
        place[last] = value
    return item


def refused(item: Any, source: str = "web") -> list[str]:
    return [one.path for one in check_item(item, source=source, now=NOW) if one.refuses]


def warned(item: Any, source: str = "web") -> list[str]:
    return [one.path for one in check_item(item, source=source, now=NOW) if not one.refuses]


def test_the_golden_body_passes_without_a_remark() -> None:
    assert list(check_item(ITEM, source="web", now=NOW)) == []


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("event", GONE),
        ("event", ""),
        ("event", 7),
        ("event", "1stEvent"),
        ("event", "Has space"),
        ("event", "x" * 51),
        ("event_time", GONE),
        ("event_time", str(NOW)),
        ("event_time", float(NOW)),
        ("event_time", True),
        ("event_time", NOW * 1000),
        ("event_time", NOW + 3600),
        ("event_time", NOW - 29 * 86_400),
        ("event_id", 12),
        ("event_id", ""),
        ("limited_data_use", 1),
        ("limited_data_use", "false"),
        ("user", []),
        ("user", None),
        ("user.email", "alice@example.com"),
        ("user.email", HASH.upper()),
        ("user.email", HASH[:-1]),
        ("user.email", EMPTY),
        ("user.email", ""),
        ("user.email", []),
        ("user.phone", "+12133734253"),
        ("user.external_id", "user_123"),
        ("user.first_name", "alice"),
        ("user.last_name", EMPTY),
        ("user.zip_code", "10115"),
        ("user.ttclid", "x" * 1001),
        ("user.ttclid", "with space"),
        ("user.ttp", "short"),
        ("user.ip", "8.8.8.8:443"),
        ("user.ip", "300.1.1.1"),
        ("user.ip", 134744072),
        ("user.user_agent", ""),
        ("user.locale", "english please"),
        ("page.url", GONE),
        ("page.url", "/thanks"),
        ("page.url", "ftp://shop.example/"),
        ("page.url", "https://"),
        ("page.url", 5),
        ("page.referrer", "cart"),
        ("properties", []),
        ("properties.value", "20.00"),
        ("properties.value", True),
        ("properties.currency", "eur"),
        ("properties.currency", "Euro"),
        ("properties.content_type", "thing"),
        ("properties.content_ids", "SKU-1"),
        ("properties.num_items", 1.5),
        ("properties.order_id", 1001),
        ("properties.customer_type", "old"),
        ("properties.contents", {}),
        ("properties.contents", []),
        ("properties.contents.0.content_id", 17),
        ("properties.contents.0.price", "10"),
        ("properties.contents.0.quantity", "2"),
        ("ad", 1),
    ],
)
def test_a_field_that_tiktok_does_not_take_is_refused_by_its_path(path: str, value: Any) -> None:
    assert refused(changed(path, value)) == [path]


@pytest.mark.parametrize(
    ("path", "value", "named"),
    [
        ("user.email", [HASH, "alice@example.com"], "user.email.1"),
        ("user.phone", [HASH, EMPTY], "user.phone.1"),
        ("properties.content_ids", ["SKU-1", 2], "properties.content_ids.1"),
        ("properties.contents", ["SKU-1"], "properties.contents.0"),
        ("ad", {"attribution_share": 1.5}, "ad.attribution_share"),
    ],
)
def test_a_refusal_inside_a_list_or_object_names_the_inner_path(path: str, value: Any, named: str) -> None:
    assert refused(changed(path, value)) == [named]


@pytest.mark.parametrize(
    ("path", "value", "warned_at"),
    [
        ("event", "CompletePayment", "event"),
        ("event", "purchase", "event"),
        ("event_id", GONE, "event_id"),
        ("page", GONE, "page.url"),
        ("page", None, "page.url"),
        ("user.phone_number", HASH, "user.phone_number"),
        ("user._ttp", "x", "user._ttp"),
        ("user.ip", GONE, "user.ip"),
        ("user.ip", "10.0.0.1", "user.ip"),
        ("user.user_agent", GONE, "user.user_agent"),
        ("user.city", HASH, "user.city"),
        ("user.city", "Berlin", "user.city"),
        ("page.url", "https://shop.example/?mail=a@b.example", "page.url"),
        ("page.url", "https://shop.example/?mail=a%40b.example", "page.url"),
        ("properties.currency", "BGN", "properties.currency"),
        ("properties.currency", GONE, "properties.currency"),
        ("properties.value", -1, "properties.value"),
        ("properties.content_id", "SKU-1", "properties.content_id"),
        ("properties.contents.0.colour", "red", "properties.contents.0.colour"),
        ("properties.contents.0.quantity", 0, "properties.contents.0.quantity"),
        ("test_event_code", "TEST1", "test_event_code"),
    ],
)
def test_what_tiktok_swallows_in_silence_passes_with_a_warning(path: str, value: Any, warned_at: str) -> None:
    item = changed(path, value)
    assert refused(item) == []
    assert warned(item) == [warned_at]


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("event", "Pageview"),
        ("event", "My-Own_event2"),
        ("event_time", NOW - 27 * 86_400),
        ("user.ip", "2001:4860:4860::8888"),
        ("user.ip", "127.0.0.1"),
        ("properties", {}),
        ("properties.coupon", {"code": "X"}),
        ("properties.value", 20),
        ("user.locale", "en_US"),
    ],
)
def test_what_tiktok_takes_passes(path: str, value: Any) -> None:
    assert list(check_item(changed(path, value), source="web", now=NOW)) == []


def test_an_unknown_user_key_is_told_what_was_meant() -> None:
    (found,) = check_item(changed("user.phone_number", HASH), source="web", now=NOW)
    assert "'phone'" in found.reason


def test_no_message_holds_the_value() -> None:
    for path in ("user.email", "user.phone", "user.first_name", "user.ttp", "user.ip", "page.url"):
        for found in check_item(changed(path, "alice@example.com"), source="web", now=NOW):
            assert "alice" not in found.reason


@pytest.mark.parametrize("item", [None, [], "Purchase", 1])
def test_an_item_that_is_no_object_is_refused(item: Any) -> None:
    assert refused(item) == [""]


def test_other_sources_have_their_own_rules() -> None:
    bare = {"event": "Purchase", "event_time": NOW - 40 * 86_400, "event_id": "1", "user": {"email": HASH}}
    assert refused(bare, "offline") == []
    assert refused({**bare, "event": "MyOwn"}, "offline") == ["event"]
    assert refused({**bare, "user": {}}, "crm") == ["lead.lead_id"]
    assert (refused(bare, "crm"), warned(bare, "crm")) == ([], ["event_time", "lead.lead_id"])
    assert refused({**bare, "lead": {"lead_id": 5}}, "crm") == ["lead.lead_id"]
    assert refused({**bare, "lead": {"lead_id": "1", "lead_event_source": 5}}, "crm") == ["lead.lead_event_source"]
    assert refused({**bare, "lead": {"lead_id": "L-1"}}, "crm") == []
    assert refused(bare, "app") == ["event_time", "app.app_id"]


@pytest.mark.parametrize("name", ["Purchase", "Lead", "PlaceAnOrder", "ClickButton"])
def test_an_offline_event_set_takes_standard_events_and_two_that_end_in_2027(name: str) -> None:
    assert list(check_name("event", name, source="offline")) == []


@pytest.mark.parametrize("name", ["PlaceAnOrder", "ClickButton"])
def test_on_the_web_those_two_are_a_remark(name: str) -> None:
    assert [problem.refuses for problem in check_name("event", name)] == [False]


@pytest.mark.parametrize("name", ["Qualifizierter Lead", "成交", "Сделка закрыта", "Lead", "3. Angebot", "x" * 100])
def test_a_crm_event_set_takes_names_of_any_script(name: str) -> None:
    assert list(check_name("event", name, source="crm")) == []
    assert [problem.refuses for problem in check_name("event", name, source="crm")] == []


@pytest.mark.parametrize("name", ["", "x" * 101, "a\nb", 5])
def test_a_crm_name_has_a_length_and_no_control_characters(name: Any) -> None:
    assert [problem.refuses for problem in check_name("event", name, source="crm")] == [True]


@pytest.mark.parametrize("quantity", [1, 2, 500])
def test_a_quantity_is_an_integer(quantity: int) -> None:
    assert refused(changed("properties.contents.0.quantity", quantity)) == []
    for other in (float(quantity), str(quantity), True, quantity + 0.5):
        path = "properties.contents.0.quantity"
        assert refused(changed(path, other)) == [path]


@pytest.mark.parametrize(
    ("key", "source"), [("ttclid", "offline"), ("ip", "crm"), ("external_id", "offline"), ("idfa", "web")]
)
def test_a_user_key_that_another_source_reads_is_a_remark(key: str, source: str) -> None:
    user = {key: "8.8.8.8" if key == "ip" else HASH, "email": HASH}
    item = {"event": "Purchase", "event_time": NOW, "event_id": "1", "user": user, "lead": {"lead_id": "1"}}
    assert f"user.{key}" in warned(item, source)


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"event_source": GONE}, "event_source"),
        ({"event_source": "website"}, "event_source"),
        ({"event_source_id": GONE}, "event_source_id"),
        ({"event_source_id": 5}, "event_source_id"),
        ({"event_source_id": ""}, "event_source_id"),
        ({"data": GONE}, "data"),
        ({"data": {}}, "data"),
        ({"data": []}, "data"),
        ({"data": [{}] * 1001}, "data"),
        ({"test_event_code": ""}, "test_event_code"),
        ({"partner_name": 3}, "partner_name"),
    ],
)
def test_the_root_is_checked(change: dict[str, Any], path: str) -> None:
    body = {"event_source": "web", "event_source_id": "C0000000000000000000", "data": [ITEM], **change}
    body = {key: value for key, value in body.items() if value is not GONE}
    assert [one.path for one in check_root(body) if one.refuses] == [path]


def test_a_thousand_events_are_as_many_as_it_takes() -> None:
    body = {"event_source": "web", "event_source_id": "C0000000000000000000", "data": [ITEM] * 1000}
    assert list(check_root(body)) == []


def test_odd_roots_are_warned_of_or_refused() -> None:
    assert [one.path for one in check_root([]) if one.refuses] == ["body"]
    body = {"event_source": "web", "event_source_id": "short", "data": [ITEM], "pixel_code": "x"}
    assert [(one.path, one.refuses) for one in check_root(body)] == [("pixel_code", False), ("event_source_id", False)]


def test_a_name_is_told_its_current_form() -> None:
    (found,) = check_name("event", "SubmitForm")
    assert "Lead" in found.reason
    assert not found.refuses


def test_validator_and_sandbox_have_one_table() -> None:
    anything = {name for name, kind in PROPERTY_KINDS.items() if kind == "any"}
    assert set(PROPERTY_KINDS) == set(RULES) | {"contents"} == set(PROPERTIES) | anything
    assert set(ITEM_KINDS) == set(ITEM_RULES) == set(CONTENT)
    assert set(USER_KEYS) == set(USER)
    for name, source in SOURCES.items():
        assert source.user_keys == {key for key, sources in USER_KEYS.items() if name in sources}
