"""The shop on Flask: `python examples/flask_shop.py`, or any WSGI server with `examples.flask_shop:app`.

TikTok is one line, `TikTok(app)`, and `request.tiktok` in the views (typed: `tiktok_from(request)`).
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os

from flask import Flask, abort, jsonify, redirect, render_template, request
from flask.typing import ResponseReturnValue

from tiktok_middleware.contrib.flask import TikTok

if __package__:
    from . import shop
else:  # started as a file
    import shop

app = Flask(__name__, template_folder=str(shop.TEMPLATES), static_folder=str(shop.STATIC), static_url_path="/static")
shop.prepare(app.jinja_env)
TikTok(app)


def my_cart() -> shop.Cart:
    return shop.Cart.load(request.cookies.get(shop.CART_COOKIE))


def known_order(number: str) -> shop.Order:
    return shop.find_order(number) or abort(404)


def known_product(slug: str) -> shop.Product:
    return shop.find_product(slug) or abort(404)


@app.context_processor
def every_page() -> dict[str, object]:
    return {"cart": my_cart()}


@app.get("/")
def home() -> ResponseReturnValue:
    return render_template("home.html")


@app.get("/products/<slug>")
def product(slug: str) -> ResponseReturnValue:
    found = known_product(slug)
    request.tiktok.track(
        "ViewContent", contents=shop.contents([shop.Line(found, 1)]), value=found.price, currency=shop.CURRENCY
    )
    return render_template("product.html", product=found, related=shop.related_to(found))


@app.get("/search")
def search() -> ResponseReturnValue:
    if words := request.args.get("q", "").strip():
        request.tiktok.track("Search", search_string=words)
    return render_template("search.html", words=words, found=shop.search(words))


@app.get("/cart")
def show_cart() -> ResponseReturnValue:
    return render_template("cart.html")


@app.post("/cart")
def add_to_cart() -> ResponseReturnValue:
    found, cart = known_product(request.form.get("product", "")), my_cart()
    line = cart.add(found, request.form.get("quantity"))
    request.tiktok.track("AddToCart", contents=shop.contents([line]), value=line.total, currency=shop.CURRENCY)
    response = redirect("/cart", 303)
    if request.headers.get("Accept") == "application/json":  # shop.js uses fetch; a plain form follows the redirect
        response = jsonify(count=cart.count, message=f"{found.name} is in your cart.")
    response.set_cookie(**cart.cookie())
    return response


@app.post("/cart/<slug>")
def change_cart(slug: str) -> ResponseReturnValue:
    cart = my_cart()
    cart.change(known_product(slug), request.form.get("quantity"))
    response = redirect("/cart", 303)
    response.set_cookie(**cart.cookie())
    return response


@app.get("/checkout")
def show_checkout() -> ResponseReturnValue:
    cart = my_cart()
    if not cart.lines:
        return redirect("/cart", 303)
    request.tiktok.track(
        "InitiateCheckout",
        contents=shop.contents(cart.lines),
        value=cart.total,
        currency=shop.CURRENCY,
        once_per="visit",
    )
    return render_template("checkout.html")


@app.post("/checkout")
def checkout() -> ResponseReturnValue:
    cart = my_cart()
    if not cart.lines:
        return redirect("/cart", 303)
    customer, wrong = shop.read_customer(request.form)
    if wrong:
        return render_template("checkout.html", customer=customer, wrong=wrong), 422
    request.tiktok.identify(**shop.identity(customer))
    request.tiktok.track("AddPaymentInfo", contents=shop.contents(cart.lines), value=cart.total, currency=shop.CURRENCY)
    # If this raises, the event above is sent on neither channel.
    order = shop.place_order(cart, customer)
    return redirect(f"/pay/{order.number}", 303)


def track_purchase(order: shop.Order) -> None:
    request.tiktok.identify(**shop.identity(order.customer))
    request.tiktok.track(
        "Purchase",
        order_id=order.number,
        value=order.total,
        currency=shop.CURRENCY,
        contents=shop.contents(order.lines),
    )


@app.get("/pay/<number>")
def bank(number: str) -> ResponseReturnValue:
    order = known_order(number)
    if order.is_paid:
        return redirect(f"/thank-you/{order.number}", 303)
    return render_template("pay.html", order=order)


@app.post("/pay/<number>")
def pay(number: str) -> ResponseReturnValue:
    order = known_order(number)
    shop.mark_paid(order)
    track_purchase(order)
    response = redirect(f"/thank-you/{order.number}", 303)
    response.delete_cookie(shop.CART_COOKIE)
    return response


@app.get("/thank-you/<number>")
def thank_you(number: str) -> ResponseReturnValue:
    order = known_order(number)
    if not order.is_paid:
        return redirect(f"/pay/{order.number}", 303)
    # Tracked a second time on purpose: whichever response reaches the browser carries the event. Events with the same
    # order_id count as one purchase, however often this page is loaded.
    track_purchase(order)
    return render_template("thank_you.html", order=order)


@app.errorhandler(404)
def not_found(_error: Exception) -> ResponseReturnValue:
    return render_template("not_found.html"), 404


@app.errorhandler(500)
def failed(_error: Exception) -> ResponseReturnValue:
    return render_template("failed.html"), 500


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "8000")))
