"""A small Django app whose policy lets only scripts with its nonce run, and what those load; no view asks for the nonce."""

from __future__ import annotations

from csp.constants import NONCE
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path

from tiktok_middleware.contrib.django import tiktok_from

settings.configure(
    MIDDLEWARE=["tiktok_middleware.contrib.django.TikTokMiddleware", "csp.middleware.CSPMiddleware"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the tests",
    ALLOWED_HOSTS=["*"],
    CONTENT_SECURITY_POLICY={
        "DIRECTIVES": {
            "default-src": None,  # django-csp would say 'self'
            "script-src": [NONCE, "'strict-dynamic'"],
            "object-src": ["'none'"],
            "base-uri": ["'none'"],
        }
    },
)

_PAGE = (
    '<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Policy</title>'
    '</head><body onclick="window.wasClicked = true"><h1>Policy</h1></body></html>'
)


def page(request: HttpRequest) -> HttpResponse:
    tiktok_from(request).track("ViewContent", value=24.5, currency="EUR")
    return HttpResponse(_PAGE)


def answer(request: HttpRequest) -> JsonResponse:
    tiktok_from(request).track("Search", search_string="mugs")
    return JsonResponse({})


urlpatterns = [path("", page), path("answer", answer)]

wsgi_application = get_wsgi_application()
asgi_application = get_asgi_application()
