"""The shop on Django: `python examples/django_shop.py`, or any server with `wsgi_application` or `asgi_application`.

TikTok is one line, first in MIDDLEWARE, and `request.tiktok` in the views (typed: `tiktok_from(request)`).
TIKTOK_PIXEL_ID and TIKTOK_ACCESS_TOKEN switch it on; without them this is a plain shop.
"""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import path
from django.views import View
from django.views.decorators.http import require_GET, require_POST

if __package__:
    from . import shop
else:  # started as a file
    import shop

settings.configure(
    # No CsrfViewMiddleware: the shop has no login, and the cart's cookie is SameSite=Lax.
    MIDDLEWARE=["tiktok_middleware.contrib.django.TikTokMiddleware", "django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY=os.environ.get("SHOP_SECRET", "only for the demo"),
    ALLOWED_HOSTS=["*"],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.jinja2.Jinja2",
            "DIRS": [shop.TEMPLATES],
            "OPTIONS": {"environment": f"{shop.__name__}.environment", "context_processors": [f"{__name__}.extras"]},
        },
    ],
)


class SeeOther(HttpResponseRedirect):
    status_code = 303


def extras(request: HttpRequest) -> dict[str, object]:
    return {"cart": cart_of(request)}


def cart_of(request: HttpRequest) -> shop.Cart:
    return shop.Cart.load(request.COOKIES.get(shop.CART_COOKIE))


def found_or_404(found: Any) -> Any:
    if found is None:
        raise Http404
    return found


@require_GET
def home(request: HttpRequest) -> HttpResponse:
    return render(request, "home.html")


@require_GET
def product(request: HttpRequest, slug: str) -> HttpResponse:
    found = found_or_404(shop.find_product(slug))
    request.tiktok.track(
        "ViewContent", contents=shop.contents([shop.Line(found, 1)]), value=found.price, currency=shop.CURRENCY
    )
    return render(request, "product.html", {"product": found, "related": shop.related_to(found)})


@require_GET
def search(request: HttpRequest) -> HttpResponse:
    if words := request.GET.get("q", "").strip():
        request.tiktok.track("Search", search_string=words)
    return render(request, "search.html", {"words": words, "found": shop.search(words)})


class CartView(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        return render(request, "cart.html")

    def post(self, request: HttpRequest) -> HttpResponse:
        found, cart = found_or_404(shop.find_product(request.POST.get("product", ""))), cart_of(request)
        line = cart.add(found, request.POST.get("quantity"))
        request.tiktok.track("AddToCart", contents=shop.contents([line]), value=line.total, currency=shop.CURRENCY)
        response = SeeOther("/cart")
        if request.headers.get("Accept") == "application/json":  # shop.js uses fetch; a plain form is redirected
            response = JsonResponse({"count": cart.count, "message": f"{found.name} is in your cart."})
        response.set_cookie(**cart.cookie())
        return response


@require_POST
def change_cart(request: HttpRequest, slug: str) -> HttpResponse:
    cart = cart_of(request)
    cart.change(found_or_404(shop.find_product(slug)), request.POST.get("quantity"))
    response = SeeOther("/cart")
    response.set_cookie(**cart.cookie())
    return response


class CheckoutView(View):
    def get(self, request: HttpRequest) -> HttpResponse:
        cart = cart_of(request)
        if not cart.lines:
            return SeeOther("/cart")
        request.tiktok.track(
            "InitiateCheckout",
            contents=shop.contents(cart.lines),
            value=cart.total,
            currency=shop.CURRENCY,
            once_per="visit",
        )
        return render(request, "checkout.html")

    def post(self, request: HttpRequest) -> HttpResponse:
        cart = cart_of(request)
        if not cart.lines:
            return SeeOther("/cart")
        customer, wrong = shop.read_customer(request.POST)
        if wrong:
            return render(request, "checkout.html", {"customer": customer, "wrong": wrong}, status=422)
        request.tiktok.identify(**shop.identity(customer))
        request.tiktok.track(
            "AddPaymentInfo", contents=shop.contents(cart.lines), value=cart.total, currency=shop.CURRENCY
        )
        # If this raises, the event above is sent on neither channel.
        order = shop.place_order(cart, customer)
        return SeeOther(f"/pay/{order.number}")


def track_purchase(request: HttpRequest, order: shop.Order) -> None:
    request.tiktok.identify(**shop.identity(order.customer))
    request.tiktok.track(
        "Purchase",
        order_id=order.number,
        value=order.total,
        currency=shop.CURRENCY,
        contents=shop.contents(order.lines),
    )


class BankView(View):
    def get(self, request: HttpRequest, number: str) -> HttpResponse:
        order = found_or_404(shop.find_order(number))
        if order.is_paid:
            return SeeOther(f"/thank-you/{order.number}")
        return render(request, "pay.html", {"order": order})

    def post(self, request: HttpRequest, number: str) -> HttpResponse:
        order = found_or_404(shop.find_order(number))
        shop.mark_paid(order)
        track_purchase(request, order)
        response = SeeOther(f"/thank-you/{order.number}")
        response.delete_cookie(shop.CART_COOKIE)
        return response


@require_GET
def thank_you(request: HttpRequest, number: str) -> HttpResponse:
    order = found_or_404(shop.find_order(number))
    if not order.is_paid:
        return SeeOther(f"/pay/{order.number}")
    # Tracked a second time on purpose: whichever response reaches the browser carries the event. Events with the same
    # order_id count as one purchase, however often this page is loaded.
    track_purchase(request, order)
    return render(request, "thank_you.html", {"order": order})


def static(request: HttpRequest, name: str) -> HttpResponse:
    body, content_type = found_or_404(shop.static_file(name))
    return HttpResponse(body, content_type=content_type)


def handler404(request: HttpRequest, exception: Exception) -> HttpResponse:
    return render(request, "not_found.html", status=404)


def handler500(request: HttpRequest) -> HttpResponse:
    return render(request, "failed.html", status=500)


urlpatterns = [
    path("", home),
    path("products/<slug:slug>", product),
    path("search", search),
    path("cart", CartView.as_view()),
    path("cart/<slug:slug>", change_cart),
    path("checkout", CheckoutView.as_view()),
    path("pay/<slug:number>", BankView.as_view()),
    path("thank-you/<slug:number>", thank_you),
    path("static/<path:name>", static),
]

wsgi_application = get_wsgi_application()
asgi_application = get_asgi_application()

if __name__ == "__main__":
    execute_from_command_line(["django", "runserver", "--noreload", os.environ.get("PORT", "8000")])
