"""Inputs of TikTok's server and web templates for Google Tag Manager, and what must stand on the wire.

Read in ``tiktok/gtm-template-eapi`` (s2s_0_2_01) and ``tiktok/gtm-template-pixel`` (0_2_01), May 2024; written anew. Where
the templates differ from TikTok's documentation of today, the documentation counts, and ``note`` says so.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

__all__ = ["VECTORS", "Vector"]


def sha(text: str) -> str:
    """The hash of an identity."""
    return sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Vector:
    """One event.

    Attributes:
        id: names it.
        event: as the tag is given it.
        properties: what the data layer or the tag's fields hold of the event.
        user: what they hold of the visitor, for ``identify()``.
        url, referrer: addresses of the page and the one before.
        cookies: of the request.
        name: the event on the wire.
        sent: parameters on the wire; others may stand beside them.
        absent: parameters that must not stand there.
        sent_user: keys of ``user`` on the wire; None where the key must be missing.
        note: where the result differs from the template's, and why.
    """

    id: str
    event: str
    name: str
    properties: dict[str, Any] = field(default_factory=dict)
    user: dict[str, Any] = field(default_factory=dict)
    url: str = "https://shop.example/"
    referrer: str = ""
    cookies: str = ""
    sent: dict[str, Any] = field(default_factory=dict)
    absent: tuple[str, ...] = ()
    sent_user: dict[str, str | None] = field(default_factory=dict)
    note: str = ""


def _shirt(**more: Any) -> dict[str, Any]:
    return {
        "item_id": "12345",
        "item_name": "Shirt",
        "item_brand": "B",
        "item_category": "Apparel",
        "price": 15.25,
        **more,
    }


def _trousers(**more: Any) -> dict[str, Any]:
    return {
        "item_id": "67890",
        "item_name": "Pants",
        "item_brand": "B",
        "item_category": "Apparel",
        "price": 33.33,
        **more,
    }


_SHIRT = {"content_id": "12345", "content_name": "Shirt", "brand": "B", "content_category": "Apparel", "price": 15.25}
_TROUSERS = {
    "content_id": "67890",
    "content_name": "Pants",
    "brand": "B",
    "content_category": "Apparel",
    "price": 33.33,
}

_CLICK = "E.C.P.CrsBm1-Yk_3x8~z"
_HASH = "065f45b37b5dad20b5a67158468161cdf35b1ae3cda2a666e7852feab7424897"

_NAMES = [
    ("add_payment_info", "AddPaymentInfo"),
    ("add_to_cart", "AddToCart"),
    ("add_to_wishlist", "AddToWishlist"),
    ("begin_checkout", "InitiateCheckout"),
    ("page_view", "Pageview"),
    ("purchase", "Purchase"),
    ("search", "Search"),
    ("sign_up", "CompleteRegistration"),
    ("view_item", "ViewContent"),
    *(
        (name, name)
        for name in ("ViewContent", "Search", "AddToWishlist", "AddToCart", "InitiateCheckout", "AddPaymentInfo")
    ),
    *(
        (name, name)
        for name in ("Contact", "Download", "CompleteRegistration", "Subscribe", "ClickButton", "PlaceAnOrder")
    ),
    ("CompletePayment", "Purchase"),
    ("SubmitForm", "Lead"),
    ("InvalidEvent", "InvalidEvent"),
]

NAMES = [
    Vector(
        f"name-{given}",
        given,
        sent_name,
        note="the templates still send the names that TikTok replaced in May 2025"
        if sent_name in {"Purchase", "Lead"}
        else "",
    )
    for given, sent_name in _NAMES
]

PRODUCTS = [
    Vector(
        "ga4-items-with-value-and-currency",
        "ViewContent",
        "ViewContent",
        {
            "items": [_shirt(item_variant="Red", quantity=1), _trousers(item_variant="Blue", quantity=1)],
            "currency": "USD",
            "value": 99.99,
        },
        sent={
            "contents": [{**_SHIRT, "quantity": 1}, {**_TROUSERS, "quantity": 1}],
            "content_type": "product",
            "currency": "USD",
            "value": 99.99,
        },
        note="content_type stands at the event, where TikTok's parameter table has it",
    ),
    Vector(
        "ga4-items-give-value-and-currency",
        "ViewContent",
        "ViewContent",
        {"items": [_shirt(quantity=1, currency="USD"), _trousers(quantity=2, currency="USD")]},
        sent={"contents": [{**_SHIRT, "quantity": 1}, {**_TROUSERS, "quantity": 2}], "currency": "USD", "value": 81.91},
    ),
    Vector(
        "items-as-json-text",
        "add_payment_info",
        "AddPaymentInfo",
        {
            "items": '[{"item_name":"Shirt","item_id":"12345","price":15.25,"item_brand":"B","item_category":"Apparel",'
            '"quantity":1,"currency":"USD"},{"item_name":"Pants","item_id":"67890","price":33.33,"item_brand":"B",'
            '"item_category":"Apparel","quantity":2,"currency":"USD"}]'
        },
        sent={"contents": [{**_SHIRT, "quantity": 1}, {**_TROUSERS, "quantity": 2}], "currency": "USD", "value": 81.91},
    ),
    Vector(
        "web-categories-are-joined",
        "CompletePayment",
        "Purchase",
        {
            "currency": "CAD",
            "value": 7.77,
            "items": [
                {
                    "item_id": "abc123",
                    "item_name": "tee shirt",
                    "item_brand": "mybrand",
                    "item_category": "Apparel",
                    "item_category2": "Adult",
                    "item_category4": "Crew",
                    "price": 9.99,
                    "discount": 2.22,
                    "quantity": 1,
                }
            ],
        },
        sent={
            "contents": [
                {
                    "content_id": "abc123",
                    "content_name": "tee shirt",
                    "brand": "mybrand",
                    "content_category": "Apparel,Adult,Crew",
                    "price": 9.99,
                    "quantity": 1,
                }
            ],
            "currency": "CAD",
            "value": 7.77,
        },
    ),
    Vector(
        "universal-analytics-product",
        "ViewContent",
        "ViewContent",
        {
            "currency": "CNY",
            "products": [
                {
                    "name": "tee shirt",
                    "id": "abc123",
                    "price": "9.99",
                    "brand": "b",
                    "category": "apparel",
                    "variant": "blue",
                }
            ],
        },
        sent={
            "contents": [
                {
                    "content_id": "abc123",
                    "content_name": "tee shirt",
                    "brand": "b",
                    "content_category": "apparel",
                    "price": 9.99,
                }
            ],
            "currency": "CNY",
            "value": 9.99,
        },
        note="the templates add a quantity of 1; a product without one is sent as it was given",
    ),
    Vector(
        "contents-as-json-text",
        "CompletePayment",
        "Purchase",
        {"contents": '[{"content_id": "abc123", "price": 1.23}]', "value": 1.23, "currency": "USD"},
        sent={"contents": [{"content_id": "abc123", "price": 1.23}], "value": 1.23},
    ),
    Vector(
        "contents-as-broken-json-text",
        "CompletePayment",
        "Purchase",
        {"contents": '[{"content_id": "abc123", "price": 1.23}]]]]]', "value": 1.23, "currency": "USD"},
        sent={"value": 1.23, "currency": "USD"},
        absent=("contents",),
        note="the templates send the text, which the Events API refuses with the whole request",
    ),
    Vector(
        "single-product-by-fields",
        "CompletePayment",
        "Purchase",
        {
            "content_id": "abc123",
            "content_type": "product",
            "content_name": "tee shirt",
            "price": "12.34",
            "quantity": "2",
            "currency": "USD",
            "value": "24.68",
            "custom_property_1": 1,
            "custom_property_2": "2",
        },
        sent={
            "contents": [{"content_id": "abc123", "content_name": "tee shirt", "price": 12.34, "quantity": 2}],
            "content_type": "product",
            "currency": "USD",
            "value": 24.68,
            "custom_property_1": 1,
            "custom_property_2": "2",
        },
    ),
    Vector(
        "single-product-of-a-group",
        "ViewContent",
        "ViewContent",
        {
            "content_id": "mycontentid",
            "content_type": "product_group",
            "content_name": "tshirt",
            "content_category": "apparel",
            "price": "123.01",
            "quantity": "2",
            "value": "1000",
            "currency": "USD",
        },
        sent={
            "contents": [
                {
                    "content_id": "mycontentid",
                    "content_name": "tshirt",
                    "content_category": "apparel",
                    "price": 123.01,
                    "quantity": 2,
                }
            ],
            "content_type": "product_group",
            "value": 1000,
            "currency": "USD",
        },
    ),
    Vector(
        "single-product-gives-the-value",
        "AddToCart",
        "AddToCart",
        {"content_id": "a", "price": "12.50", "quantity": "2", "currency": "EUR"},
        sent={"value": 25.0, "currency": "EUR"},
    ),
    Vector(
        "value-and-currency-alone",
        "AddToCart",
        "AddToCart",
        {"value": "10", "currency": "usd", "description": "a cart"},
        sent={"value": 10, "currency": "USD", "description": "a cart"},
        absent=("contents",),
    ),
    Vector(
        "item-without-quantity-counts-once",
        "AddToCart",
        "AddToCart",
        {"items": [{"item_id": "a", "price": 5}], "currency": "EUR"},
        sent={"value": 5, "num_items": 1},
    ),
    Vector(
        "item-without-price-gives-no-value",
        "AddToCart",
        "AddToCart",
        {"items": [{"item_id": "a", "quantity": 2}], "currency": "EUR"},
        sent={"contents": [{"content_id": "a", "quantity": 2}]},
        absent=("value",),
        note="the templates would send 0",
    ),
    Vector(
        "number-as-id-becomes-text",
        "ViewContent",
        "ViewContent",
        {"items": [{"item_id": 12345, "price": 5}], "currency": "EUR"},
        sent={"contents": [{"content_id": "12345", "price": 5}], "content_ids": ["12345"]},
        note="the Events API refuses a number",
    ),
    Vector(
        "event-currency-outranks-the-items",
        "AddToCart",
        "AddToCart",
        {"items": [{"item_id": "a", "price": 5, "currency": "USD"}], "currency": "EUR"},
        sent={"currency": "EUR"},
    ),
    Vector(
        "no-default-currency",
        "AddToCart",
        "AddToCart",
        {"items": [{"item_id": "a", "price": 5}]},
        sent={"value": 5},
        absent=("currency",),
        note="the web template would say USD",
    ),
    Vector(
        "no-value-is-made-up-for-an-order",
        "purchase",
        "Purchase",
        {"items": [_shirt(quantity=1)], "currency": "USD"},
        sent={"contents": [{**_SHIRT, "quantity": 1}]},
        absent=("value",),
        note="the templates send the sum; discounts and shipping are unknown",
    ),
    Vector(
        "order-with-its-number",
        "purchase",
        "Purchase",
        {"transaction_id": "T-1", "items": [_shirt(quantity=2)], "value": 30.5, "currency": "USD"},
        sent={"order_id": "T-1", "value": 30.5, "contents": [{**_SHIRT, "quantity": 2}], "num_items": 2},
    ),
    Vector("search-query", "search", "Search", {"query": "shirt"}, sent={"query": "shirt", "search_string": "shirt"}),
    Vector(
        "search-term", "search", "Search", {"search_term": "shirt"}, sent={"query": "shirt", "search_string": "shirt"}
    ),
    Vector("status", "CompleteRegistration", "CompleteRegistration", {"status": "done"}, sent={"status": "done"}),
]

IDENTITY = [
    Vector(
        "email-and-phone-are-hashed",
        "ViewContent",
        "ViewContent",
        user={"email": "test@test.com", "phone": "+12133734253"},
        sent_user={"email": sha("test@test.com"), "phone": sha("+12133734253")},
    ),
    Vector(
        "email-is-trimmed-and-lower-cased",
        "Contact",
        "Contact",
        user={"email": "test@TEST.com\n"},
        sent_user={"email": "f660ab912ec121d1b1e928a0bb4bc61b15f5ad44d5efdc4e1c92a25e99b8e44a"},
    ),
    Vector(
        "external-id-keeps-its-case",
        "Contact",
        "Contact",
        user={"external_id": " UserABC"},
        sent_user={"external_id": sha("UserABC")},
    ),
    Vector(
        "external-id-is-trimmed",
        "Contact",
        "Contact",
        user={"external_id": "   abc   "},
        sent_user={"external_id": sha("abc")},
    ),
    Vector(
        "phone-is-trimmed",
        "Contact",
        "Contact",
        user={"phone": "  +12133734253  "},
        sent_user={"phone": sha("+12133734253")},
    ),
    Vector(
        "phone-without-country-code-is-no-one",
        "Contact",
        "Contact",
        user={"phone": "1231231234"},
        sent_user={"phone": None},
        note="the templates hash it as it is; TikTok's documentation wants E.164",
    ),
    Vector(
        "nothing-is-not-hashed",
        "Contact",
        "Contact",
        user={"phone": "   ", "email": "", "external_id": None},
        sent_user={"phone": None, "email": None, "external_id": None},
    ),
    Vector(
        "hashes-pass",
        "Contact",
        "Contact",
        user={"phone": _HASH, "email": _HASH, "external_id": _HASH},
        sent_user={"phone": _HASH, "email": _HASH, "external_id": _HASH},
    ),
    Vector("hashes-are-lower-cased", "Contact", "Contact", user={"email": _HASH.upper()}, sent_user={"email": _HASH}),
]

CLICKS = [
    Vector(
        "click-of-the-page",
        "ViewContent",
        "ViewContent",
        url="https://shop.example/?ttclid=myttclid",
        sent_user={"ttclid": "myttclid"},
    ),
    Vector(
        "click-of-the-page-before",
        "ViewContent",
        "ViewContent",
        referrer="https://shop.example/?ttclid=myttclid",
        sent_user={"ttclid": "myttclid"},
    ),
    Vector(
        "click-of-another-site-is-not-ours",
        "ViewContent",
        "ViewContent",
        referrer="https://fake-shop.example/?ttclid=myttclid",
        sent_user={"ttclid": None},
    ),
    Vector("no-click", "ViewContent", "ViewContent", sent_user={"ttclid": None}),
    Vector("click-of-the-cookie", "Contact", "Contact", cookies=f"ttclid={_CLICK}", sent_user={"ttclid": _CLICK}),
    Vector(
        "click-of-the-page-outranks-the-cookie",
        "Contact",
        "Contact",
        url=f"https://shop.example/?ttclid={_CLICK}",
        cookies="ttclid=old",
        sent_user={"ttclid": _CLICK},
    ),
    Vector(
        "click-of-the-page-before-outranks-the-cookie",
        "Contact",
        "Contact",
        referrer=f"https://shop.example/a?ttclid={_CLICK}",
        cookies="ttclid=old",
        sent_user={"ttclid": _CLICK},
    ),
    Vector(
        "click-is-decoded",
        "Contact",
        "Contact",
        url="https://shop.example/?ttclid=E.C.P%2Eabc%7E1",
        sent_user={"ttclid": "E.C.P.abc~1"},
    ),
    Vector(
        "browser-id-of-the-cookie",
        "Contact",
        "Contact",
        cookies="_ttp=01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1",
        sent_user={"ttp": "01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1"},
    ),
    Vector("no-browser-id", "Contact", "Contact", sent_user={"ttp": None}),
]

VECTORS = [*NAMES, *PRODUCTS, *IDENTITY, *CLICKS]
