"""A Django site with its admin, whose staff look after an outbox: ``python -m tests.contrib.admin_site``.

``OUTBOX`` is its outbox, and ``DATABASE`` a file of SQLite or the port of a PostgreSQL server. It prints its port.
"""

from __future__ import annotations

import os
import sys
import threading
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

SECRET_KEY = "of the tests"
ROOT_URLCONF = __name__
ALLOWED_HOSTS = ["*"]
USE_TZ = True
STATIC_URL = "/static/"
DEFAULT_AUTO_FIELD = "django.db.models.AutoField"
INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "tiktok_middleware.contrib.django",
]
MIDDLEWARE = [
    "tiktok_middleware.contrib.django.TikTokMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
]
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ]
        },
    }
]
_database = os.environ.get("DATABASE", "")
DATABASES: dict[str, Any] = {
    "default": {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "admin_site",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": _database,
    }
    if _database.isdecimal()
    else {"ENGINE": "django.db.backends.sqlite3", "NAME": _database}
}
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
TIKTOK = {
    "outbox": os.environ.get("OUTBOX", ""),
    "pixel_id": "C0000000000000000001",
    "access_token": "t",
    "api_url": "http://127.0.0.1:9",
    "flush": "relay",
}

#: Staff by name, with their permissions on the page; ``root`` is a superuser.
STAFF = {
    "root": None,
    "clerk": (),
    "viewer": ("view",),
    "sender": ("view", "retry"),
    "eraser": ("erase",),
}


def __getattr__(name: str) -> Any:
    """Make the routes when Django asks for them: settings may not import them."""
    if name == "urlpatterns":
        from django.contrib import admin
        from django.urls import path

        return [path("admin/", admin.site.urls)]
    raise AttributeError(name)


class _Server(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _Handler(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.contrib.admin_site"
    import django

    django.setup()
    from django.contrib.auth.models import Permission, User
    from django.contrib.staticfiles.handlers import StaticFilesHandler
    from django.core.management import call_command
    from django.core.wsgi import get_wsgi_application

    call_command("migrate", verbosity=0)
    for name, actions in STAFF.items():
        user = User.objects.create_user(name, password="secret", is_staff=True, is_superuser=actions is None)
        codes = [f"{action}_outboxevent" for action in actions or ()]
        user.user_permissions.set(Permission.objects.filter(codename__in=codes))
        assert user.user_permissions.count() == len(codes)
    handler: Any = StaticFilesHandler(get_wsgi_application())
    with make_server("127.0.0.1", 0, handler, _Server, _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        print(server.server_port, flush=True)
        sys.stdin.read()  # ends with the test
        server.shutdown()


if __name__ == "__main__":
    main()
