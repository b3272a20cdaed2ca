"""Wagtail with its login, its documents, a search, a site map and one published page."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from django.urls import include, path

IS_BARE = "BARE" in os.environ
_WAGTAIL = [
    *("contrib.forms", "contrib.redirects", "contrib.sitemaps", "embeds", "sites", "users", "snippets", "documents"),
    *("images", "search", "admin"),
]
_DJANGO = ["admin", "auth", "contenttypes", "sessions", "messages", "staticfiles"]


def configure() -> None:
    middleware = [
        "django.contrib.sessions.middleware.SessionMiddleware",
        "django.middleware.common.CommonMiddleware",
        "django.middleware.csrf.CsrfViewMiddleware",
        "django.contrib.auth.middleware.AuthenticationMiddleware",
        "django.contrib.messages.middleware.MessageMiddleware",
        "django.middleware.clickjacking.XFrameOptionsMiddleware",
        "django.middleware.security.SecurityMiddleware",
        "wagtail.contrib.redirects.middleware.RedirectMiddleware",
    ]
    processors = [
        *("django.template.context_processors.request", "django.contrib.auth.context_processors.auth"),
        "django.contrib.messages.context_processors.messages",
    ]
    settings.configure(
        SECRET_KEY="for tests",
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        INSTALLED_APPS=[
            "tests.reality.apps.wagtail_home",
            *(f"wagtail.{name}" for name in _WAGTAIL),
            *("wagtail", "modelcluster", "taggit"),
            *(f"django.contrib.{name}" for name in _DJANGO),
        ],
        MIDDLEWARE=middleware if IS_BARE else ["tiktok_middleware.contrib.django.TikTokMiddleware", *middleware],
        TEMPLATES=[
            {
                "BACKEND": "django.template.backends.django.DjangoTemplates",
                "DIRS": [str(Path(__file__).parent / "wagtail_home" / "templates")],
                "APP_DIRS": True,
                "OPTIONS": {"context_processors": processors},
            }
        ],
        DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": os.environ["SHOP_DB"]}},
        WAGTAIL_SITE_NAME="Tidewheel",
        WAGTAILADMIN_BASE_URL="http://shop.example",
        WAGTAILSEARCH_BACKENDS={"default": {"BACKEND": "wagtail.search.backends.database"}},
        STATIC_URL="/static/",
        MEDIA_URL="/media/",
        MEDIA_ROOT=str(Path(os.environ["SHOP_DB"]).parent / "media"),
        USE_TZ=True,
        DEFAULT_AUTO_FIELD="django.db.models.AutoField",
    )


def fill() -> None:
    from django.core.management import call_command
    from wagtail.models import Page, Site

    from tests.reality.apps.wagtail_home.models import HomePage

    call_command("migrate", verbosity=0)
    home = HomePage(title="Größe <b>&", slug="tidewheel", text="Mugs")
    Page.objects.get(depth=1).add_child(instance=home)
    home.save_revision().publish()
    Site.objects.update(root_page=home, hostname="shop.example")


if not settings.configured:
    configure()
    django.setup()
    if not Path(os.environ["SHOP_DB"]).exists():
        fill()

from django.core.wsgi import get_wsgi_application  # noqa: E402  # after the settings
from wagtail import urls as wagtail_urls  # noqa: E402
from wagtail.admin import urls as admin_urls  # noqa: E402
from wagtail.contrib.sitemaps.views import sitemap  # noqa: E402
from wagtail.documents import urls as document_urls  # noqa: E402

urlpatterns = [
    path("cms/", include(admin_urls)),
    path("documents/", include(document_urls)),
    path("sitemap.xml", sitemap),
    path("", include(wagtail_urls)),
]
app: Any = get_wsgi_application()
