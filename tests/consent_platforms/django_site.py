"""The same shop under Django, with one of three consent packages of PyPI."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse

from tests.consent_platforms.markup import COOKIE_CONSENT_BAR


class Package(NamedTuple):
    """One package on this site.

    Attributes:
        apps: what it adds to ``INSTALLED_APPS``.
        template: its part of a page.
        prefix: path of its own views; empty if it has none.
        module: module with the models of its cookie groups; empty if they are settings.
    """

    apps: tuple[str, ...]
    template: str
    prefix: str = ""
    module: str = ""


_PACKAGES = {
    # By its defaults: an HttpOnly cookie that pages cannot read.
    "django-cookie-consent": Package(("cookie_consent",), COOKIE_CONSENT_BAR, "cookies/", "cookie_consent"),
    "wagtail-cookies-consent": Package(
        ("wagtail.snippets", "wagtail.users", "wagtail", "taggit", "compressor", "wagtail_cookies_consent"),
        "{% load cookie_consent_tags %}{% cookies_banner %}",
        "/",
        "wagtail_cookies_consent",
    ),
    "django-cookiebanner": Package(("cookiebanner",), "{% load cookiebanner %}{% cookiebanner_modal %}"),
}
_PACKAGE = _PACKAGES[os.environ["PACKAGE"]]

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>
</head><body><h1>{{ path }}</h1><a id="next" href="/two">next</a>
<button id="ask" onclick="fetch('/ask', {method: 'POST'})">ask</button>
<form method="post" action="/buy"><button id="buy">buy</button></form>PACKAGE</body></html>"""

_GROUPS = ("marketing", "stats", "social")

settings.configure(
    SECRET_KEY="for tests",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    STATIC_URL="/static/",
    STATIC_ROOT=tempfile.mkdtemp(),
    USE_TZ=True,
    COMPRESS_ENABLED=False,
    INSTALLED_APPS=[
        *("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.staticfiles"),
        *_PACKAGE.apps,
    ],
    MIDDLEWARE=["tiktok_middleware.contrib.django.TikTokMiddleware"],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(tempfile.mkdtemp()) / "site.sqlite3")}
    },
    TEMPLATES=[
        {
            "BACKEND": "django.template.backends.django.DjangoTemplates",
            "APP_DIRS": True,
            "OPTIONS": {"context_processors": ["django.template.context_processors.request"]},
        }
    ],
    COOKIEBANNER={
        "title": "Cookies",
        "groups": [
            {"id": name, "name": name, "description": "", "optional": name != "needed", "cookies": []}
            for name in ("needed", *_GROUPS)
        ],
    },
    WAGTAIL_SITE_NAME="Shop",
    WAGTAILADMIN_BASE_URL="http://127.0.0.1",
)
django.setup()

from django.contrib.staticfiles.views import serve  # noqa: E402  # after the settings
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.template import engines  # noqa: E402
from django.urls import include, path, re_path  # noqa: E402

from tiktok_middleware.contrib.django import tiktok_from  # noqa: E402

_TEMPLATE = engines["django"].from_string(_PAGE.replace("PACKAGE", _PACKAGE.template))


def _models() -> Any:
    from importlib import import_module

    return import_module(f"{_PACKAGE.module}.models")


def show(request: HttpRequest, **_: str) -> HttpResponseBase:
    tiktok_from(request).track("ViewContent", content_id=request.path, value=5, currency="EUR")
    if request.GET.get("revision"):
        _new_version()
    names = [{"varname": name} for name in _GROUPS]
    return HttpResponse(_TEMPLATE.render({"path": request.path, "groups": names}, request))


def _new_version() -> None:
    """One more cookie in the group: who accepted before is asked again."""
    models = _models()
    group = models.CookieGroup.objects.get(varname="marketing")
    models.Cookie.objects.get_or_create(cookiegroup=group, name="another", domain="")


def ask(request: HttpRequest) -> HttpResponseBase:
    tiktok_from(request).track("Lead")
    return JsonResponse({})


def buy(request: HttpRequest) -> HttpResponseBase:
    tiktok_from(request).track("AddToCart", value=9, currency="EUR")
    return HttpResponseRedirect("/thanks", status=303)


def _own_urls() -> list[Any]:
    if not _PACKAGE.prefix:
        return []
    return [path(_PACKAGE.prefix.lstrip("/"), include(f"{_PACKAGE.module}.urls"))]


urlpatterns = [
    *_own_urls(),
    re_path("^static/(?P<path>.*)$", serve, {"insecure": True}),
    path("ask", ask),
    path("buy", buy),
    re_path("^(?P<path>.*)$", show),
]


def _fill() -> None:
    models = _models()
    for name in _GROUPS:
        group = models.CookieGroup.objects.create(varname=name, name=name)
        if os.environ.get("GROUPS") != "empty":
            models.Cookie.objects.create(cookiegroup=group, name="_ttp" if name == "marketing" else "_s", domain="")


call_command("migrate", verbosity=0)
if _PACKAGE.module:
    _fill()
application: Callable[..., Any] = get_wsgi_application()
