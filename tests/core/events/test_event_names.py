"""Event names reach TikTok as names it counts, or not at all."""

from __future__ import annotations

import enum
import re

import pytest
from django.utils.functional import lazy
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware.core.events.event_aliases import FOREIGN_EVENTS, NO_COUNTERPART
from tiktok_middleware.core.events.event_names import STANDARD_EVENTS, event_name, fired_name, read_name
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
    ("given", "sent"),
    [
        # TikTok's own in another case or spelling
        ("purchase", "Purchase"),
        ("PURCHASE", "Purchase"),
        ("Purchase ", "Purchase"),
        ("add_to_cart", "AddToCart"),
        ("ADD_TO_CART", "AddToCart"),
        ("add-to-cart", "AddToCart"),
        ("Add To Cart", "AddToCart"),
        ("addToCart", "AddToCart"),
        ("ADDTOCART", "AddToCart"),
        ("add.to.cart", "AddToCart"),
        ("\uff30\uff55\uff52\uff43\uff48\uff41\uff53\uff45", "Purchase"),
        ("PageView", "Pageview"),
        ("page_view", "Pageview"),
        ("page-view", "Pageview"),
        ("PAGE VIEW", "Pageview"),
        ("complete_registration", "CompleteRegistration"),
        ("initiateCheckout", "InitiateCheckout"),
        ("start trial", "StartTrial"),
        ("view_content", "ViewContent"),
        ("submit_application", "SubmitApplication"),
        # retired ones
        ("completepayment", "Purchase"),
        ("complete_payment", "Purchase"),
        ("Complete Payment", "Purchase"),
        ("submit_form", "Lead"),
        # GA4
        ("view_item", "ViewContent"),
        ("add_to_wishlist", "AddToWishlist"),
        ("begin_checkout", "InitiateCheckout"),
        ("add_payment_info", "AddPaymentInfo"),
        ("search", "Search"),
        ("view_search_results", "Search"),
        ("sign_up", "CompleteRegistration"),
        ("generate_lead", "Lead"),
        ("file_download", "Download"),
        ("Generate-Lead", "Lead"),
        ("beginCheckout", "InitiateCheckout"),
        # Segment
        ("Products Searched", "Search"),
        ("Product Viewed", "ViewContent"),
        ("Product Added", "AddToCart"),
        ("Product Added to Wishlist", "AddToWishlist"),
        ("Wishlist Product Added to Cart", "AddToCart"),
        ("Checkout Started", "InitiateCheckout"),
        ("Payment Info Entered", "AddPaymentInfo"),
        ("Order Completed", "Purchase"),
        ("order completed", "Purchase"),
        ("order_completed", "Purchase"),
        ("OrderCompleted", "Purchase"),
        ("Signed Up", "CompleteRegistration"),
        ("Trial Started", "StartTrial"),
        # Shopify
        ("checkout_completed", "Purchase"),
        ("product_added_to_cart", "AddToCart"),
        ("payment_info_submitted", "AddPaymentInfo"),
        ("search_submitted", "Search"),
        ("page_viewed", "Pageview"),
        # reserved names in another spelling
        ("start_checkout", "InitiateCheckout"),
        ("consult", "Contact"),
    ],
)
def test_a_name_in_another_spelling_or_of_another_tool_is_translated_with_a_note(given: str, sent: str) -> None:
    name, note = event_name(given)
    assert name == sent
    assert sent in (note or "")


@pytest.mark.parametrize("name", sorted(STANDARD_EVENTS | {"Pageview"}))
def test_every_standard_name_is_read_in_every_spelling(name: str) -> None:
    words = re.findall("[A-Z][a-z]+", name)
    for joined in ("_", "-", " ", "", "."):
        for spelt in (joined.join(words), joined.join(words).lower(), joined.join(words).upper()):
            assert event_name(spelt)[0] == name


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        *((name, name) for name in ("refund", "remove_from_cart", "view_cart", "view_item_list", "add_shipping_info")),
        *((name, name) for name in ("qualify_lead", "disqualify_lead", "working_lead", "close_convert_lead")),
        ("Order Refunded", "Order_Refunded"),
        ("Order Cancelled", "Order_Cancelled"),
        ("Product Removed", "Product_Removed"),
        ("Product List Viewed", "Product_List_Viewed"),
        ("Cart Viewed", "Cart_Viewed"),
        ("Checkout Step Completed", "Checkout_Step_Completed"),
    ],
)
def test_a_name_that_no_standard_event_means_for_certain_stays_custom_and_is_said(given: str, sent: str) -> None:
    name, note = event_name(given)
    assert name == sent
    assert "no counterpart" in (note or "")


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("Purchse", "Purchase"),
        ("purchace", "Purchase"),
        ("Purchases", "Purchase"),
        ("Leads", "Lead"),
        ("view_conten", "ViewContent"),
        ("AddToCarts", "AddToCart"),
        ("StartTrail", "StartTrial"),
        ("PageViews", "Pageview"),
        ("Subscribed", "Subscribe"),
    ],
)
def test_a_name_that_is_almost_a_standard_one_stays_custom_and_is_said(given: str, meant: str) -> None:
    assert event_name(given) == (given, f"event {given} is sent as a custom event; did you mean {meant}?")


