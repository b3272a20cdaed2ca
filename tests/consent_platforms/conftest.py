"""One site for each consent platform, started when it is first asked for; the table of states at the end."""

from __future__ import annotations

import re
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
from tests.consent_platforms.platforms import PLATFORMS, Platform

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


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of states: a line for each platform and version, a column for each state."""
    results: dict[str, dict[str, str]] = {}
    for outcome, mark in (("passed", "ok"), ("failed", "FAILED"), ("skipped", "-")):
        for report in terminalreporter.stats.get(outcome, []):
            found = re.search(r"consent_platforms/test_states\.py::test_consent\w+\[(.*)\]$", report.nodeid)
            for platform in PLATFORMS if found else ():
                if found is not None and found[1].startswith(f"{platform.name}-"):
                    line = results.setdefault(f"{platform.name} ({platform.package})", {})
                    line[found[1][len(platform.name) + 1 :]] = mark
    for name, states in results.items():
        terminalreporter.write_line(f"{name}: " + ", ".join(f"{state} {mark}" for state, mark in states.items()))
