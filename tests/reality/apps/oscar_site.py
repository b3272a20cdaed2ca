"""django-oscar, a whole shop, with the four events that its own signals announce."""

from __future__ import annotations

import os
from decimal import Decimal
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.urls import include, path, re_path

IS_BARE = "BARE" in os.environ
FOLDER = Path(os.environ["SHOP_DB"]).parent


def configure() -> None:
    import oscar
    from oscar import defaults

    given = {name: getattr(defaults, name) for name in dir(defaults) if name.startswith("OSCAR_")}
    given |= {"OSCAR_ALLOW_ANON_CHECKOUT": True, "OSCAR_DEFAULT_CURRENCY": "EUR", "OSCAR_SHOP_NAME": "Tidewheel"}
    middleware = [
        "django.middleware.security.SecurityMiddleware",
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "oscar.apps.basket.middleware.BasketMiddleware",
        "django.contrib.flatpages.middleware.FlatpageFallbackMiddleware",
    ]
    processors = [
        *("django.template.context_processors.debug", "django.template.context_processors.request"),
        *("django.contrib.auth.context_processors.auth", "django.template.context_processors.i18n"),
        *("django.contrib.messages.context_processors.messages", "oscar.apps.search.context_processors.search_form"),
        *("oscar.apps.checkout.context_processors.checkout", "oscar.core.context_processors.metadata"),
        "oscar.apps.communication.notifications.context_processors.notifications",
    ]
    settings.configure(
        **given,
        SECRET_KEY="for tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SITE_ID=1,
        INSTALLED_APPS=list(oscar.INSTALLED_APPS),
        MIDDLEWARE=middleware if IS_BARE else ["tiktok_middleware.contrib.django.TikTokMiddleware", *middleware],
        AUTHENTICATION_BACKENDS=[
            "oscar.apps.customer.auth_backends.EmailBackend",
            "django.contrib.auth.backends.ModelBackend",
        ],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": processors},
            }
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_DB"]}},
        HAYSTACK_CONNECTIONS={"default": {"ENGINE": "haystack.backends.simple_backend.SimpleEngine"}},
        EMAIL_BACKEND="django.core.mail.backends.dummy.EmailBackend",
        MEDIA_ROOT=str(FOLDER / "media"),
        MEDIA_URL="/media/",
        STATIC_URL="/static/",
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )


def fill() -> None:
    from django.core.management import call_command
    from oscar.apps.address.models import Country
    from oscar.test.factories import create_product

    call_command("migrate", verbosity=0)
    Country.objects.create(
        iso_3166_1_a2="DE", iso_3166_1_a3="DEU", printable_name="Germany", name="GERMANY", is_shipping_country=True
    )
    for number in (1, 2):
        create_product(upc=f"MUG-{number}", title=f"Mug {number}", price=Decimal("9.90") * number, num_in_stock=500)


def track_signals() -> None:
    from oscar.apps.basket.signals import basket_addition
    from oscar.apps.catalogue.signals import product_viewed
    from oscar.apps.checkout.signals import post_checkout, start_checkout

    def viewed(sender: Any, product: Any, request: Any, **_: Any) -> None:
        request.tiktok.track("ViewContent", content_id=product.upc, currency="EUR", value=9.90)

    def added(sender: Any, product: Any, request: Any, **_: Any) -> None:
        request.tiktok.track("AddToCart", content_id=product.upc, currency="EUR", value=9.90)

    def started(sender: Any, request: Any, **_: Any) -> None:
        request.tiktok.track("InitiateCheckout", currency="EUR", value=request.basket.total_incl_tax)

    def bought(sender: Any, order: Any, request: Any, **_: Any) -> None:
        request.tiktok.identify(email=order.email)
        request.tiktok.track("Purchase", value=order.total_incl_tax, currency=order.currency, order_id=order.number)

    pairs = ((product_viewed, viewed), (basket_addition, added), (start_checkout, started), (post_checkout, bought))
    for signal, receiver in pairs:
        signal.connect(receiver, weak=False)


if not settings.configured:
    configure()
    django.setup()
    if not Path(os.environ["SHOP_DB"]).exists():
        fill()
    if not IS_BARE:
        track_signals()

from django.apps import apps  # noqa: E402  # after the settings
from django.contrib.staticfiles.views import serve  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402

urlpatterns = [
    path("i18n/", include("django.conf.urls.i18n")),
    re_path(r"^static/(?P<path>.*)$", serve, {"insecure": True}),
    path("", include(apps.get_app_config("oscar").urls[0])),
]
app: Any = get_wsgi_application()