@pytest.mark.parametrize("name", ["FormStart", "ApplicationStart", "AddToBasket", "QuizCompleted", "Refunded", "Led"])
def test_a_custom_name_of_its_own_has_no_hint(name: str) -> None:
    assert event_name(name) == (name, None)


def test_the_tables_of_names_contradict_nothing() -> None:
    for foreign, right in FOREIGN_EVENTS.items():
        assert right in STANDARD_EVENTS | {"Pageview"}
        assert event_name(foreign)[0] == right
    for foreign in NO_COUNTERPART:
        assert event_name(foreign)[0] not in STANDARD_EVENTS


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


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("Buy now", "Buy_now"),
        ("Käufe", "Kaufe"),
        ("Éclair", "Eclair"),
        ("1st order", "st_order"),
        ("_mine", "mine"),
        ("a.b", "a_b"),
        ("x" * 51, "x" * 50),
        ("spin / win", "spin_win"),
        ("Qualifizierter Lead", "Qualifizierter_Lead"),
        ("Checkout", "InitiateCheckout"),
        ("Browse", "Pageview"),
    ],
)
def test_a_malformed_name_is_rewritten_and_its_fault_reported(given: str, sent: str) -> None:
    named = read_name(given)
    assert named.name == sent
    assert named.problem is not None


@pytest.mark.parametrize("given", ["", " ", "123", "成交", "---", "bob@example.com bought", "call +4915112345678"])
def test_what_no_name_is_left_of_or_names_a_person_is_refused(given: str) -> None:
    with pytest.raises(EventError):
        read_name(given)


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ("Qualifizierter Lead", "Qualifizierter Lead"),
        ("  Termin   vereinbart ", "Termin vereinbart"),
        ("成交", "成交"),
        ("Сделка закрыта", "Сделка закрыта"),
        ("عميل مؤهل", "عميل مؤهل"),
        ("Lead qualifié (chaud)", "Lead qualifié (chaud)"),
        ("Stufe 3/5", "Stufe 3/5"),
        ("3. Angebot", "3. Angebot"),
        ("Registration", "Registration"),
        ("Consult", "Consult"),
        ("Lead", "Lead"),
        ("lead", "Lead"),
        ("purchase", "Purchase"),
        ("CompletePayment", "Purchase"),
        ("a\tb\nc", "a b c"),
    ],
)
def test_a_crm_stage_may_have_a_name_of_any_script(given: str, sent: str) -> None:
    named = read_name(given, "crm")
    assert (named.name, named.problem) == (sent, None)


@pytest.mark.parametrize("given", ["", "  ", "-", "bob@example.com", "Anruf bei +4915112345678"])
def test_a_crm_stage_without_letters_or_with_a_person_is_refused(given: str) -> None:
    with pytest.raises(EventError):
        read_name(given, "crm")


def test_a_long_crm_stage_is_cut_and_reported() -> None:
    named = read_name("Stufe " * 40, "crm")
    assert len(named.name) <= 100
    assert named.problem is not None


@pytest.mark.parametrize(
    ("given", "fired"),
    [("purchase", "purchase"), ("CompletePayment", "Purchase"), ("Lead", "Lead"), ("add to cart", "AddToCart")],
)
def test_the_server_copy_of_an_event_that_a_page_fired_has_the_pages_name(given: str, fired: str) -> None:
    assert fired_name(given, event_name(given)[0]) == fired


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


def test_lazy_translation_of_a_name_is_read() -> None:
    assert read_name(lazy(lambda: "add_to_cart", str)()).name == "AddToCart"
    with pytest.raises(EventError, match="event is of type __proxy__"):
        read_name(lazy(lambda: 1 / 0, str)())
