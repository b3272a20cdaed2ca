"""Typed dicts of the event parameters for editors, and other tools' names of these parameters.

Sources: TikTok's page "Report App, Web, Offline, or CRM Events" for e-commerce; Segment's TikTok destination, which
TikTok's staff co-write, for travel and vehicles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, TypedDict

__all__ = [
    "FOREIGN_KEYS",
    "ITEM_ALIASES",
    "ITEM_EXTRAS",
    "MISNOMERS",
    "PROPERTY_ALIASES",
    "SHORTHAND",
    "Content",
    "GivenProperties",
    "Properties",
]

Amount = int | float | Decimal
Id = str | int
Day = str | date


class Content(TypedDict, total=False):
    """One product of ``contents``."""

    content_id: Id
    content_type: Literal["product", "product_group"]
    content_name: str
    content_category: str
    brand: str
    description: str
    price: Amount
    quantity: Amount


class Properties(TypedDict, total=False):
    """Every parameter that TikTok reads. A mapping may hold others; they are sent, but TikTok does not read them.

    ``value`` is the total of the event, ``price`` that of one unit. ``content_id``, ``content_name``,
    ``content_category``, ``brand``, ``price`` and ``quantity`` describe a single product. They are moved into
    ``contents``.
    """

    value: Amount
    currency: str
    contents: Sequence[Content]
    content_type: Literal["product", "product_group"]
    content_ids: Sequence[Id]
    num_items: int
    query: str
    search_string: str
    description: str
    order_id: Id
    shop_id: Id
    customer_type: Literal["new", "returning"]
    status: str
    delivery_category: Literal["in_store", "curbside", "home_delivery"]
    predicted_ltv: Amount
    content_id: Id
    content_name: str
    content_category: str
    brand: str
    price: Amount
    quantity: Amount
    # travel
    city: str
    region: str
    country: str
    checkin_date: Day
    checkout_date: Day
    num_adults: int
    num_children: int
    num_infants: int
    suggested_hotels: Sequence[str]
    departing_departure_date: Day
    departing_arrival_date: Day
    returning_departure_date: Day
    returning_arrival_date: Day
    origin_airport: str
    destination_airport: str
    destination_ids: Sequence[Id]
    travel_class: Literal["eco", "prem", "bus", "first"]
    user_score: Amount
    preferred_num_stops: int
    travel_start: Day
    travel_end: Day
    suggested_destinations: Sequence[str]
    # vehicles
    postal_code: str
    make: str
    model: str
    year: int
    state_of_vehicle: str
    mileage: dict[str, object]
    exterior_color: str
    transmission: str
    body_style: str
    fuel_type: str
    drivetrain: str
    preferred_price_range: Sequence[Amount]
    trim: str
    vin: str
    interior_color: str
    condition_of_vehicle: str
    viewcontent_type: str
    search_type: str
    registration_type: str


class GivenProperties(Properties, total=False):
    """Keyword parameters of ``track()``: TikTok's parameters, and GA4's and Segment's names of some of them."""

    items: Sequence[Mapping[str, object]]
    products: Sequence[Mapping[str, object]]
    transaction_id: Id
    search_term: str


if TYPE_CHECKING:

    class OpenProperties(GivenProperties, total=False, extra_items=object):  # type: ignore[call-arg]  # PEP 728, not in mypy yet
        """The same with custom properties. mypy does not support PEP 728; pass custom properties in a mapping there."""


SHORTHAND = ("content_id", "content_name", "content_category", "brand", "price", "quantity")
"""Keys of a single product that may be given at the top level. The pixel reads some of them there, the server none."""

_PERSON = "identify(), which hashes it"
_OURS = "nothing: the middleware sets it"

_FOREIGN: dict[str, str] = {
    **dict.fromkeys(("email", "phone", "phone_number", "external_id", "first_name", "last_name", "zip_code"), _PERSON),
    **dict.fromkeys(("sha256_email", "sha256_phone_number"), _PERSON),
    **dict.fromkeys(("ttclid", "ttp", "_ttp", "ip", "user_agent", "pixel_code"), _OURS),
    "limited_data_use": "track(limited_data_use=...)",
    "event_id": "track(event_id=...)",
    "event_time": "track(event_time=...)",
}

FOREIGN_KEYS: dict[str, str] = {key.replace("_", ""): place for key, place in _FOREIGN.items()}
"""Keys that are not event parameters, in lower-case letters and digits, with the place where they belong."""

ITEM_ALIASES: dict[str, tuple[str, ...]] = {
    "content_id": ("item_id", "product_id", "id", "sku"),
    "content_name": ("item_name", "product_name", "name"),
    "content_category": ("item_category", "product_category", "category"),
    "brand": ("item_brand", "product_brand"),
}
"""GA4's, Segment's and shops' names of a product's keys. TikTok's own name is used first, then these in order."""

ITEM_EXTRAS: frozenset[str] = frozenset(
    {
        *("affiliation", "coupon", "creative_name", "creative_slot", "discount", "google_business_vertical", "index"),
        *("item_list_id", "item_list_name", "item_variant", "location_id", "promotion_id", "promotion_name"),
        *("image_url", "list_id", "position", "url", "variant"),
    }
)
"""Keys of a product in GA4 and Segment for which TikTok has no key."""

PROPERTY_ALIASES: dict[str, tuple[str, ...]] = {
    "contents": ("items", "products", "line_items"),
    "order_id": ("transaction_id", "order_number"),
    "search_string": ("search_term", "search_query"),
    "currency": ("currency_code", "iso_currency"),
    "content_id": ("item_id", "product_id"),
    "content_name": ("item_name", "product_name"),
    "content_category": ("item_category", "product_category"),
    "brand": ("item_brand", "product_brand"),
}
"""GA4's, Segment's and shops' names of an event's parameters, in order of preference."""

MISNOMERS: dict[str, str] = {
    **dict.fromkeys(("amount", "total", "total_price", "revenue"), "value"),
    **dict.fromkeys(("id", "sku"), "content_id"),
    "name": "content_name",
    "category": "content_category",
    **dict.fromkeys(("qty", "count"), "quantity"),
}
"""Ambiguous keys with the TikTok parameter they may mean. They are not renamed; a warning names both."""
