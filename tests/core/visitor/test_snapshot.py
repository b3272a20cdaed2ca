"""Who a visitor is survives an order's row and payment metadata, shrinks by value, and cannot be made up."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import FETCH, GOOD_TTP, NOW, Clock, counts, runtime_of, tracker_of
from tiktok_middleware.core.consent.consent import Consent, State
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.core.visitor.snapshot import (
    SNAPSHOT_MAX_AGE_S,
    Snapshot,
    SnapshotRequest,
    read_snapshot,
    write_snapshot,
)
from tiktok_middleware.core.visitor.user_data import Identity
from tiktok_middleware.errors import EventError, TokenError

AGENT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5"
CLICK = "E.C.P." + "Cv0BdF4hT9" * 12
LONG_CLICK = "".join(sha256(bytes([number])).hexdigest() for number in range(14))
COOKIES = f"_ttp={GOOD_TTP}; ttclid={CLICK}"
WHO = {
    "email": ["ada@example.com", "ada@work.example"],
    "phone": "+49 30 1234567",
    "external_id": "user-7",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "city": "Berlin",
    "country": "de",
    "zip_code": "10115",
}


def visitor_of(
    runtime: Runtime, url: str = "/shop/checkout?utm_source=tiktok&email=a@b.example", **headers: str
) -> Tracker:
    tracker = tracker_of(runtime, url, {"user-agent": AGENT, "cookie": COOKIES, **headers})
    tracker.identify(**WHO)
    return tracker


def read(runtime: Runtime, token: str) -> Snapshot:
    return read_snapshot(token, runtime.signer)


def test_all_that_tiktok_matches_by_comes_back() -> None:
    runtime = runtime_of()
    tracker = visitor_of(runtime)
    token = tracker.snapshot()
    assert re.fullmatch(r"[A-Za-z0-9_.-]+", token)
    found = read(runtime, token)
    assert found == Snapshot(
        Consent(State.GRANTED),
        ttclid=CLICK,
        ttp=GOOD_TTP,
        ip="203.0.113.9",
        user_agent=AGENT,
        url="https://shop.example/shop/checkout?utm_source=tiktok",
        identity=tracker.state.identity,
    )
    assert len(found.identity.email) == 2


def test_nothing_readable_of_a_person_is_in_it() -> None:
    runtime = runtime_of()
    packed = json.dumps(runtime.signer.load(visitor_of(runtime).snapshot(), purpose="snapshot", max_age_s=9))
    for raw in ("ada", "lovelace", "1234567", "user-7", "10115", "b.example"):
        assert raw not in packed.lower()


def test_a_fetch_remembers_the_page_it_came_from() -> None:
    runtime = runtime_of()
    tracker = visitor_of(runtime, "/api/pay", referer="https://shop.example/checkout", **FETCH)
    assert read(runtime, tracker.snapshot()).url == "https://shop.example/checkout"


@pytest.mark.parametrize(
    ("options", "headers", "state", "reason"),
    [
        ({"consent": "required"}, {}, State.UNKNOWN, "consent_unknown"),
        ({}, {"sec-gpc": "1"}, State.DENIED, "gpc"),
        ({"consent": "required"}, {"cookie": f"{COOKIES}; _tt_consent=d"}, State.DENIED, "denied"),
    ],
)
def test_who_has_not_agreed_leaves_the_choice_alone(
    options: dict[str, Any], headers: dict[str, str], state: State, reason: str
) -> None:
    runtime = runtime_of(**options)
    token = visitor_of(runtime, **headers).snapshot()
    assert read(runtime, token) == Snapshot(Consent(state, reason=reason))
    assert len(token) < 120


def test_limited_data_use_stays_with_the_visitor() -> None:
    runtime = runtime_of(gpc="limit")
    assert read(runtime, visitor_of(runtime, **{"sec-gpc": "1"}).snapshot()).consent.limited_data_use


# -- as long as may be

ORDER = ["ttclid", "email", "ttp", "phone", "url", "ip", "external_id", "user_agent"]


def kept(found: Snapshot) -> set[str]:
    names = {name for name in ("ttclid", "ttp", "ip", "user_agent", "url") if getattr(found, name)}
    return names | {name for name in Identity.__struct_fields__ if getattr(found.identity, name)}


def test_payment_metadata_of_500_characters_keeps_who_is_matched_best_by() -> None:
    runtime = runtime_of()
    token = visitor_of(runtime).snapshot(max_chars=500)
    assert len(token) <= 500
    assert kept(read(runtime, token)) >= {"ttclid", "email", "ttp", "phone", "url", "ip"}


@pytest.mark.parametrize("max_chars", [120, 200, 260, 330, 400, 500, 620, 700, 900, 5000])
def test_a_snapshot_is_never_longer_than_it_may_be_and_says_nothing_false(max_chars: int) -> None:
    runtime = runtime_of()
    whole = read(runtime, visitor_of(runtime).snapshot())
    token = visitor_of(runtime).snapshot(max_chars=max_chars)
    assert 0 < len(token) <= max_chars
    found = read(runtime, token)
    assert found.consent == whole.consent
    for name in kept(found) & set(Snapshot._fields) - {"url"}:
        assert getattr(found, name) == getattr(whole, name)
    assert whole.url.startswith(found.url)
    for name in kept(found) & set(Identity.__struct_fields__):
        part = getattr(found.identity, name)
        assert part == getattr(whole.identity, name)[: len(part)]


def test_more_room_never_means_less_of_what_is_valued_most() -> None:
    runtime = runtime_of()
    seen: list[str] = []
    for max_chars in range(90, 900, 27):
        for name in kept(read(runtime, visitor_of(runtime).snapshot(max_chars=max_chars))):
            if name in ORDER and name not in seen:
                seen.append(name)
    assert set(seen) == set(ORDER)
    whole = visitor_of(runtime).snapshot()
    assert visitor_of(runtime).snapshot(max_chars=len(whole)) == whole


def test_a_click_id_that_is_too_long_makes_room_for_the_rest() -> None:
    runtime = runtime_of()
    tracker = visitor_of(runtime, cookie=f"_ttp={GOOD_TTP}; ttclid={LONG_CLICK}")
    found = read(runtime, tracker.snapshot(max_chars=300))
    assert not found.ttclid
    assert {"email", "ttp"} <= kept(found)


def test_what_cannot_fit_is_empty_and_counted() -> None:
    runtime = runtime_of()
    assert visitor_of(runtime).snapshot(max_chars=20) == ""
    assert counts(runtime)["invalid"] == 1


@pytest.mark.parametrize("wrong", [0, -1, "500", 1.5, True, 20])
def test_a_length_that_cannot_be_right_raises_in_strict_mode_alone(wrong: Any) -> None:
    assert visitor_of(runtime_of()).snapshot(max_chars=wrong) == ""
    with pytest.raises(EventError, match="max_chars is"):
        tracker_of(runtime_of(strict=True)).snapshot(max_chars=wrong)


def test_a_key_that_will_not_last_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    visitor_of(runtime_of()).snapshot()
    assert not caplog.records
    runtime = replace(runtime_of(), has_secret_key=False)
    for _ in range(3):
        assert visitor_of(runtime).snapshot()
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "TIKTOK_SECRET_KEY" in caplog.text


@pytest.mark.swallows
def test_our_own_mistake_does_not_reach_the_view() -> None:
    tracker = visitor_of(replace(runtime_of(), signer=cast("Any", None)))
    assert tracker.snapshot() == ""


# -- and back


def reason_of(token: object, signer: Signer) -> str:
    with pytest.raises(TokenError) as caught:
        read_snapshot(token, signer)
    return caught.value.reason


def test_a_snapshot_lasts_400_days_and_no_longer() -> None:
    clock = Clock()
    runtime = runtime_of(clock=clock)
    token = visitor_of(runtime).snapshot()
    clock.now = NOW + SNAPSHOT_MAX_AGE_S
    assert read(runtime, token).ttp == GOOD_TTP
    clock.now += 1
    assert reason_of(token, runtime.signer) == "expired"


def test_keys_rotate() -> None:
    token = visitor_of(runtime_of(keys=("old",))).snapshot()
    assert read(runtime_of(keys=("new", "old")), token).ttp == GOOD_TTP
    assert reason_of(token, runtime_of(keys=("new",)).signer) == "forged"


def test_a_token_of_another_purpose_is_no_snapshot() -> None:
    signer = runtime_of().signer
    assert reason_of(signer.dump({"c": "g"}, purpose="carry"), signer) == "forged"


@given(token=st.text(max_size=300) | st.binary() | st.none() | st.integers() | st.lists(st.text()))
def test_garbage_is_refused_by_a_word(token: object) -> None:
    assert reason_of(token, runtime_of().signer) in {"forged", "malformed"}


@pytest.mark.parametrize("token", ["A" * 100_000, "é" * 50, "", ".", "..", "a.b.c"])
def test_what_is_too_long_or_no_token_is_refused(token: str) -> None:
    assert reason_of(token, runtime_of().signer) in {"forged", "malformed"}


@given(data=st.data())
def test_a_changed_character_is_a_forgery(data: st.DataObject) -> None:
    runtime = runtime_of()
    token = visitor_of(runtime).snapshot()
    at = data.draw(st.integers(0, len(token) - 1))
    other = data.draw(st.characters(min_codepoint=33, max_codepoint=126).filter(lambda found: found != token[at]))
    changed = token[:at] + other + token[at + 1 :]
    try:
        found = read(runtime, changed)
    except TokenError:
        return
    assert found == read(runtime, token)  # the last bits of a signature's last character mean nothing


SCALARS = st.none() | st.booleans() | st.integers() | st.text(max_size=50)
JSON = st.recursive(SCALARS, lambda more: st.lists(more, max_size=4) | st.dictionaries(st.text(max_size=2), more))
KEYS = st.sampled_from(list("clrtpiuaehxfnzyso"))


@given(packed=JSON | st.fixed_dictionaries({"c": st.sampled_from("gdu")}).flatmap(
    lambda base: st.dictionaries(KEYS, JSON).map(lambda more: {**more, **base})
))  # fmt: skip
def test_whatever_our_key_has_signed_is_a_snapshot_of_the_right_shape_or_none(packed: object) -> None:
    runtime = runtime_of()
    token = runtime.signer.dump(packed, purpose="snapshot")
    try:
        found = read(runtime, token)
    except TokenError:
        assert reason_of(token, runtime.signer) == "malformed"
        return
    assert isinstance(found.consent.state, State)
    assert all(isinstance(getattr(found, name), str) for name in ("ttclid", "ttp", "ip", "user_agent", "url"))
    for values in (found.identity.email, found.identity.phone, found.identity.external_id):
        assert all(re.fullmatch(r"[0-9a-f]{64}", value) for value in values)
    again = read(runtime, write_snapshot(found, runtime.signer))
    assert again == (found if found.consent.is_granted else Snapshot(found.consent))


def test_a_newer_release_may_add_to_it() -> None:
    runtime = runtime_of()
    token = runtime.signer.dump({"c": "g", "p": GOOD_TTP, "new": [1]}, purpose="snapshot")
    assert read(runtime, token).ttp == GOOD_TTP


def test_it_stands_in_for_a_request() -> None:
    snapshot = Snapshot(
        Consent(State.GRANTED), ip="203.0.113.9", user_agent=AGENT, url="https://shop.example/caf%C3%A9?utm_id=1"
    )
    request = SnapshotRequest(snapshot)
    assert (request.path, request.query, request.url) == ("/café", "utm_id=1", snapshot.url)
    assert (request.client, request.peer, request.header("user-agent")) == ("203.0.113.9", "203.0.113.9", AGENT)
    assert (request.scheme, request.host, request.hostname) == ("https", "shop.example", "shop.example")
    assert (request.method, request.mount, dict(request.cookies), request.header("referer")) == ("GET", "", {}, "")
    assert SnapshotRequest(Snapshot(Consent(State.GRANTED))).scheme == "https"
