"""An app's own markup holds an event that whoever gets it confirms, and no value can break out of the attribute."""

from __future__ import annotations

import json
from hashlib import sha256
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import NOW, counts, setup_of, tracker_of
from tiktok_middleware.core.envelope import open_envelope
from tiktok_middleware.core.identity import Identity
from tiktok_middleware.core.setup import Setup
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


def entry(setup: Setup, markup: str) -> list[Any]:
    found: list[Any] = json.loads(parsed(markup)["data-tiktok-envelope"])
    return found


@pytest.mark.parametrize("moment", ["load", "click", "submit"])
def test_markup_holds_a_template(moment: str) -> None:
    setup = setup_of()
    tracker = tracker_of(setup, "/p")
    tracker.identify(email="bob@example.com")
    markup = tracker.markup("ViewContent", {"value": 5}, on=moment, currency="EUR")
    assert parsed(markup)["data-tiktok-on"] == moment
    name, properties, event_id, token = entry(setup, markup)
    assert (name, properties, event_id) == ("ViewContent", {"value": 5, "currency": "EUR"}, "")
    envelope = open_envelope(token, setup.signer, setup.pixels, NOW)
    assert (envelope.is_template, envelope.path, envelope.identity) == (True, "/p", Identity())
    assert markup.__html__() == markup  # type: ignore[attr-defined]  # what template engines ask for
    assert not tracker.pending


def test_it_is_good_as_long_as_a_cache_keeps_it_and_a_day() -> None:
    setup = setup_of()
    token = entry(setup, tracker_of(setup).markup("Contact", cached_s=60))[3]
    open_envelope(token, setup.signer, setup.pixels, NOW + 60 + 86_400)
    with pytest.raises(TokenError, match="expired"):
        open_envelope(token, setup.signer, setup.pixels, NOW + 61 + 86_400)


@given(st.text(max_size=60))
def test_no_value_ends_the_attribute(text: str) -> None:
    setup = setup_of()
    markup = tracker_of(setup).markup("Search", search_string=f"\"'><script>&quot;{text}")
    assert set(parsed(markup)) == {"data-tiktok-on", "data-tiktok-envelope"}
    assert markup.isascii()
    assert entry(setup, markup)[0] == "Search"


@pytest.mark.parametrize("headers", [{}, {"cookie": "_tt_consent=d"}, {"sec-gpc": "1"}])
def test_it_is_the_same_whoever_asks(headers: dict[str, str]) -> None:
    setup = setup_of()
    assert tracker_of(setup, "/", headers).markup("Contact") == tracker_of(setup, "/").markup("Contact")


@pytest.mark.parametrize("options", [{"snippet": "off"}, {"enabled": False}, {"pixel_id": "", "access_token": ""}])
def test_without_a_script_there_is_none(options: dict[str, Any]) -> None:
    assert tracker_of(setup_of(**options)).markup("Contact") == ""


def test_what_cannot_be_sent_is_left_out_and_counted_or_raised() -> None:
    calls: list[tuple[str, dict[str, Any]]] = [
        ("Browse", {}),
        ("Contact", {"on": "hover"}),
        ("Contact", {"contents": [{"content_id": sha256(bytes([n])).hexdigest()} for n in range(250)]}),
    ]
    for name, more in calls:
        setup = setup_of()
        assert tracker_of(setup).markup(name, **more) == ""
        assert counts(setup)["invalid"] == 1
        with pytest.raises(EventError):
            tracker_of(setup_of(strict=True)).markup(name, **more)


@pytest.mark.swallows
def test_our_own_failure_leaves_the_markup_empty() -> None:
    setup = setup_of()
    setup.clock = lambda: 1 // 0
    assert tracker_of(setup).markup("Contact") == ""
