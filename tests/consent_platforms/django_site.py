"""The same shop under Django with django-cookie-consent by its defaults: an HttpOnly cookie that pages cannot read."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import django
from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect, JsonResponse

_PAGE = """<!doctype html><html lang="en"><head><meta charset="utf-8"><link rel="icon" href="data:,"><title>Shop</title>
{groups}<template id="cookie-consent__cookie-bar"><div class="bar">
<button id="yes" class="cookie-consent__accept">Yes</button><button id="no" class="cookie-consent__decline">No</button></div></template>
<script type="module">
import {{showCookieBar, FetchClient}} from '/static/cookie_consent/cookiebar.module.js';
window.choose = async (url, ...names) => {{
  const client = new FetchClient('/cookies/status/', 'X-CSRFToken');
  await client.saveCookiesStatusBackend(url, names.map(varname => ({{varname}})));
}};
showCookieBar({{statusUrl: '/cookies/status/'}});
</script></head><body><h1>{path}</h1><a id="next" href="/two">next</a>
<button id="ask" onclick="fetch('/ask', {{method: 'POST'}})">ask</button>
<form method="post" action="/buy"><button id="buy">buy</button></form></body></html>"""

settings.configure(
    SECRET_KEY="for tests",
    ROOT_URLCONF=__name__,
    ALLOWED_HOSTS=["*"],
    STATIC_URL="/static/",
    USE_TZ=True,
    INSTALLED_APPS=[
        *("django.contrib.auth", "django.contrib.contenttypes", "django.contrib.staticfiles"),
        "cookie_consent",
    ],
    MIDDLEWARE=["tiktok_middleware.contrib.django.TikTokMiddleware"],
    DATABASES={
        "default": {"ENGINE": "django.db.backends.sqlite3", "NAME": str(Path(tempfile.mkdtemp()) / "site.sqlite3")}
    },
    TEMPLATES=[{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}],
)
django.setup()

from django.contrib.staticfiles.views import serve  # noqa: E402  # after the settings
from django.core.management import call_command  # noqa: E402
from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.urls import include, path, re_path  # noqa: E402

from tiktok_middleware.contrib.django import tiktok_from  # noqa: E402


def show(request: HttpRequest, **_: str) -> HttpResponseBase:
    tiktok_from(request).track("ViewContent", content_id=request.path, value=5, currency="EUR")
    if request.GET.get("revision"):
        _new_version()
    from cookie_consent.models import CookieGroup  # after setup

    names = [{"varname": group.varname} for group in CookieGroup.objects.all()]
    groups = f'<script id="cookie-consent__cookie-groups" type="application/json">{_json(names)}</script>'
    return HttpResponse(_PAGE.format(groups=groups, path=request.path))


def _json(value: object) -> str:
    import json

    return json.dumps(value)


def _new_version() -> None:
    """One more cookie in the group: who accepted before is asked again."""
    from cookie_consent.models import Cookie, CookieGroup

    group = CookieGroup.objects.get(varname="marketing")
    Cookie.objects.get_or_create(cookiegroup=group, name="another", domain="")


def ask(request: HttpRequest) -> HttpResponseBase:
    tiktok_from(request).track("Lead")
    return JsonResponse({})


def buy(request: HttpRequest) -> HttpResponseBase:
    tiktok_from(request).track("AddToCart", value=9, currency="EUR")
    return HttpResponseRedirect("/thanks", status=303)


urlpatterns = [
    path("cookies/", include("cookie_consent.urls")),
    re_path("^static/(?P<path>.*)$", serve, {"insecure": True}),
    path("ask", ask),
    path("buy", buy),
    re_path("^(?P<path>.*)$", show),
]


def _fill() -> None:
    from cookie_consent.models import Cookie, CookieGroup

    for name in ("marketing", "stats"):
        group = CookieGroup.objects.create(varname=name, name=name)
        if os.environ.get("GROUPS") != "empty":
            Cookie.objects.create(cookiegroup=group, name="_ttp" if name == "marketing" else "_s", domain="")


call_command("migrate", verbosity=0)
_fill()
application = get_wsgi_application()
