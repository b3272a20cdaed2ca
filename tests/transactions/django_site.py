"""Settings and one view of a Django project whose orders and outbox are in PostgreSQL; ``DATABASE_PORT`` says where."""

from __future__ import annotations

import os
from typing import Any

SECRET_KEY = "of the tests"
ROOT_URLCONF = __name__
ALLOWED_HOSTS = ["*"]
USE_TZ = True
INSTALLED_APPS = ["tiktok_middleware.contrib.django"]
MIDDLEWARE = ["tiktok_middleware.contrib.django.TikTokMiddleware"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "shop",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": os.environ.get("DATABASE_PORT", ""),
        "ATOMIC_REQUESTS": True,
    }
}
TIKTOK = {
    "outbox": "django:default",
    "pixel_id": "C0000000000000000000",
    "access_token": "t",
    "consent": "implied",
    "api_url": os.environ.get("API_URL", "http://127.0.0.1:9"),
    "browser_in_test": True,
}


def thanks(request: Any) -> Any:
    from django.http import HttpResponse

    request.tiktok.track("Purchase", order_id=request.GET["order"], value=5, currency="EUR")
    if "fails" in request.GET:
        raise ZeroDivisionError
    return HttpResponse("<!doctype html><html><head><title>Shop</title></head><body>Thanks</body></html>")


def __getattr__(name: str) -> Any:
    """Make the routes when Django asks for them: settings may not import ``django.urls``."""
    if name == "urlpatterns":
        from django.urls import path

        return [path("thanks", thanks)]
    raise AttributeError(name)
