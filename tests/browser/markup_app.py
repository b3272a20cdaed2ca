"""A Django shop whose pages its own cache answers, so that no view runs: their events stand in the markup."""

from __future__ import annotations

import itertools
from typing import Any

import django
from django.conf import settings
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse
from django.template import engines
from django.urls import path
from django.views.decorators.cache import cache_page

settings.configure(
    ALLOWED_HOSTS=["*"],
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the tests",
    MIDDLEWARE=["tiktok_middleware.contrib.django.TikTokMiddleware", "django.middleware.common.CommonMiddleware"],
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "OPTIONS": {
                "context_processors": ["django.template.context_processors.request"],
                "libraries": {"tiktok": "tiktok_middleware.contrib.django"},
            },
        }
    ],
)
django.setup()

_VIEWS = itertools.count(1)
_PAGE = """{% load tiktok %}<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,">
<title>Shop</title><script src="{{ script }}" defer></script></head><body>
<main {% tiktok_on "load" "ViewContent" value=24 currency="EUR" description="<é & 'quotes'>" %}><h1>Shop</h1></main>
<p id="runs">{{ runs }}</p>
<button id="contact" {% tiktok_on "click" "Contact" %}><b>Call us</b></button>
<form id="lead" {% tiktok_on "submit" "Lead" %} onsubmit="return false"><button>Send</button></form>
<div id="more"></div></body></html>"""
_PART = """{% load tiktok %}<p class="part" {% tiktok_on "load" "Search" query="mug" search_string="mug" %}>Part</p>"""


def _render(request: HttpRequest, template: str, **context: Any) -> HttpResponse:
    return HttpResponse(engines["django"].from_string(template).render(context, request))


@cache_page(600)
def product(request: HttpRequest, library: str) -> HttpResponse:
    return _render(request, _PAGE, runs=next(_VIEWS), script=f"/{library}.js")


@cache_page(600)
def part(request: HttpRequest) -> HttpResponse:
    return _render(request, _PART)


urlpatterns = [path("part", part), path("<str:library>/product", product)]
application = get_wsgi_application()
