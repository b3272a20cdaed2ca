"""Browser copies cross a redirect in a signed cookie, or are refused; nobody else's copies get in."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import DOORS, NOW, Clock, MakeRequest, carrying, scope_request
from tiktok_middleware.core.http.cookies import set_cookie
from tiktok_middleware.core.pixel.redirect_cookie import (
    CARRY,
    COOKIE_LIMIT_CHARS,
    COOKIE_MAX_AGE_S,
    SEALED,
    RedirectEvents,
    carry_name,
    read_carry,
    write_carry,
)
from tiktok_middleware.core.pixel.snippet import BrowserCopy
from tiktok_middleware.core.signing import Signer

PURCHASE: BrowserCopy = ("Purchase", {"value": 59.9, "contents": [{"content_id": "ä</script>"}]}, "id-1")


def carried(signer: Signer, token: str, make: MakeRequest = scope_request) -> list[BrowserCopy]:
    return list(read_carry(make("/", {"cookie": f"{CARRY}={token}"}), signer).copies)


@pytest.mark.parametrize("make", DOORS)
def test_what_was_carried_arrives(make: MakeRequest) -> None:
    signer = Signer(["key"], Clock())
    token = write_carry([PURCHASE, ("Contact", {}, "id-2")], signer)
    assert carried(signer, token, make) == [PURCHASE, ("Contact", {}, "id-2")]
    set_cookie(CARRY, token, max_age_s=1)


def test_an_ordinary_purchase_fits_into_the_cookie() -> None:
    contents = [{"content_id": f"SKU-{n}", "content_name": f"Mug {n}", "price": 9.9, "quantity": 1} for n in range(10)]
    copy: BrowserCopy = (
        "Purchase",
        {"value": 99.0, "currency": "EUR", "order_id": "A-1", "contents": contents},
        "x" * 32,
    )
    assert len(write_carry([copy], Signer(["key"], Clock()))) <= COOKIE_LIMIT_CHARS


def test_without_a_cookie_nothing_is_carried() -> None:
    signer = Signer(["key"], Clock())
    assert read_carry(scope_request(), signer) == RedirectEvents([], [], [], [])
    assert carried(signer, "") == []


def refusal(signer: Signer, token: str) -> str:
    found = read_carry(scope_request("/", {"cookie": f"{CARRY}={token}"}), signer)
    assert [*found.copies, *found.references, *found.names] == []
    (fault,) = found.faults
    return fault


def test_responses_made_side_by_side_leave_each_other_s_copies_alone() -> None:
    signer = Signer(["key"], Clock())
    other: BrowserCopy = ("Contact", {}, "id-2")
    names = [carry_name([PURCHASE], []), carry_name([other], [])]
    assert len(set(names)) == 2
    cookies = {
        names[0]: write_carry([PURCHASE], signer),
        names[1]: write_carry([other], signer),
        f"{CARRY}.x": "forged",
    }
    found = read_carry(scope_request("/", {"cookie": carrying({**cookies, SEALED: "another"})}), signer)
    assert found == RedirectEvents([PURCHASE, other], [], names, ["forged"])


def test_no_id_names_the_signed_events_cookie() -> None:
    assert carry_name([("Contact", {}, "sealed")], []) != SEALED
    assert carry_name([], ["one"]) != carry_name([], ["two"])
    assert carry_name([("Lead", {}, "A-1")], []) != carry_name([("Purchase", {}, "A-1")], []), "ids of one's own"


def test_no_more_cookies_are_read_than_can_be_ours() -> None:
    signer = Signer(["key"], Clock())
    cookies = {f"{CARRY}.{number}": write_carry([PURCHASE], signer) for number in range(40)}
    assert len(read_carry(scope_request("/", {"cookie": carrying(cookies)}), signer).names) == 16


def test_anothers_cookie_is_refused() -> None:
    token = write_carry([PURCHASE], Signer(["other"], Clock()))
    assert refusal(Signer(["key"], Clock()), token) == "forged"
    assert refusal(Signer(["key"], Clock()), "garbage") == "forged"


def test_a_forgotten_cookie_is_refused() -> None:
    clock = Clock()
    signer = Signer(["key"], clock)
    token = write_carry([PURCHASE], signer)
    clock.now = NOW + COOKIE_MAX_AGE_S
    assert carried(signer, token) == [PURCHASE]
    clock.now = NOW + COOKIE_MAX_AGE_S + 1
    assert refusal(signer, token) == "expired"


@pytest.mark.parametrize(
    "value",
    [None, {}, "text", 1, [1], [["Purchase"]], [["Purchase", [], "id"]], [["Purchase", {}, 1]], [[1, {}, "id"]]],
)
def test_what_we_signed_but_is_no_list_of_copies_is_refused(value: Any) -> None:
    signer = Signer(["key"], Clock())
    assert refusal(signer, signer.dump(value, purpose="carry")) == "malformed"


@given(st.text(st.characters(max_codepoint=255, exclude_characters=";")))
def test_garbage_is_refused_and_nothing_else_happens(token: str) -> None:
    signer = Signer(["key"], Clock())
    if token.strip():
        assert refusal(signer, token) in {"forged", "malformed"}
    else:
        assert carried(signer, token) == []
