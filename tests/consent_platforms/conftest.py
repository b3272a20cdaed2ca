"""One site for each consent platform, started when it is first asked for; the table of states at the end."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.browser.conftest import (  # noqa: F401  # fixtures
    MakeVisitor,
    browser,
    playwright,
    restoring_browser,
    sandbox_server,
    start,
    visit,
)
from tests.browser.servers import Server, gunicorn_command, uvicorn_command
from tests.consent_platforms.person import Person
from tests.consent_platforms.platforms import Platform

MakePerson = Callable[..., Person]


def _asgi(port: int) -> list[str]:
    return uvicorn_command("tests.consent_platforms.app:app", port)


def _django(port: int) -> list[str]:
    return gunicorn_command("tests.consent_platforms.django_site:application", port, workers=1)


@pytest.fixture(scope="package")
def sites(start: Callable[..., Server]) -> Callable[[Platform], Server]:  # noqa: F811  # the fixture
    """The running site of a platform."""
    running: dict[str, Server] = {}

    def site(platform: Platform) -> Server:
        if platform.name not in running:
            name = "".join(letter for letter in platform.name if letter.isalnum())
            variables = dict(platform.variables)
            command = _django if platform.is_django else _asgi
            running[platform.name] = start(
                name,
                command,
                TIKTOK_CONSENT=platform.setting,
                PLATFORM=platform.name,
                **variables,
            )
        return running[platform.name]

    return site


@pytest.fixture
def person(sites: Callable[[Platform], Server], visit: MakeVisitor) -> MakePerson:  # noqa: F811  # the fixture
    """Makes a visitor of a platform's site."""

    def make(platform: Platform, **options: object) -> Person:
        return Person(visit(sites(platform), **options), platform)

    return make
