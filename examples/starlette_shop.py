"""The shop on Starlette: `python examples/starlette_shop.py`, or any ASGI server with `examples.starlette_shop:app`.

TikTok is one line, `Middleware(TikTokMiddleware)`, and `request.tiktok` in the views (typed: `tiktok_from(request)`).
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

from tiktok_middleware.contrib.starlette import TikTokMiddleware

if __package__:
    from . import shop
else:  # started as a file
    import shop


def cart_of(request: Request) -> shop.Cart:
    return shop.Cart.load(request.cookies.get(shop.CART_COOKIE))


templates = Jinja2Templates(shop.TEMPLATES, context_processors=[lambda request: {"cart": cart_of(request)}])
shop.prepare(templates.env)
page = templates.TemplateResponse


def home(request: Request) -> Response:
    return page(request, "home.html")


def product(request: Request) -> Response:
    found = shop.find_product(request.path_params["slug"])
    if found is None:
        raise HTTPException(404)
    request.tiktok.track(
        "ViewContent", contents=shop.contents([shop.Line(found, 1)]), value=found.price, currency=shop.CURRENCY
    )
    return page(request, "product.html", {"product": found, "related": shop.related_to(found)})


def search(request: Request) -> Response:
    if words := request.query_params.get("q", "").strip():
        request.tiktok.track("Search", search_string=words)
    return page(request, "search.html", {"words": words, "found": shop.search(words)})


def show_cart(request: Request) -> Response:
    return page(request, "cart.html")


async def add_to_cart(request: Request) -> Response:
    form = await request.form()
    found = shop.find_product(str(form.get("product")))
    if found is None:
        raise HTTPException(404)
    cart = cart_of(request)
    line = cart.add(found, form.get("quantity"))
    request.tiktok.track("AddToCart", contents=shop.contents([line]), value=line.total, currency=shop.CURRENCY)
    response: Response = RedirectResponse("/cart", 303)
    if request.headers.get("accept") == "application/json":  # shop.js uses fetch; a plain form follows the redirect
        response = JSONResponse({"count": cart.count, "message": f"{found.name} is in your cart."})
    response.set_cookie(**cart.cookie())
    return response


async def change_cart(request: Request) -> Response:
    cart, form = cart_of(request), await request.form()
    found = shop.find_product(request.path_params["slug"])
    if found is None:
        raise HTTPException(404)
    cart.change(found, form.get("quantity"))
    response = RedirectResponse("/cart", 303)
    response.set_cookie(**cart.cookie())
    return response


def show_checkout(request: Request) -> Response:
    cart = cart_of(request)
    if not cart.lines:
        return RedirectResponse("/cart", 303)
    request.tiktok.track(
        "InitiateCheckout",
        contents=shop.contents(cart.lines),
        value=cart.total,
        currency=shop.CURRENCY,
        once_per="visit",
    )
    return page(request, "checkout.html")


async def checkout(request: Request) -> Response:
    cart = cart_of(request)
    if not cart.lines:
        return RedirectResponse("/cart", 303)
    customer, wrong = shop.read_customer(await request.form())
    if wrong:
        return page(request, "checkout.html", {"customer": customer, "wrong": wrong}, status_code=422)
    request.tiktok.identify(**shop.identity(customer))
    request.tiktok.track("AddPaymentInfo", contents=shop.contents(cart.lines), value=cart.total, currency=shop.CURRENCY)
    # If this raises, the event above is sent on neither channel.
    order = await run_in_threadpool(shop.place_order, cart, customer)
    return RedirectResponse(f"/pay/{order.number}", 303)


def order_of(request: Request) -> shop.Order:
    order = shop.find_order(request.path_params["number"])
    if order is None:
        raise HTTPException(404)
    return order


def track_purchase(request: Request, order: shop.Order) -> None:
    request.tiktok.identify(**shop.identity(order.customer))
    request.tiktok.track(
        "Purchase",
        order_id=order.number,
        value=order.total,
        currency=shop.CURRENCY,
        contents=shop.contents(order.lines),
    )


def bank(request: Request) -> Response:
    order = order_of(request)
    if order.is_paid:
        return RedirectResponse(f"/thank-you/{order.number}", 303)
    return page(request, "pay.html", {"order": order})


def pay(request: Request) -> Response:
    order = order_of(request)
    shop.mark_paid(order)
    track_purchase(request, order)
    response = RedirectResponse(f"/thank-you/{order.number}", 303)
    response.delete_cookie(shop.CART_COOKIE)
    return response


def thank_you(request: Request) -> Response:
    order = order_of(request)
    if not order.is_paid:
        return RedirectResponse(f"/pay/{order.number}", 303)
    # Tracked a second time on purpose: whichever response reaches the browser carries the event. Events with the same
    # order_id count as one purchase, however often this page is loaded.
    track_purchase(request, order)
    return page(request, "thank_you.html", {"order": order})


def not_found(request: Request, _error: Exception) -> Response:
    return page(request, "not_found.html", status_code=404)


def failed(request: Request, _error: Exception) -> Response:
    return page(request, "failed.html", status_code=500)


app = Starlette(
    routes=[
        Route("/", home),
        Route("/products/{slug}", product),
        Route("/search", search),
        Route("/cart", show_cart),
        Route("/cart", add_to_cart, methods=["POST"]),
        Route("/cart/{slug}", change_cart, methods=["POST"]),
        Route("/checkout", show_checkout),
        Route("/checkout", checkout, methods=["POST"]),
        Route("/pay/{number}", bank),
        Route("/pay/{number}", pay, methods=["POST"]),
        Route("/thank-you/{number}", thank_you),
        Mount("/static", StaticFiles(directory=shop.STATIC)),
    ],
    middleware=[Middleware(TikTokMiddleware)],
    exception_handlers={404: not_found, 500: failed},
)

if __name__ == "__main__":
    import uvicorn

    uvicorn.run(app, port=int(os.environ.get("PORT", "8000")))
