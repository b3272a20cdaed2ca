"""Tidewheel, a pottery shop: the code that is the same for every framework."""

from __future__ import annotations

from .cart import CART_COOKIE, Cart, Line
from .catalogue import CURRENCY, PRODUCTS, Product, find_product, related_to, search
from .checkout import Customer, read_customer
from .orders import Order, find_order, mark_paid, place_order
from .pages import STATIC, TEMPLATES, environment, prepare, static_file
from .tracking import contents, identity

__all__ = [
    "CART_COOKIE",
    "CURRENCY",
    "PRODUCTS",
    "STATIC",
    "TEMPLATES",
    "Cart",
    "Customer",
    "Line",
    "Order",
    "Product",
    "contents",
    "environment",
    "find_order",
    "find_product",
    "identity",
    "mark_paid",
    "place_order",
    "prepare",
    "read_customer",
    "related_to",
    "search",
    "static_file",
]
