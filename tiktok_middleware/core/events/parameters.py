"""The names of an event's parameters: typed for editors, listed for checks; it knows nothing of their values.

Sources: TikTok's page "Report App, Web, Offline, or CRM Events" for all that sells; Segment's TikTok destination, which
TikTok's staff co-write, for travel and vehicles.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Literal, TypedDict

__all__ = ["CURRENCIES", "FOREIGN", "MISNOMERS", "SHORTHAND", "Content", "Properties"]

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
    """Every parameter that TikTok reads; others may be given in a mapping and travel along unread.

    ``value`` is the total of the event, ``price`` that of one unit. ``content_id``, ``content_name``,
    ``content_category``, ``brand``, ``price`` and ``quantity`` describe a single product and move into ``contents``.
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


SHORTHAND = ("content_id", "content_name", "content_category", "brand", "price", "quantity")
"""Keys of a single product that may stand at the top; the browser pixel would take some of them, the server none."""

CURRENCIES = frozenset(
    "AED ARS AUD BDT BHD BIF BOB BRL CAD CHF CLP CNY COP CRC CZK DKK DZD EGP EUR GBP GTQ HKD HNL HUF IDR ILS INR ISK "  # noqa: SIM905 -- not a word a line
    "JPY KES KHR KRW KWD KZT MAD MOP MXN MYR NGN NIO NOK NZD OMR PEN PHP PKR PLN PYG QAR RON RUB SAR SEK SGD THB TRY "
    "TWD UAH USD VES VND ZAR".split()
)
"""The 62 currencies of TikTok's list; it converts no other."""

_PERSON = "identify(), which hashes it"
_OURS = "nothing: the middleware sets it"

_FOREIGN: dict[str, str] = {
    **dict.fromkeys(("email", "phone", "phone_number", "external_id", "first_name", "last_name", "zip_code"), _PERSON),
    **dict.fromkeys(("sha256_email", "sha256_phone_number"), _PERSON),
    **dict.fromkeys(("ttclid", "ttp", "_ttp", "ip", "user_agent", "pixel_code"), _OURS),
    "limited_data_use": "the option limited_data_use, which holds for both channels",
    "event_id": "track(event_id=...)",
    "event_time": "track(event_time=...)",
}

FOREIGN: dict[str, str] = {key.replace("_", ""): place for key, place in _FOREIGN.items()}
"""Keys that are no parameters of an event, lower-case letters and digits only, with the place where they belong."""

MISNOMERS: dict[str, str] = {
    **dict.fromkeys(("amount", "total", "total_price", "revenue"), "value"),
    **dict.fromkeys(("currency_code", "iso_currency"), "currency"),
    **dict.fromkeys(("products", "items", "line_items"), "contents"),
    **dict.fromkeys(("id", "sku", "product_id", "item_id"), "content_id"),
    **dict.fromkeys(("name", "product_name", "item_name"), "content_name"),
    **dict.fromkeys(("category", "product_category"), "content_category"),
    **dict.fromkeys(("qty", "count"), "quantity"),
    **dict.fromkeys(("transaction_id", "order_number"), "order_id"),
    **dict.fromkeys(("search_term", "search_query"), "search_string"),
}
"""What other tools call a parameter, with TikTok's own word for it."""
