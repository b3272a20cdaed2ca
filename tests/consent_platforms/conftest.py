"""One site for each consent platform, started when it is first asked for; the results of the states at the end."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

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
from tests.consent_platforms.results import Results, add

MakePerson = Callable[..., Person]
MakeSite = Callable[..., Server]


def _asgi(port: int) -> list[str]:
    return uvicorn_command("tests.consent_platforms.app:app", port)


def _django(port: int) -> list[str]:
    return gunicorn_command("tests.consent_platforms.django_site:application", port, workers=1)


def _flask(port: int) -> list[str]:
    return gunicorn_command("tests.consent_platforms.flask_site:application", port, workers=1)


_SITES = {"app": _asgi, "django": _django, "flask": _flask}


@pytest.fixture(scope="package")
def sites(start: Callable[..., Server]) -> MakeSite:  # noqa: F811  # the fixture
    """The running site of a platform; with a pixel, another site that has this pixel."""
    running: dict[object, Server] = {}

    def site(platform: Platform, pixel: str = "") -> Server:
        key = (platform.name, platform.setting, platform.variables)
        if key not in running:
            name = "".join(letter for letter in platform.name if letter.isalnum())
            variables = dict(platform.variables)
            running[key] = start(
                name,
                _SITES[platform.site],
                pixel=pixel,
                TIKTOK_CONSENT=platform.setting,
                PLATFORM=platform.name,
                **variables,
            )
        return running[key]

    return site


@pytest.fixture
def person(sites: MakeSite, visit: MakeVisitor) -> MakePerson:  # noqa: F811  # the fixture
    """Makes a visitor of a platform's site."""

    def make(platform: Platform, **options: object) -> Person:
        shop = sites(platform)
        renewed = platform._replace(setting=platform.renewed_setting)
        return Person(visit(shop, **options), platform, lambda: sites(renewed, shop.pixel))

    return make


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--consent-results", help="JSON file to which the results of the consent platforms are added")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print the results of each platform; add them to the file of ``--consent-results``."""
    new: Results = {}
    add(new, terminalreporter.stats)
    for name, states in new.items():
        terminalreporter.write_line(f"{name}: " + ", ".join(f"{state} {mark}" for state, mark in states.items()))
    if new and (path := config.getoption("--consent-results")):
        file = Path(path)
        kept: Results = json.loads(file.read_text("utf-8")) if file.exists() else {}
        for name, states in new.items():
            kept[name] = {**kept.get(name, {}), **states}
        file.write_text(json.dumps(kept, indent=1), "utf-8")
