from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from django.conf import settings
from django.http import HttpResponse, JsonResponse, StreamingHttpResponse
from django.urls import include, path

from tests.frameworks.scenes import ERROR_PAGE, NOT_FOUND_PAGE, SCENES, Scene, is_plain, reached, track

PROTOCOL = "wsgi"

settings.configure(
    ROOT_URLCONF=__name__,
    SECRET_KEY="of the acceptance app",
    ALLOWED_HOSTS=["*"],
    DEBUG=False,
    MIDDLEWARE=[] if is_plain() else ["tiktok_middleware.contrib.django.TikTokMiddleware"],
)


def respond(url: str, scene: Scene, request: Any, *, is_async: bool) -> Any:
    from tiktok_middleware.contrib.django import tiktok_from

    if url == "/started":
        return JsonResponse({"started": True})
    raw = getattr(request, "scope", None) or request.META
    tracker = reached(scene, request, lambda: tiktok_from(request), raw)
    if isinstance(scene.body, tuple):
        made = pieces_async(url, scene.body, tracker) if is_async else pieces(url, scene.body, tracker)
        return StreamingHttpResponse(made)
    track(url, tracker)
    return HttpResponse(
        scene.body, status=scene.status, headers=dict(scene.headers), content_type=scene.content_type
    )  # fmt: skip


def view_of(url: str, scene: Scene) -> Any:
    def view(request: Any) -> Any:
        return respond(url, scene, request, is_async=False)

    return view


def pieces(url: str, body: tuple[str, ...], tracker: Any) -> Iterator[str]:
    yield body[0]
    track(url, tracker)
    yield from body[1:]


async def pieces_async(url: str, body: tuple[str, ...], tracker: Any) -> AsyncIterator[str]:
    for piece in pieces(url, body, tracker):
        yield piece


def handler500(_request: Any) -> HttpResponse:
    return HttpResponse(ERROR_PAGE, status=500)


def handler404(_request: Any, exception: Exception) -> HttpResponse:  # Django's name
    return HttpResponse(NOT_FOUND_PAGE, status=404)


_paths = [path(url[1:], view_of(url, scene)) for url, scene in SCENES.items()]
urlpatterns = [*_paths, path("mounted/", include(_paths))]


def bare() -> Any:
    from django.core.wsgi import get_wsgi_application

    return get_wsgi_application()


wrapped = bare
