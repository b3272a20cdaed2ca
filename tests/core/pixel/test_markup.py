"""An app's own markup holds an event that whoever gets it confirms, and no value can break out of the attribute."""

from __future__ import annotations

import json
import re
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import NOW, counts, runtime_of, tracker_of
from tiktok_middleware.core.pixel.signed_event import open_signed_event
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.visitor.user_data import Identity
from tiktok_middleware.errors import EventError, TokenError


class Elements(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def parsed(markup: str) -> dict[str, Any]:
    """The attributes, as a browser reads them."""
    elements = Elements()
    elements.feed(f"<div {markup}>x</div>")
    [(tag, attributes)] = elements.found
    assert tag == "div"
    return dict(attributes)


def entry(runtime: Runtime, markup: str) -> list[Any]:
    found: list[Any] = json.loads(parsed(markup)["data-tiktok-envelope"])
    return found


@pytest.mark.parametrize("moment", ["load", "click", "submit"])
def test_markup_holds_a_template(moment: str) -> None:
    runtime = runtime_of()
    tracker = tracker_of(runtime, "/p")
    tracker.identify(email="bob@example.com")
    markup = tracker.markup("ViewContent", {"value": 5}, on=moment, currency="EUR")
    assert parsed(markup)["data-tiktok-on"] == moment
    name, properties, event_id, token = entry(runtime, markup)
    assert (name, properties, event_id) == ("ViewContent", {"value": 5, "currency": "EUR"}, "")
    signed_event = open_signed_event(token, runtime.signer, runtime.pixels, NOW)
    assert (signed_event.is_template, signed_event.path, signed_event.identity) == (True, "/p", Identity())
    assert markup.__html__() == markup  # type: ignore[attr-defined]  # what template engines ask for
    assert not tracker.state.pending


def test_it_is_good_as_long_as_a_cache_keeps_it_and_a_day() -> None:
    runtime = runtime_of()
    token = entry(runtime, tracker_of(runtime).markup("Contact", cached_s=60))[3]
    open_signed_event(token, runtime.signer, runtime.pixels, NOW + 60 + 86_400)
    with pytest.raises(TokenError, match="expired"):
        open_signed_event(token, runtime.signer, runtime.pixels, NOW + 61 + 86_400)


@given(st.text(max_size=60))
def test_no_value_ends_the_attribute(text: str) -> None:
    runtime = runtime_of()
    markup = tracker_of(runtime).markup("Search", search_string=f"\"'><script>&quot;{text}")
    assert set(parsed(markup)) == {"data-tiktok-on", "data-tiktok-envelope"}
    assert markup.isascii()
    assert entry(runtime, markup)[0] == "Search"


HOSTILE = {
    "quotes": "\"'`",
    "end of a script": "</script><script>alert(1)</script>",
    "end of a comment": "--><!-- ]]>",
    "entities": "&quot;&lt;&#34;&amp;",
    "NUL": "a\0b",
    "control characters": "\x1b[31m\x07\r\n\tz",
    "line separators": "a\u2028b\u2029c\x85z",
    "direction": "\u202eabc\ufeff",
    "astral": "\U0001f600",
    "backslashes": '\\"\\u0022\\',
    "template": "{{7*7}}{% x %}${1}<%= 1 %>",
    "address": "javascript:alert(1)",
    "10 KB": "x" * 10_240,
    "10 KB of quotes": '"' * 10_240,
}


@pytest.mark.parametrize("field", ["description", "content_name"])
@pytest.mark.parametrize("text", [pytest.param(text, id=name) for name, text in HOSTILE.items()])
def test_hostile_value_stays_in_the_attribute_and_arrives_as_it_is(text: str, field: str) -> None:
    runtime = runtime_of()
    markup = tracker_of(runtime).markup("ViewContent", {field: text, "value": 5, "currency": "EUR"})
    assert set(parsed(markup)) == {"data-tiktok-on", "data-tiktok-envelope"}
    assert markup.isascii()
    assert not set(markup) & set("<>\n\r\0")
    name, properties, _, token = entry(runtime, markup)
    signed_event = open_signed_event(token, runtime.signer, runtime.pixels, NOW)
    assert (name, signed_event.event, properties["value"]) == ("ViewContent", "ViewContent", 5)
    kept = properties["contents"][0][field] if field == "content_name" else properties[field]
    assert kept == text[: len(kept)]
    assert len(kept) == len(text) or len(kept) >= 100


@pytest.mark.parametrize("event", ["</script>", 'Evil"Event', "x" * 60, "Contact\0", "Ünï"])
def test_hostile_name_is_made_a_name_and_the_event_stays(event: str) -> None:
    runtime = runtime_of()
    markup = tracker_of(runtime).markup(event)
    assert re.fullmatch(r"[A-Za-z][\w-]{0,49}", entry(runtime, markup)[0])


@pytest.mark.parametrize("moment", ["hover", "LOAD", "", "load click", None, 5, 'click" onclick="x'])
def test_unknown_moment_is_named_and_no_attribute_is_made(moment: Any, caplog: pytest.LogCaptureFixture) -> None:
    assert tracker_of(runtime_of()).markup("Contact", on=moment) == ""
    assert "on is another word; allowed: load, click, submit" in caplog.text


@pytest.mark.parametrize(
    ("given", "life_s", "is_named"),
    [
        (60, 60, False),
        (0, 0, False),
        (-1, 0, False),
        (1.5, 1, False),
        (10**12, 31_536_000, False),
        (10**400, 31_536_000, False),
        (float("inf"), 31_536_000, False),
        ("60", 2_592_000, True),
        (None, 2_592_000, True),
        (float("nan"), 2_592_000, True),
        ([60], 2_592_000, True),
    ],
)
def test_life_of_the_cache_that_cannot_be_read_is_the_usual_one(
    given: Any, life_s: int, is_named: bool, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = runtime_of()
    token = entry(runtime, tracker_of(runtime).markup("Contact", cached_s=given))[3]
    open_signed_event(token, runtime.signer, runtime.pixels, NOW + life_s + 86_400)
    with pytest.raises(TokenError, match="expired"):
        open_signed_event(token, runtime.signer, runtime.pixels, NOW + life_s + 86_401)
    assert ("cached_s is" in caplog.text) is is_named


@pytest.mark.parametrize("headers", [{}, {"cookie": "_tt_consent=d"}, {"sec-gpc": "1"}])
def test_it_is_the_same_whoever_asks(headers: dict[str, str]) -> None:
    runtime = runtime_of()
    assert tracker_of(runtime, "/", headers).markup("Contact") == tracker_of(runtime, "/").markup("Contact")


@pytest.mark.parametrize("options", [{"snippet": "off"}, {"enabled": False}, {"pixel_id": "", "access_token": ""}])
def test_without_a_script_there_is_none(options: dict[str, Any]) -> None:
    assert tracker_of(runtime_of(**options)).markup("Contact") == ""


def test_what_cannot_be_sent_is_left_out_and_counted_or_raised() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("成交", {}),
        ("Contact", {"on": "hover"}),
        ("Contact", {"contents": [{"content_id": sha256(bytes([n])).hexdigest()} for n in range(250)]}),
    ]
    for name, more in calls:
        runtime = runtime_of()
        assert tracker_of(runtime).markup(name, **more) == ""
        assert counts(runtime)["invalid"] == 1
        with pytest.raises(EventError):
            tracker_of(runtime_of(strict=True)).markup(name, **more)


@pytest.mark.swallows
def test_our_own_failure_leaves_the_markup_empty() -> None:
    runtime = runtime_of()
    runtime.clock = lambda: 1 // 0
    assert tracker_of(runtime).markup("Contact") == ""
