"""What goes over the wire, byte for byte, and what each answer of TikTok's means."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware.core.events.event import Channel, Channels, Event
from tiktok_middleware.core.events_api.answers import (
    MAX_RETRY_AFTER_S,
    Delivered,
    Halted,
    Rejected,
    Retry,
    Verdict,
    read_answer,
)
from tiktok_middleware.core.events_api.requests import encode_item, encode_request

CHANNELS = Channels(Channel(sends=True), Channel(sends=True))
PURCHASE = Event(
    event="Purchase",
    event_id="evt-0001",
    event_time=1760000000,
    properties={"currency": "EUR", "value": 20.0, "contents": [{"content_id": "SKU-1", "price": 10.0, "quantity": 2}]},
    channels=CHANNELS,
)
NOW = 1_760_000_000.0


def test_an_item_is_encoded_in_tiktoks_words_and_a_stable_order() -> None:
    body = encode_item(
        PURCHASE,
        user={"email": "848a", "ttclid": "E.C.P.x", "ip": "203.0.113.1", "user_agent": "Mozilla/5.0"},
        page={"url": "https://shop.example/thanks", "referrer": "https://shop.example/cart"},
        limited_data_use=False,
    )
    assert body == (
        b'{"event":"Purchase","event_time":1760000000,"event_id":"evt-0001",'
        b'"user":{"email":"848a","ttclid":"E.C.P.x","ip":"203.0.113.1","user_agent":"Mozilla/5.0"},'
        b'"page":{"url":"https://shop.example/thanks","referrer":"https://shop.example/cart"},'
        b'"properties":{"currency":"EUR","value":20.0,'
        b'"contents":[{"content_id":"SKU-1","price":10.0,"quantity":2}]},'
        b'"limited_data_use":false}'
    )


def test_nothing_empty_is_said_of_the_visitor_or_the_page() -> None:
    body = encode_item(
        PURCHASE,
        user={"email": "", "phone": None, "external_id": [], "ttp": ["", "a", None], "ip": "203.0.113.1"},
        page={"url": "https://shop.example/", "referrer": ""},
        limited_data_use=True,
    )
    item = json.loads(body)
    assert item["user"] == {"ttp": ["a"], "ip": "203.0.113.1"}
    assert item["page"] == {"url": "https://shop.example/"}
    assert item["limited_data_use"] is True


def test_a_list_of_nothing_is_nothing() -> None:
    body = encode_item(PURCHASE, user={"email": ["", None], "phone": ()}, page=None, limited_data_use=False)
    assert json.loads(body)["user"] == {}


def test_a_source_without_pages_sends_none() -> None:
    assert "page" not in json.loads(encode_item(PURCHASE, user={}, page=None, limited_data_use=False))


def test_a_request_joins_items_as_they_are() -> None:
    items = [b'{"event_id":"a"}', b'{"event_id" : "b" }']
    assert encode_request("C1", "web", items, None) == (
        b'{"event_source":"web","event_source_id":"C1","data":[{"event_id":"a"},{"event_id" : "b" }]}'
    )


def test_the_test_code_stands_at_the_root() -> None:
    request = json.loads(encode_request('C"1', "crm", [b"{}"], "TEST123"))
    assert request == {"event_source": "crm", "event_source_id": 'C"1', "test_event_code": "TEST123", "data": [{}]}


ANSWERS: list[tuple[int, str, type[Verdict]]] = [
    (200, '{"code":0,"message":"OK","request_id":"r","data":{}}', Delivered),
    (200, '{"code":"0","message":null}', Delivered),
    (500, '{"code":0}', Delivered),
    (200, '{"code":20001,"message":"partial"}', Delivered),
    (200, '{"code":40001,"message":"No permission to operate pixel code"}', Halted),
    (200, '{"code":40002,"message":"Batch.0.properties: bad"}', Rejected),
    (200, '{"code":40003,"message":"?"}', Rejected),
    (200, '{"code":40016,"message":"slow down"}', Retry),
    (401, '{"code":40100,"message":"rate"}', Retry),
    (200, '{"code":40100,"message":"rate"}', Retry),
    (200, '{"code":40133,"message":"rate"}', Retry),
    (200, '{"code":40101}', Halted),
    (200, '{"code":40104}', Halted),
    (401, '{"code":40105,"message":"Access token is incorrect"}', Halted),
    (200, '{"code":40110}', Halted),
    (200, '{"code":40199}', Retry),
    (200, '{"code":40201}', Retry),
    (200, '{"code":40700}', Retry),
    (200, '{"code":50000}', Retry),
    (200, '{"code":50002}', Retry),
    (200, '{"code":51234}', Retry),
    (200, '{"code":-1}', Retry),
    (200, "", Retry),
    (200, "<html>please log in</html>", Retry),
    (200, "{}", Retry),
    (200, '{"code":null}', Retry),
    (302, "", Retry),
    (400, "", Rejected),
    (401, "", Retry),
    (403, "<html>", Retry),
    (404, "", Halted),
    (405, "", Halted),
    (408, "", Retry),
    (410, "", Halted),
    (413, "", Rejected),
    (422, "", Rejected),
    (429, "", Retry),
    (500, "", Retry),
    (502, "<html>nginx</html>", Retry),
    (503, "", Retry),
]


@pytest.mark.parametrize(("status", "body", "verdict"), ANSWERS)
def test_the_code_decides_and_only_without_one_the_status(status: int, body: str, verdict: type[Verdict]) -> None:
    assert type(read_answer(status, body.encode(), None)) is verdict


def test_a_verdict_tells_what_tiktok_said_and_under_which_number() -> None:
    body = b'{"code":40002,"message":"Batch.3.properties: Not a valid string","request_id":"2026abc"}'
    assert read_answer(200, body, None) == Rejected(
        "40002 Batch.3.properties: Not a valid string (request 2026abc)",
    )
    assert read_answer(200, b'{"code":20001,"message":"partial"}', None) == Delivered("20001 partial")
    assert read_answer(502, b"<html>", None) == Retry(None, "HTTP 502 without a TikTok code")


def test_a_reason_is_bounded() -> None:
    body = json.dumps({"code": 40002, "message": "x" * 100_000, "request_id": "y" * 100_000}).encode()
    verdict = read_answer(200, body, None)
    assert isinstance(verdict, Rejected)
    assert len(verdict.reason) < 1000


@pytest.mark.parametrize(
    ("header", "after_s"),
    [
        (None, None),
        ("", None),
        ("0", 0.0),
        ("7", 7.0),
        (" 12 ", 12.0),
        ("999999", MAX_RETRY_AFTER_S),
        ("9" * 500, MAX_RETRY_AFTER_S),
        ("-5", None),
        ("soon", None),
        ("Thu, 09 Oct 2025 08:53:50 GMT", 30.0),
        ("Thu, 09 Oct 2025 08:00:00 GMT", 0.0),
        ("Fri, 09 Oct 2026 08:00:00 GMT", MAX_RETRY_AFTER_S),
    ],
)
def test_retry_after_is_read_in_both_forms_and_bounded(header: str | None, after_s: float | None) -> None:
    assert read_answer(503, b"", header, NOW) == Retry(after_s, "HTTP 503 without a TikTok code")


def test_a_date_says_nothing_without_a_clock() -> None:
    assert read_answer(503, b"", "Thu, 09 Oct 2025 08:53:50 GMT") == Retry(None, "HTTP 503 without a TikTok code")


@given(st.integers(100, 599), st.binary(max_size=200), st.none() | st.text(max_size=40))
def test_any_answer_has_a_verdict(status: int, body: bytes, retry_after: str | None) -> None:
    verdict = read_answer(status, body, retry_after, NOW)
    assert isinstance(verdict, (Delivered, Retry, Rejected, Halted))


@given(st.integers(-(2**70), 2**70), st.integers(100, 599))
def test_any_code_has_a_verdict_that_the_status_does_not_change(code: int, status: int) -> None:
    body = b'{"code":%d,"message":"m"}' % code
    if abs(code) < 2**53:
        assert read_answer(status, body, None) == read_answer(200, body, None)
    else:
        read_answer(status, body, None)
