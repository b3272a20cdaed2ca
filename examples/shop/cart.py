"""The cart, stored in a signed cookie so that any process can read it; it contains no personal data."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import Any

from itsdangerous import BadSignature, URLSafeSerializer

from .catalogue import Product, find_product

__all__ = ["CART_COOKIE", "FREE_SHIPPING_CENTS", "MOST_AT_ONCE", "Cart", "Line"]

CART_COOKIE = "tidewheel_cart"
FREE_SHIPPING_CENTS = 6000
SHIPPING_CENTS = 490
MOST_AT_ONCE = 12  # pieces of one product; the workshop is small
_MOST = 99
_KEPT_S = 30 * 24 * 3600

_signer = URLSafeSerializer(os.environ.get("SHOP_SECRET", "only for the demo"), salt="cart")


@dataclass(frozen=True)
class Line:
    """One product and its quantity."""

    product: Product
    quantity: int

    @property
    def total_cents(self) -> int:
        """Return the price of the line, in euro cents."""
        return self.product.price_cents * self.quantity

    @property
    def total(self) -> float:
        """Return the price of the line, in euros."""
        return self.total_cents / 100


@dataclass
class Cart:
    """Quantities of the products in the cart, by slug."""

    quantities: dict[str, int] = field(default_factory=dict)

    @classmethod
    def load(cls, cookie: str | None) -> Cart:
        """Return the cart of a cookie value, or an empty cart if the value is missing or was altered."""
        try:
            stored = _signer.loads(cookie or "")
        except BadSignature:
            stored = {}
        cart = cls()
        for slug, quantity in stored.items():
            if product := find_product(slug):
                cart.change(product, quantity)
        return cart

    def cookie(self) -> dict[str, Any]:
        """Return arguments for the framework's `set_cookie`."""
        value = str(_signer.dumps(self.quantities))
        return {"key": CART_COOKIE, "value": value, "max_age": _KEPT_S, "httponly": True, "samesite": "Lax"}

    def add(self, product: Product, quantity: object = 1) -> Line:
        """Add one to twelve pieces of a product, and return the added line."""
        added = min(max(_whole(quantity, 1), 1), MOST_AT_ONCE)
        self.quantities[product.slug] = self.quantities.get(product.slug, 0) + added
        return Line(product, added)

    def change(self, product: Product, quantity: object) -> None:
        """Set the quantity of a product; zero removes the product, and a value that is not a number changes nothing."""
        wanted = min(_whole(quantity, self.quantities.get(product.slug, 0)), _MOST)
        if wanted > 0:
            self.quantities[product.slug] = wanted
        else:
            self.quantities.pop(product.slug, None)

    @property
    def lines(self) -> list[Line]:
        """Return the lines in the order in which they were added."""
        return [
            Line(product, quantity) for slug, quantity in self.quantities.items() if (product := find_product(slug))
        ]

    @property
    def count(self) -> int:
        """Return the number of pieces."""
        return sum(self.quantities.values())

    @property
    def subtotal_cents(self) -> int:
        """Return the price of the pieces, in euro cents."""
        return sum(line.total_cents for line in self.lines)

    @property
    def shipping_cents(self) -> int:
        """Return the shipping price, in euro cents."""
        return 0 if self.subtotal_cents >= FREE_SHIPPING_CENTS or not self.quantities else SHIPPING_CENTS

    @property
    def missing_for_free_shipping_cents(self) -> int:
        """Return the amount that is missing for free shipping, in euro cents."""
        return max(FREE_SHIPPING_CENTS - self.subtotal_cents, 0)

    @property
    def total(self) -> float:
        """Return the amount to pay, in euros."""
        return (self.subtotal_cents + self.shipping_cents) / 100


def _whole(number: object, otherwise: int) -> int:
    try:
        return int(str(number))
    except ValueError:
        return otherwise
