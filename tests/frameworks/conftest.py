"""One server per framework, and the sandbox, shared by all scenes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from tests.browser.servers import (
    Server,
    free_port,
    plain_environment,
    running,
    shop_environment,
    uvicorn_command,
)
from tests.contrib.shared import NAVIGATION
from tests.frameworks.catalogue import FRAMEWORKS, Framework, command_of, python_of, version_of

PERSON = {**NAVIGATION, "user-agent": "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"}


@dataclass(frozen=True)
class Site:
    """One framework's app on its server.

    Attributes:
        is_plain: whether the plain adapter wraps it, with another middleware in between.
    """

    name: str
    framework: Framework
    version: str
    server: Server
    sandbox: httpx.Client
    is_plain: bool

    def visitor(self, **headers: str) -> httpx.Client:
        """A person's browser that follows no redirect by itself."""
        return httpx.Client(base_url=self.server.url, headers={**PERSON, **headers}, timeout=15, verify=False)  # no TLS

    def server_copies(self, event: str) -> list[dict[str, Any]]:
        """What has arrived by the server channel until now."""
        found = self.sandbox.get("/sandbox/events", params={"event": event}).json()
        return [one["server"] for one in found if one["pixel"] == self.server.pixel and one["server"]]

    def server_copy(self, event: str, event_id: str) -> dict[str, Any]:
        """The server's copy of one event, once it has arrived.

        Raises:
            AssertionError: it does not come within ten seconds.
        """
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            found = [one for one in self.server_copies(event) if one["event_id"] == event_id]
            if found:
                return found[0]
            time.sleep(0.02)
        log = self.server.log.decode(errors="replace")[-3000:]
        raise AssertionError(f"no server copy of {event} {event_id}: {self.server_copies(event)}\n{log}")


@pytest.fixture(scope="package")
def sandbox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    port, folder = free_port(), tmp_path_factory.mktemp("sandbox")
    command = [*uvicorn_command("tiktok_middleware.sandbox:app", port), "--log-level", "warning"]
    with (
        running("sandbox", command, port, folder, plain_environment(folder)) as server,
        httpx.Client(base_url=server.url, timeout=15, verify=False) as http,  # no TLS: its context takes 30 ms
    ):
        yield http


MakeSite = Callable[..., Site]


@pytest.fixture(scope="package")
def make_site(sandbox: httpx.Client, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeSite]:
    """Start an app; all are stopped at the end, and must have been told so by their servers."""
    numbers = iter(range(1, 1000))
    sites: list[Site] = []
    with ExitStack() as stack:

        def make(name: str, versions: str, wrap: str) -> Site:
            framework, folder, port = FRAMEWORKS[name], tmp_path_factory.mktemp(name), free_port()
            python, pixel = python_of(name, versions), f"CACCEPTANCE{next(numbers):09d}"
            environment = {
                **shop_environment(folder, str(sandbox.base_url).rstrip("/"), pixel),
                "ACCEPTANCE_FRAMEWORK": name,
                "ACCEPTANCE_WRAP": wrap,
            }
            command = command_of(framework, python, port)
            server = stack.enter_context(running(name, command, port, folder, environment, pixel=pixel))
            version = version_of(framework.package, python)
            sites.append(Site(name, framework, version, server, sandbox, wrap == "plain"))
            return sites[-1]

        yield make
    for site in sites:
        log = site.server.log.decode(errors="replace")
        assert ("acceptance: stopped" in log) == site.framework.has_lifespan, (
            f"{site.name}: shutdown hook\n{log[-2000:]}"
        )


@pytest.fixture(scope="package")
def sites(make_site: MakeSite) -> Callable[[str, str, str], Site]:
    """A running app by name, versions and wrap; started when it is first asked for."""
    started: dict[tuple[str, str, str], Site] = {}

    def site(*key: str) -> Site:
        name, versions, wrap = key
        if (name, versions, wrap) not in started:
            started[name, versions, wrap] = make_site(name, versions, wrap)
        return started[name, versions, wrap]

    return site


def _parameters() -> list[Any]:
    found = []
    for name, framework in FRAMEWORKS.items():
        for versions in ("newest", "lowest"):
            for wrap in ("native", "plain"):
                if framework.is_raw and wrap == "plain":
                    continue
                is_quick = (versions, wrap) == ("newest", "native")
                marks = [pytest.mark.xdist_group(f"frameworks-{name}"), *([] if is_quick else [pytest.mark.soak])]
                found.append(pytest.param((name, versions, wrap), id=f"{name}-{versions}-{wrap}", marks=marks))
    return found


@pytest.fixture(params=_parameters())
def site(
    request: pytest.FixtureRequest, sites: Callable[..., Site], record_property: Callable[[str, object], None]
) -> Site:
    """Each framework's app."""
    name, versions, wrap = request.param
    found = sites(name, versions, wrap)
    record_property("framework", f"{name} {found.version}{' behind the plain adapter' if wrap == 'plain' else ''}")
    return found
