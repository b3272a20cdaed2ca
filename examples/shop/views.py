"""The shop's views for frameworks whose examples show only routing: each view takes a visit and returns a reply.

Django, FastAPI, Flask and Starlette have the same views in their own style, such as ``examples/starlette_shop.py``.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from jinja2 import Environment, FileSystemLoader

from .cart import CART_COOKIE, Cart, Line
from .catalogue import CURRENCY, find_product, related_to
from .catalogue import search as search_products
from .checkout import read_customer
from .orders import Order, find_order, mark_paid, place_order
from .pages import TEMPLATES, prepare, static_file
from .tracking import contents, identity

__all__ = ["VIEWS", "Reply", "View", "Visit", "failed", "not_found", "static"]

HTML = "text/html; charset=utf-8"


@dataclass(frozen=True)
class Visit:
    """The parts of a request that a view needs.

    Attributes:
        tiktok: the request's tracker.
        cookies: cookies by name.
        query: parameters of the URL.
        form: fields of the posted form.
        accept: value of the Accept header.
        argument: variable part of the path.
    """

    tiktok: Any
    cookies: Mapping[str, str]
    query: Mapping[str, str] = field(default_factory=dict)
    form: Mapping[str, str] = field(default_factory=dict)
    accept: str = ""
    argument: str = ""

    @property
    def cart(self) -> Cart:
        return Cart.load(self.cookies.get(CART_COOKIE))


@dataclass(frozen=True)
class Reply:
    """A response.

    Attributes:
        cookies: `Set-Cookie` values.
    """

    body: bytes = b""
    status: int = 200
    content_type: str = HTML
    location: str = ""
    cookies: tuple[str, ...] = ()

    @property
    def headers(self) -> list[tuple[str, str]]:
        """Return all headers, the content type first; a framework may set the content type itself."""
        location = [("Location", self.location)] if self.location else []
        return [("Content-Type", self.content_type), *location, *(("Set-Cookie", value) for value in self.cookies)]


View = Callable[[Visit], Reply]


@lru_cache(maxsize=1)
def _jinja() -> Environment:
    jinja = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
    prepare(jinja)
    return jinja


def page(visit: Visit, template: str, status: int = 200, **context: Any) -> Reply:
    html = _jinja().get_template(template).render(cart=visit.cart, **context)
    return Reply(html.encode(), status)


def see_other(location: str, *cookies: str) -> Reply:
    return Reply(status=303, location=location, cookies=cookies)


def not_found(visit: Visit) -> Reply:
    return page(visit, "not_found.html", 404)


def failed(visit: Visit) -> Reply:
    return page(visit, "failed.html", 500)


def _cookie(cart: Cart) -> str:
    made = cart.cookie()
    return f"{made['key']}={made['value']}; Max-Age={made['max_age']}; Path=/; HttpOnly; SameSite={made['samesite']}"


def home(visit: Visit) -> Reply:
    return page(visit, "home.html")


def product(visit: Visit) -> Reply:
    found = find_product(visit.argument)
    if found is None:
        return not_found(visit)
    visit.tiktok.track("ViewContent", contents=contents([Line(found, 1)]), value=found.price, currency=CURRENCY)
    return page(visit, "product.html", product=found, related=related_to(found))


def search(visit: Visit) -> Reply:
    if words := visit.query.get("q", "").strip():
        visit.tiktok.track("Search", search_string=words)
    return page(visit, "search.html", words=words, found=search_products(words))


def show_cart(visit: Visit) -> Reply:
    return page(visit, "cart.html")


def add_to_cart(visit: Visit) -> Reply:
    found, cart = find_product(visit.form.get("product", "")), visit.cart
    if found is None:
        return not_found(visit)
    line = cart.add(found, visit.form.get("quantity"))
    visit.tiktok.track("AddToCart", contents=contents([line]), value=line.total, currency=CURRENCY)
    if visit.accept != "application/json":  # shop.js uses fetch; a plain form follows the redirect
        return see_other("/cart", _cookie(cart))
    said = json.dumps({"count": cart.count, "message": f"{found.name} is in your cart."}).encode()
    return Reply(said, content_type="application/json", cookies=(_cookie(cart),))


def change_cart(visit: Visit) -> Reply:
    found, cart = find_product(visit.argument), visit.cart
    if found is None:
        return not_found(visit)
    cart.change(found, visit.form.get("quantity"))
    return see_other("/cart", _cookie(cart))


def show_checkout(visit: Visit) -> Reply:
    cart = visit.cart
    if not cart.lines:
        return see_other("/cart")
    visit.tiktok.track("InitiateCheckout", contents=contents(cart.lines), value=cart.total, currency=CURRENCY)
    return page(visit, "checkout.html")


def checkout(visit: Visit) -> Reply:
    cart = visit.cart
    if not cart.lines:
        return see_other("/cart")
    customer, wrong = read_customer(visit.form)
    if wrong:
        return page(visit, "checkout.html", 422, customer=customer, wrong=wrong)
    visit.tiktok.identify(**identity(customer))
    visit.tiktok.track("AddPaymentInfo", contents=contents(cart.lines), value=cart.total, currency=CURRENCY)
    # If this raises, the event above is sent on neither channel.
    return see_other(f"/pay/{place_order(cart, customer).number}")


def _track_purchase(visit: Visit, order: Order) -> None:
    visit.tiktok.identify(**identity(order.customer))
    visit.tiktok.track(
        "Purchase", order_id=order.number, value=order.total, currency=CURRENCY, contents=contents(order.lines)
    )


def bank(visit: Visit) -> Reply:
    order = find_order(visit.argument)
    if order is None:
        return not_found(visit)
    return see_other(f"/thank-you/{order.number}") if order.is_paid else page(visit, "pay.html", order=order)


def pay(visit: Visit) -> Reply:
    order = find_order(visit.argument)
    if order is None:
        return not_found(visit)
    mark_paid(order)
    _track_purchase(visit, order)
    return see_other(f"/thank-you/{order.number}", f"{CART_COOKIE}=; Max-Age=0; Path=/")


def thank_you(visit: Visit) -> Reply:
    order = find_order(visit.argument)
    if order is None:
        return not_found(visit)
    if not order.is_paid:
        return see_other(f"/pay/{order.number}")
    # Tracked a second time on purpose: whichever response reaches the browser carries the event. Events with the same
    # order_id count as one purchase, however often this page is loaded.
    _track_purchase(visit, order)
    return page(visit, "thank_you.html", order=order)


def static(visit: Visit) -> Reply:
    found = static_file(visit.argument)
    return not_found(visit) if found is None else Reply(found[0], content_type=found[1])


#: Method, path with ``{}`` for its argument, and view.
VIEWS: tuple[tuple[str, str, View], ...] = (
    ("GET", "/", home),
    ("GET", "/products/{}", product),
    ("GET", "/search", search),
    ("GET", "/cart", show_cart),
    ("POST", "/cart", add_to_cart),
    ("POST", "/cart/{}", change_cart),
    ("GET", "/checkout", show_checkout),
    ("POST", "/checkout", checkout),
    ("GET", "/pay/{}", bank),
    ("POST", "/pay/{}", pay),
    ("GET", "/thank-you/{}", thank_you),
)
