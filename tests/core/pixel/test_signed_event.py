"""What a browser hands back is what we sealed, for as long as it is good, or it is nothing."""

from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import NOW, PIXEL, Clock
from tiktok_middleware.core.events.event import Channel, Channels, Event
from tiktok_middleware.core.pixel.signed_event import (
    SEALED_LIFE_S,
    TOKEN_LIMIT_CHARS,
    SignedEvent,
    open_signed_event,
    seal,
    template,
    template_life_s,
    write_signed_event,
)
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.core.visitor.user_data import Identity
from tiktok_middleware.errors import TokenError

CLOCK = Clock()
SIGNER = Signer(["key"], CLOCK)
PIXELS = (PIXEL, "C0000000000000000002")
YES = Channel(sends=True)
EVENT = Event(
    event="Purchase",
    event_id="0199b8a3c000000102030405060708090a",
    event_time=int(NOW),
    properties={"value": 59.9, "currency": "EUR", "contents": [{"content_id": "ü-1"}]},
    channels=Channels(YES, YES),
)
SOMEBODY = Identity(email=("a" * 64,), city="köln")


def sealed(event: Event = EVENT, **more: Any) -> SignedEvent:
    settings: dict[str, Any] = {"path": "/thanks", "expires": int(NOW) + SEALED_LIFE_S, "limited_data_use": False}
    return seal(event, **{**settings, "identity": SOMEBODY, **more})


def reason(token: str, *, now: float = NOW, pixels: tuple[str, ...] = PIXELS, signer: Signer = SIGNER) -> str:
    with pytest.raises(TokenError) as caught:
        open_signed_event(token, signer, pixels, now)
    return caught.value.reason


@pytest.mark.parametrize("limited", [False, True])
@pytest.mark.parametrize("once", [False, True])
@pytest.mark.parametrize("identity", [Identity(), SOMEBODY])
def test_an_signed_event_holds_all_that_the_server_copy_needs(limited: bool, once: bool, identity: Identity) -> None:
    event = Event(EVENT.event, EVENT.event_id, EVENT.event_time, EVENT.properties, EVENT.channels, once)
    signed_event = sealed(event, limited_data_use=limited, identity=identity)
    assert open_signed_event(write_signed_event(signed_event, SIGNER, PIXELS), SIGNER, PIXELS, NOW) == signed_event
    assert not signed_event.is_template


def test_a_template_names_nobody_and_no_id() -> None:
    made = template(EVENT, path="/p", expires=int(NOW) + 60, limited_data_use=True)
    token = write_signed_event(made, SIGNER, PIXELS)
    opened = open_signed_event(token, SIGNER, PIXELS, NOW)
    assert opened == made
    assert opened.is_template
    assert (opened.event_id, opened.event_time, opened.identity) == ("", 0, Identity())


def test_a_token_goes_into_any_json_and_any_address() -> None:
    token = write_signed_event(sealed(), SIGNER, PIXELS)
    assert set(token) <= set(string.ascii_letters + string.digits + "-_.")


@given(st.data())
def test_a_changed_token_is_refused(data: st.DataObject) -> None:
    token = write_signed_event(sealed(), SIGNER, PIXELS)
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.sampled_from(string.ascii_letters + string.digits + "-_.").filter(lambda c: c != token[at]))
    forged = token[:at] + other + token[at + 1 :]
    with pytest.raises(TokenError):
        open_signed_event(forged, SIGNER, PIXELS, NOW)
    assert reason(token[:at]) in {"forged", "malformed"}


@given(st.text(max_size=200))
def test_garbage_is_refused(text: str) -> None:
    assert reason(text) in {"forged", "malformed"}


def test_another_purpose_or_key_signs_no_signed_event() -> None:
    assert reason(SIGNER.dump(["Purchase", {}, "/", int(NOW) + 9, "", 0], purpose="carry")) == "forged"
    assert reason(write_signed_event(sealed(), Signer(["other"], CLOCK), PIXELS)) == "forged"


def test_a_rotated_key_still_opens() -> None:
    token = write_signed_event(sealed(), SIGNER, PIXELS)
    assert open_signed_event(token, Signer(["new", "key"], CLOCK), PIXELS, NOW) == sealed()


@pytest.mark.parametrize(
    "value", [None, 7, "text", [], ["Purchase"], {}, ["a"] * 6, [1] * 7, ["a", {}, "/", "x", "", 0], [[]] * 9]
)
def test_what_another_release_signed_is_malformed(value: object) -> None:
    assert reason(SIGNER.dump(value, purpose="envelope")) == "malformed"


def test_it_is_good_until_it_expires() -> None:
    token = write_signed_event(sealed(expires=int(NOW) + 10), SIGNER, PIXELS)
    open_signed_event(token, SIGNER, PIXELS, NOW + 10)
    assert reason(token, now=NOW + 11) == "expired"


def test_it_is_worthless_once_pages_load_another_pixel() -> None:
    token = write_signed_event(sealed(), SIGNER, PIXELS)
    assert open_signed_event(token, SIGNER, PIXELS[::-1], NOW) == sealed()
    assert reason(token, pixels=PIXELS[:1]) == "pixels"


def test_a_token_too_long_for_a_report_is_not_even_read() -> None:
    assert reason("a" * (TOKEN_LIMIT_CHARS + 1)) == "malformed"


@pytest.mark.parametrize(
    ("cache_s", "life_s"), [(-1, 86_400), (0, 86_400), (60, 86_460), (10**15, 31_536_000 + 86_400)]
)
def test_a_template_lives_a_day_longer_than_its_page(cache_s: int, life_s: int) -> None:
    assert template_life_s(cache_s) == life_s
