"""TikTok's event names, parameters, user keys and currencies, for the validator, the sandbox and the docs.

Sources: TikTok's help pages "Supported standard events", "Reserved events", "Custom events" and "Supported events for
offline event sets", and the parameter tables of ``/event/track/``. Names of other tools: Google's "Recommended events"
and "Enhanced measurement events" for GA4, Segment's "Ecommerce Events V2" and "B2B SaaS" specifications, Shopify's
"Standard events".
"""

from __future__ import annotations

from typing import Literal, get_args

from tiktok_middleware.core.events.event import PAGE_VIEW

__all__ = [
    "ALLOWED_WORDS",
    "CURRENCIES",
    "ITEM_KINDS",
    "MAX_CRM_NAME_CHARS",
    "MAX_NAME_CHARS",
    "PAGE_VIEW",
    "PROPERTY_KINDS",
    "STANDARD_EVENTS",
    "USER_KEYS",
    "Kind",
    "StandardEvent",
]

StandardEvent = Literal[
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
"""TikTok's standard events (help page "supported standard events", May 2025). Campaigns can optimise for them."""

STANDARD_EVENTS: frozenset[str] = frozenset(get_args(StandardEvent))


MAX_NAME_CHARS = 50
"""Longest custom name on the web (help page "custom events", February 2026)."""

MAX_CRM_NAME_CHARS = 100
"""Longest custom name for a CRM event set. TikTok documents no limit; its form accepts names of any script."""

# fmt: off
CURRENCIES = frozenset([
    "AED", "ARS", "AUD", "BDT", "BHD", "BIF", "BOB", "BRL", "CAD", "CHF", "CLP", "CNY", "COP", "CRC", "CZK",
    "DKK", "DZD", "EGP", "EUR", "GBP", "GTQ", "HKD", "HNL", "HUF", "IDR", "ILS", "INR", "ISK", "JPY", "KES",
    "KHR", "KRW", "KWD", "KZT", "MAD", "MOP", "MXN", "MYR", "NGN", "NIO", "NOK", "NZD", "OMR", "PEN", "PHP",
    "PKR", "PLN", "PYG", "QAR", "RON", "RUB", "SAR", "SEK", "SGD", "THB", "TRY", "TWD", "UAH", "USD", "VES",
    "VND", "ZAR",
])
# fmt: on
"""The 62 currencies of TikTok's list. TikTok converts no other currency."""

Kind = Literal["text", "id", "ids", "texts", "amount", "amounts", "count", "currency", "word", "contents", "any"]
"""The kind of a parameter's value: ``word`` is one of :data:`ALLOWED_WORDS`, ``count`` is a whole number from 0."""

ALLOWED_WORDS: dict[str, tuple[str, ...]] = {
    "content_type": ("product", "product_group"),
    "customer_type": ("new", "returning"),
    "delivery_category": ("in_store", "curbside", "home_delivery"),
    "travel_class": ("eco", "prem", "bus", "first"),
}
"""The allowed values of each parameter of the kind ``word``."""

PROPERTY_KINDS: dict[str, Kind] = {
    "value": "amount",
    "currency": "currency",
    "contents": "contents",
    "content_type": "word",
    "content_ids": "ids",
    "num_items": "count",
    "query": "text",
    "search_string": "text",
    "description": "text",
    "order_id": "id",
    "shop_id": "id",
    "customer_type": "word",
    "status": "text",
    "delivery_category": "word",
    "predicted_ltv": "amount",
    # a single product; these are moved into contents
    "content_id": "id",
    "content_name": "text",
    "content_category": "text",
    "brand": "text",
    "price": "amount",
    "quantity": "amount",
    # travel
    "city": "text",
    "region": "text",
    "country": "text",
    "checkin_date": "text",
    "checkout_date": "text",
    "num_adults": "count",
    "num_children": "count",
    "num_infants": "count",
    "suggested_hotels": "texts",
    "departing_departure_date": "text",
    "departing_arrival_date": "text",
    "returning_departure_date": "text",
    "returning_arrival_date": "text",
    "origin_airport": "text",
    "destination_airport": "text",
    "destination_ids": "ids",
    "travel_class": "word",
    "user_score": "amount",
    "preferred_num_stops": "count",
    "travel_start": "text",
    "travel_end": "text",
    "suggested_destinations": "texts",
    # vehicles
    "postal_code": "text",
    "make": "text",
    "model": "text",
    "year": "count",
    "state_of_vehicle": "text",
    "mileage": "any",
    "exterior_color": "text",
    "transmission": "text",
    "body_style": "text",
    "fuel_type": "text",
    "drivetrain": "text",
    "preferred_price_range": "amounts",
    "trim": "text",
    "vin": "text",
    "interior_color": "text",
    "condition_of_vehicle": "text",
    "viewcontent_type": "text",
    "search_type": "text",
    "registration_type": "text",
}
"""Every event parameter that TikTok reads."""

ITEM_KINDS: dict[str, Kind] = {
    "content_id": "id",
    "content_type": "word",
    "content_name": "text",
    "content_category": "text",
    "brand": "text",
    "description": "text",
    "price": "amount",
    "quantity": "count",
}
"""Every key of an entry of ``contents``. TikTok's own SDKs define ``quantity`` as an integer."""

USER_KEYS: dict[str, frozenset[str]] = {
    "ttclid": frozenset({"web"}),
    "ttp": frozenset({"web"}),
    "ip": frozenset({"web", "app"}),
    "user_agent": frozenset({"web", "app"}),
    "locale": frozenset({"web", "app"}),
    "email": frozenset({"web", "app", "offline", "crm"}),
    "phone": frozenset({"web", "app", "offline", "crm"}),
    "external_id": frozenset({"web", "crm"}),
    "first_name": frozenset({"web"}),
    "last_name": frozenset({"web"}),
    "zip_code": frozenset({"web"}),
    "city": frozenset({"web"}),
    "state": frozenset({"web"}),
    "country": frozenset({"web"}),
    "idfa": frozenset({"app"}),
    "idfv": frozenset({"app"}),
    "gaid": frozenset({"app"}),
    "att_status": frozenset({"app"}),
}
"""Every key of ``user``, with the event sources that accept it."""
