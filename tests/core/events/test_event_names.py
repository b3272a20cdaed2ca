"""Event names reach TikTok as names it counts, or not at all."""

from __future__ import annotations

import enum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware.core.events.event_names import STANDARD_EVENTS, event_name
from tiktok_middleware.errors import EventError

STANDARD = [
    "AddPaymentInfo",
    "AddToCart",
    "AddToWishlist",
    "ApplicationApproval",
    "CompleteRegistration",
    "Contact",
    "CustomizeProduct",
    "Download",
    "FindLocation",
    "InitiateCheckout",
    "Lead",
    "Purchase",
    "Schedule",
    "Search",
    "StartTrial",
    "SubmitApplication",
    "Subscribe",
    "ViewContent",
]


class Shop(str, enum.Enum):
    SOLD = "Purchase"


@pytest.mark.parametrize("name", [*STANDARD, "Pageview"])
def test_a_standard_name_passes_as_it_is(name: str) -> None:
    assert event_name(name) == (name, None)


def test_there_are_eighteen_standard_names() -> None:
    assert set(STANDARD) == STANDARD_EVENTS
    assert len(STANDARD) == 18


@pytest.mark.parametrize(("old", "new"), [("CompletePayment", "Purchase"), ("SubmitForm", "Lead")])
def test_a_retired_name_is_translated_with_a_warning(old: str, new: str) -> None:
    name, warning = event_name(old)
    assert name == new
    assert warning is not None
    assert old in warning
    assert new in warning


@pytest.mark.parametrize("name", ["PlaceAnOrder", "ClickButton"])
def test_a_fading_name_passes_with_a_warning(name: str) -> None:
    kept, warning = event_name(name)
    assert kept == name
    assert warning is not None


@pytest.mark.parametrize(
    ("reserved", "right"),
    [
        ("AddBilling", "AddPaymentInfo"),
        ("Browse", "Pageview"),
        ("Checkout", "InitiateCheckout"),
        ("ClickForm", "Lead"),
        ("ClickInDownloadPage", "Download"),
        ("ClickToDownload", "Download"),
        ("Consult", "Contact"),
        ("ConsultByPhone", "Contact"),
        ("Registration", "CompleteRegistration"),
        ("StartCheckout", "InitiateCheckout"),
        ("ViewConsultationPage", "ViewContent"),
        ("ViewDownloadPage", "ViewContent"),
        ("ViewForm", "ViewContent"),
    ],
)
def test_a_reserved_name_is_refused_and_the_right_one_named(reserved: str, right: str) -> None:
    with pytest.raises(EventError) as caught:
        event_name(reserved)
    assert caught.value.allowed == repr(right)


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("purchase", "Purchase"),
        ("ADDTOCART", "AddToCart"),
        ("PageView", "Pageview"),
        ("completepayment", "Purchase"),
    ],
)
def test_a_known_name_in_the_wrong_case_is_refused_and_the_right_one_named(wrong: str, right: str) -> None:
    with pytest.raises(EventError, match=f"allowed: '{right}'"):
        event_name(wrong)


@pytest.mark.parametrize("name", ["a", "A" * 50, "Spin-The_Wheel9", "newsletter_signup"])
def test_a_custom_name_by_the_rule_passes(name: str) -> None:
    assert event_name(name) == (name, None)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("", "an empty str"),
        ("A" * 51, "a str of 51 characters"),
        ("9Lives", "a str that does not begin with a letter"),
        ("_x", "a str that does not begin with a letter"),
        ("Éclair", "a str that does not begin with a letter"),
        ("Has Space", "a str with a space"),
        ("Purchase ", "a str with a space"),
        ("a\n", "a str with a space"),
        ("naïve", "a str with other characters"),
        ("a.b", "a str with other characters"),
    ],
)
def test_a_malformed_name_is_refused_with_what_is_wrong(name: str, found: str) -> None:
    with pytest.raises(EventError) as caught:
        event_name(name)
    assert caught.value.field == "event"
    assert caught.value.found == found


def test_a_standard_name_written_in_another_style_is_named() -> None:
    assert "AddToCart" in (event_name("add_to_cart")[1] or "")
    with pytest.raises(EventError, match="did you mean 'AddToCart'"):
        event_name("Add To Cart")


@pytest.mark.parametrize("name", ["LoanRequested", "pregnancy_test_viewed", "KIDS_Club", "ViewHIVTest"])
def test_a_name_that_hints_at_sensitive_data_gets_a_warning(name: str) -> None:
    kept, warning = event_name(name)
    assert kept == name
    assert "sensitive" in (warning or "")


@pytest.mark.parametrize("name", ["Kidney", "CreditsRolled", "Childlike"])
def test_a_word_that_only_begins_like_a_sensitive_one_gets_none(name: str) -> None:
    assert event_name(name) == (name, None)


@pytest.mark.parametrize(("name", "kind"), [(None, "NoneType"), (3, "int"), (b"Purchase", "bytes"), (["x"], "list")])
def test_what_is_no_str_is_refused_by_its_type(name: object, kind: str) -> None:
    with pytest.raises(EventError, match=f"of type {kind}"):
        event_name(name)


def test_a_str_enum_member_counts_as_its_value_and_nothing_else_remains_of_it() -> None:
    name, _ = event_name(Shop.SOLD)
    assert name == "Purchase"
    assert type(name) is str


@given(st.text() | st.integers() | st.binary() | st.none())
def test_any_name_passes_by_the_rule_or_is_refused_by_an_event_error(name: object) -> None:
    try:
        kept, _ = event_name(name)
    except EventError:
        return
    assert kept.isascii()
    assert 1 <= len(kept) <= 50
    assert all(char.isalnum() or char in "_-" for char in kept)


@given(st.text(min_size=20).filter(lambda name: not name.isascii()))
def test_a_refusal_does_not_repeat_the_name(name: str) -> None:
    with pytest.raises(EventError) as caught:
        event_name(name)
    assert name not in str(caught.value)
