"""Pages of Django's and Wagtail's admin carry no pixel: staff are no visitors of a campaign."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]

PROGRAM = """
import os, sys
sys.path.insert(0, {root!r})
for name in list(os.environ):
    if name.startswith("TIKTOK_"):
        del os.environ[name]
import django
from django.conf import settings
settings.configure(
    ALLOWED_HOSTS=["*"], SECRET_KEY="x", ROOT_URLCONF="__main__", DATABASES={{"default": {{
        "ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}}},
    INSTALLED_APPS=["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes",
                    "django.contrib.sessions", "django.contrib.messages"],
    TEMPLATES=[{{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True, "OPTIONS": {{
        "context_processors": ["django.template.context_processors.request",
                               "django.contrib.auth.context_processors.auth",
                               "django.contrib.messages.context_processors.messages"]}}}}],
    MIDDLEWARE=["tiktok_middleware.contrib.django.TikTokMiddleware",
                "django.contrib.sessions.middleware.SessionMiddleware",
                "django.contrib.auth.middleware.AuthenticationMiddleware",
                "django.contrib.messages.middleware.MessageMiddleware"],
    TIKTOK={{"PIXEL_ID": "C5ABCDEFGHIJKLMNOPQR", "OUTBOX": "memory://"}},
)
django.setup()
from django.contrib import admin
from django.http import HttpResponse
from django.urls import include, path
from django.test import Client

def page(request):
    return HttpResponse("<!doctype html><html><head><title>t</title></head><body>b</body></html>")

urlpatterns = [
    path("", page),
    path("staff/", admin.site.urls),
    path("cms/", include(([path("", page, name="home")], "wagtailadmin_home"))),
    path("cms-login/", page, name="wagtailadmin_login"),
    path("administration/", page, name="administration"),
]
for url in sys.argv[1:]:
    response = Client(headers={{"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}}).get(url)
    print(url, response.status_code, b"C5ABCDEFGHIJKLMNOPQR" in response.content)
"""


def test_admin_by_its_url_names_has_no_pixel_and_other_pages_have_it() -> None:
    urls = ["/", "/staff/login/", "/cms/", "/cms-login/", "/administration/"]
    code = textwrap.dedent(PROGRAM).format(root=str(ROOT))
    done = subprocess.run(
        [sys.executable, "-c", code, *urls], check=False, cwd=ROOT, capture_output=True, text=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        "/ 200 True",
        "/staff/login/ 200 False",
        "/cms/ 200 False",
        "/cms-login/ 200 False",
        "/administration/ 200 True",
    ], done.stderr
