"""The shop on FastAPI: `python examples/fastapi_shop.py`, or any ASGI server with `examples.fastapi_shop:app`.

TikTok is one line, `app.add_middleware(TikTokMiddleware)`, and a dependency in the views: `tiktok: TikTok`.
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os
from typing import Annotated

from fastapi import Depends, FastAPI, Form, Header, HTTPException, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from pydantic import BaseModel

from tiktok_middleware import Tracker
from tiktok_middleware.contrib.fastapi import TikTokMiddleware, tiktok_from

if __package__:
    from . import shop
else:  # started as a file
    import shop


def cart_of(request: Request) -> shop.Cart:
    return shop.Cart.load(request.cookies.get(shop.CART_COOKIE))


def order_of(number: str) -> shop.Order:
    order = shop.find_order(number)
    if order is None:
        raise HTTPException(404)
    return order


TikTok = Annotated[Tracker, Depends(tiktok_from)]
Cart = Annotated[shop.Cart, Depends(cart_of)]

templates = Jinja2Templates(shop.TEMPLATES, context_processors=[lambda request: {"cart": cart_of(request)}])
shop.prepare(templates.env)
page = templates.TemplateResponse

app = FastAPI(title="Tidewheel", docs_url=None, redoc_url=None)
app.add_middleware(TikTokMiddleware)
app.mount("/static", StaticFiles(directory=shop.STATIC))


@app.get("/")
def home(request: Request) -> Response:
    return page(request, "home.html")


@app.get("/products/{slug}")
def product(request: Request, slug: str, tiktok: TikTok) -> Response:
    found = shop.find_product(slug)
    if found is None:
        raise HTTPException(404)
    tiktok.track(
        "ViewContent", contents=shop.contents([shop.Line(found, 1)]), value=found.price, currency=shop.CURRENCY
    )
    return page(request, "product.html", {"product": found, "related": shop.related_to(found)})


@app.get("/search")
def search(request: Request, tiktok: TikTok, q: str = "") -> Response:
    if words := q.strip():
        tiktok.track("Search", search_string=words)
    return page(request, "search.html", {"words": words, "found": shop.search(words)})


@app.get("/cart")
def show_cart(request: Request) -> Response:
    return page(request, "cart.html")


@app.post("/cart")
def add_to_cart(
    cart: Cart,
    tiktok: TikTok,
    product: Annotated[str, Form()],
    quantity: Annotated[str, Form()] = "1",
    accept: Annotated[str, Header()] = "",
) -> Response:
    found = shop.find_product(product)
    if found is None:
        raise HTTPException(404)
    line = cart.add(found, quantity)
    tiktok.track("AddToCart", contents=shop.contents([line]), value=line.total, currency=shop.CURRENCY)
    response: Response = RedirectResponse("/cart", 303)
    if accept == "application/json":  # shop.js uses fetch; a plain form follows the redirect
        response = JSONResponse({"count": cart.count, "message": f"{found.name} is in your cart."})
    response.set_cookie(**cart.cookie())
    return response


@app.post("/cart/{slug}")
def change_cart(slug: str, cart: Cart, quantity: Annotated[str, Form()]) -> Response:
    found = shop.find_product(slug)
    if found is None:
        raise HTTPException(404)
    cart.change(found, quantity)
    response = RedirectResponse("/cart", 303)
    response.set_cookie(**cart.cookie())
    return response


@app.get("/checkout")
def show_checkout(request: Request, cart: Cart, tiktok: TikTok) -> Response:
    if not cart.lines:
        return RedirectResponse("/cart", 303)
    tiktok.track(
        "InitiateCheckout",
        contents=shop.contents(cart.lines),
        value=cart.total,
        currency=shop.CURRENCY,
        once_per="visit",
    )
    return page(request, "checkout.html")


class CheckoutForm(BaseModel):
    """Fields of the form. The shop checks them, so that a mistake shows the page again and not a bare 422."""

    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    street: str = ""
    zip_code: str = ""
    city: str = ""
    country: str = ""


@app.post("/checkout")
def checkout(request: Request, cart: Cart, tiktok: TikTok, form: Annotated[CheckoutForm, Form()]) -> Response:
    if not cart.lines:
        return RedirectResponse("/cart", 303)
    customer, wrong = shop.read_customer(form.model_dump())
    if wrong:
        return page(request, "checkout.html", {"customer": customer, "wrong": wrong}, status_code=422)
    tiktok.identify(**shop.identity(customer))
    tiktok.track("AddPaymentInfo", contents=shop.contents(cart.lines), value=cart.total, currency=shop.CURRENCY)
    # If this raises, the event above is sent on neither channel.
    order = shop.place_order(cart, customer)
    return RedirectResponse(f"/pay/{order.number}", 303)


def track_purchase(tiktok: Tracker, order: shop.Order) -> None:
    tiktok.identify(**shop.identity(order.customer))
    tiktok.track(
        "Purchase",
        order_id=order.number,
        value=order.total,
        currency=shop.CURRENCY,
        contents=shop.contents(order.lines),
    )


@app.get("/pay/{number}")
def bank(request: Request, number: str) -> Response:
    order = order_of(number)
    if order.is_paid:
        return RedirectResponse(f"/thank-you/{order.number}", 303)
    return page(request, "pay.html", {"order": order})


@app.post("/pay/{number}")
def pay(number: str, tiktok: TikTok) -> Response:
    order = order_of(number)
    shop.mark_paid(order)
    track_purchase(tiktok, order)
    response = RedirectResponse(f"/thank-you/{order.number}", 303)
    response.delete_cookie(shop.CART_COOKIE)
    return response


@app.get("/thank-you/{number}")
def thank_you(request: Request, number: str, tiktok: TikTok) -> Response:
    order = order_of(number)
    if not order.is_paid:
        return RedirectResponse(f"/pay/{order.number}", 303)
    # Tracked a second time on purpose: whichever response reaches the browser carries the event. Events with the same
    # order_id count as one purchase, however often this page is loaded.
    track_purchase(tiktok, order)
    return page(request, "thank_you.html", {"order": order})


@app.exception_handler(404)
def not_found(request: Request, _error: Exception) -> Response:
    return page(request, "not_found.html", status_code=404)


@app.exception_handler(500)
def failed(request: Request, _error: Exception) -> Response:
    return page(request, "failed.html", status_code=500)


if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
