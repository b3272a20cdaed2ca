"""What type checkers know of each contrib module: mypy checks this file, and pyright the public types."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typing_extensions import assert_type

from tiktok_middleware import Tracker
from tiktok_middleware.contrib import HasTikTok

ROOT = Path(__file__).parents[2]

if TYPE_CHECKING:
    import bottle as bottle_package
    import falcon as falcon_package
    from django.http import HttpRequest
    from quart import Quart
    from starlette.applications import Starlette

    from tiktok_middleware.asgi import TikTokMiddleware as Asgi
    from tiktok_middleware.contrib import blacksheep, bottle, django, falcon, fastapi, flask, litestar, pyramid, quart
    from tiktok_middleware.contrib import sanic as sanic_contrib
    from tiktok_middleware.contrib import starlette as starlette_contrib
    from tiktok_middleware.wsgi import TikTokMiddleware as Wsgi

    class DjangoRequest(HttpRequest):
        """What a project with django-stubs writes."""

        tiktok: Tracker

    def views(  # noqa: PLR0917  # one per framework
        blacksheep_request: blacksheep.TikTokRequest,
        bottle_request: bottle.TikTokRequest,
        litestar_request: litestar.TikTokRequest,
        pyramid_request: pyramid.TikTokRequest,
        quart_request: quart.TikTokRequest,
        starlette_request: starlette_contrib.TikTokRequest,
        fastapi_request: fastapi.TikTokRequest,
        django_request: DjangoRequest,
        flask_request: flask.TikTokRequest,
    ) -> None:
        """``request.tiktok`` and ``tiktok_from`` in each framework that lets a request be typed."""
        assert_type(blacksheep_request.tiktok, Tracker)
        assert_type(bottle_request.tiktok, Tracker)
        assert_type(litestar_request.tiktok, Tracker)
        assert_type(pyramid_request.tiktok, Tracker)
        assert_type(quart_request.tiktok, Tracker)
        assert_type(starlette_request.tiktok, Tracker)
        assert_type(fastapi_request.tiktok, Tracker)
        assert_type(django_request.tiktok, Tracker)
        assert_type(flask_request.tiktok, Tracker)
        assert_type(blacksheep.tiktok_from(blacksheep_request), Tracker)
        assert_type(bottle.tiktok_from(bottle_package.request), Tracker)
        assert_type(django.tiktok_from(django_request), Tracker)
        assert_type(fastapi.tiktok_from(fastapi_request), Tracker)
        assert_type(flask.tiktok_from(flask_request), Tracker)
        assert_type(litestar.tiktok_from(litestar_request), Tracker)
        assert_type(quart.tiktok_from(quart_request), Tracker)
        assert_type(starlette_contrib.tiktok_from(starlette_request), Tracker)
        for request in (blacksheep_request, bottle_request, litestar_request, pyramid_request, quart_request):
            sign_up(request)
        for another in (starlette_request, fastapi_request, django_request, flask_request):
            sign_up(another)

    def others(req: falcon_package.Request, sanic_request: Any, app: Starlette, quart_app: Quart) -> None:
        assert_type(falcon.tiktok_from(req), Tracker)
        assert_type(sanic_contrib.tiktok_from(sanic_request), Tracker)
        assert_type(Asgi(app), Asgi)
        assert_type(Asgi(quart_app), Asgi)
        assert_type(bottle.TikTokMiddleware(bottle_package.Bottle()), bottle.TikTokMiddleware)
        assert_type(Wsgi(falcon_package.App()), Wsgi)

    def parameter(tiktok: fastapi.TikTok) -> None:
        assert_type(tiktok, Tracker)


def sign_up(request: HasTikTok) -> None:
    """A helper that views of several frameworks share."""
    assert_type(request.tiktok, Tracker)
    request.tiktok.track("CompleteRegistration")


OWN_PROPERTIES = """
from tiktok_middleware import Tracker

def view(tiktok: Tracker) -> None:
    tiktok.track("TrialExtended", plan="team", days=14)
    tiktok.track("Purchase", value=59.9, currency="EUR", campaign_wave=3)
    tiktok.page(section="pricing")
    tiktok.markup("TrialExtended", plan="team")
    tiktok.track("Purchase", value=[5])
"""


@pytest.mark.slow
def test_own_properties_pass_as_keywords_and_mistyped_parameters_do_not(tmp_path: Path) -> None:
    file = tmp_path / "views.py"
    file.write_text(OWN_PROPERTIES, "utf-8")
    done = pyright("--pythonpath", sys.executable, str(file))
    errors = [line for line in done.splitlines() if " - error: " in line]
    assert [line.split(":")[1] for line in errors] == ["9"], done


@pytest.mark.soak
def test_public_types_are_complete() -> None:
    """pyright finds the type of every public name (https://typing.python.org/en/latest/guides/libraries.html)."""
    said = pyright("--verifytypes", "tiktok_middleware", "--ignoreexternal")
    assert "Type completeness score: 100%" in said, said[-4000:]


def pyright(*arguments: str) -> str:
    environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    command = [sys.executable, "-m", "pyright", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False, cwd=ROOT, env=environment)
    return done.stdout
