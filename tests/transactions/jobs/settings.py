"""Settings of a Django project whose orders come from commands and Celery tasks; ``DATABASE_PORT`` says where its database is."""

from __future__ import annotations

import os

SECRET_KEY = "of the tests"
USE_TZ = True
INSTALLED_APPS = ["tests.transactions.jobs", "tiktok_middleware.contrib.django"]
MIDDLEWARE = ["tiktok_middleware.contrib.django.TikTokMiddleware"]
DATABASES = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "jobs",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": os.environ.get("DATABASE_PORT", ""),
    }
}
TIKTOK = {
    "outbox": "django:default?wait=20",  # on a busy machine, too
    "pixel_id": "C0000000000000000001",
    "access_token": "t",
    "consent": "implied",
    "api_url": os.environ.get("API_URL", "http://127.0.0.1:9"),
    "browser_in_test": True,
}
