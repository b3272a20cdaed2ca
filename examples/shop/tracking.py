"""Convert the shop's lines and customers to TikTok's parameters."""

from __future__ import annotations

from collections.abc import Iterable

from .cart import Line
from .checkout import Customer

__all__ = ["contents", "identity"]


def contents(lines: Iterable[Line]) -> list[dict[str, object]]:
    """Return TikTok's `contents`: one item for each line, with the price of one piece in euros."""
    return [
        {
            "content_id": line.product.sku,
            "content_name": line.product.name,
            "price": line.product.price,
            "quantity": line.quantity,
        }
        for line in lines
    ]


def identity(customer: Customer) -> dict[str, str | None]:
    """Return arguments for `identify()`, which hashes them immediately; a missing phone number is None."""
    return {
        "email": customer.email,
        "phone": customer.phone or None,
        "external_id": customer.number,
        "first_name": customer.first_name,
        "last_name": customer.last_name,
        "city": customer.city,
        "country": customer.country,
        "zip_code": customer.zip_code,
    }
