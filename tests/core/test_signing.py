"""What we hand to a browser comes back unaltered, in time and for its own purpose, or not at all."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import NOW, Clock
from tiktok_middleware.core.http.cookies import set_cookie
from tiktok_middleware.core.signing import Signer, derive_key
from tiktok_middleware.errors import TokenError

VALUE = ["Purchase", {"value": 59.9, "text": "ä</script>\u2028"}, "id-1"]


def reason(signer: Signer, token: str, purpose: str = "carry", max_age_s: int = 60) -> str:
    with pytest.raises(TokenError) as caught:
        signer.load(token, purpose=purpose, max_age_s=max_age_s)
    return caught.value.reason


def test_a_value_comes_back() -> None:
    signer = Signer(["key"], Clock())
    assert signer.load(signer.dump(VALUE, purpose="carry"), purpose="carry", max_age_s=60) == VALUE


json_values: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=10,
)


@given(json_values)
def test_any_json_comes_back_through_a_cookie(value: Any) -> None:
    signer = Signer(["key"], Clock())
    token = signer.dump(value, purpose="carry")
    set_cookie("_tt_carry", token, max_age_s=1)  # raises where a cookie cannot carry it
    assert signer.load(token, purpose="carry", max_age_s=60) == value


def test_a_rotation_loses_nothing() -> None:
    old, both, new = Signer(["old"], Clock()), Signer(["new", "old"], Clock()), Signer(["new"], Clock())
    token = old.dump(VALUE, purpose="carry")
    assert both.load(token, purpose="carry", max_age_s=60) == VALUE
    assert new.load(both.dump(VALUE, purpose="carry"), purpose="carry", max_age_s=60) == VALUE  # the newest signs
    assert reason(new, token) == "forged"


def test_a_token_of_one_purpose_is_worth_nothing_for_another() -> None:
    signer = Signer(["key"], Clock())
    assert reason(signer, signer.dump(VALUE, purpose="carry"), "envelope") == "forged"


@pytest.mark.parametrize(("age_s", "fine"), [(0, True), (60, True), (61, False), (-60, True), (-61, False)])
def test_a_token_ages_and_a_clock_a_little_ahead_is_forgiven(age_s: int, fine: bool) -> None:
    clock = Clock()
    signer = Signer(["key"], clock)
    token = signer.dump(VALUE, purpose="carry")
    clock.now = NOW + age_s
    if fine:
        assert signer.load(token, purpose="carry", max_age_s=60) == VALUE
    else:
        assert reason(signer, token) == "expired"


def test_every_cut_and_every_changed_character_is_noticed() -> None:
    signer = Signer(["key"], Clock())
    token = signer.dump(VALUE, purpose="carry")
    for place in range(len(token)):
        assert reason(signer, token[:place]) == "forged"
        if place < len(token) - 1:  # the last character of base64 may hold unused bits
            changed = token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :]
            assert reason(signer, changed) == "forged"


@given(st.text())
def test_garbage_is_refused_and_nothing_else_happens(token: str) -> None:
    assert reason(Signer(["key"], Clock()), token) in {"forged", "malformed"}


@given(st.binary(max_size=60))
def test_what_was_signed_by_us_but_is_no_json_is_refused(payload: bytes) -> None:
    signer = Signer(["key"], Clock())
    serializer = signer._serializer("carry")
    token = serializer.make_signer(serializer.salt).sign(b"!" + payload).decode("latin-1")
    assert reason(signer, token) in {"forged", "malformed"}


def test_a_derived_key_hides_the_secret() -> None:
    assert "token" not in derive_key("token")
    assert derive_key("token") == derive_key("token") != derive_key("tokem")
    assert len(derive_key("\udc80")) == 64
