from __future__ import annotations

from typing import Any

from django.conf import settings
from django.urls import include, path

from tests.frameworks.apps import django_wsgi
from tests.frameworks.scenes import SCENES, Scene

PROTOCOL = "asgi"

settings.ROOT_URLCONF = __name__


def view_of(url: str, scene: Scene) -> Any:
    async def view(request: Any) -> Any:
        return django_wsgi.respond(url, scene, request, is_async=True)

    return view


_paths = [path(url[1:], view_of(url, scene)) for url, scene in SCENES.items()]
urlpatterns = [*_paths, path("mounted/", include(_paths))]
handler404, handler500 = django_wsgi.handler404, django_wsgi.handler500


def bare() -> Any:
    from django.core.asgi import get_asgi_application

    return get_asgi_application()


wrapped = bare
