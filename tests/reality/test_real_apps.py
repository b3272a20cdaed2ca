"""Real apps answer with the middleware as without, but for the allowed changes, and their events match."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from tests.browser.servers import Server, free_port, plain_environment, running, shop_environment
from tests.reality.allowed_changes import Answer, differences, scripts_in
from tests.reality.real_apps import APPS, RealApp
from tests.servers.sink import Sink

pytestmark = pytest.mark.servers

HOST = {"host": "shop.example", "user-agent": "Mozilla/5.0", "accept-encoding": "identity"}
NAVIGATION = {**HOST, "accept": "text/html,*/*;q=0.8", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
SCRIPT = {**HOST, "accept": "application/json", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}
DATE = re.compile(r"[A-Z][a-z]{2}, [0-9]{2} [A-Z][a-z]{2} [0-9]{4} [0-9:]{8} GMT")  # of another second
IMAGE = {**HOST, "accept": "image/*", "sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}
REQUESTS = {"navigation": NAVIGATION, "script": SCRIPT, "image": IMAGE, "refuser": {**NAVIGATION, "sec-gpc": "1"}}


@dataclass(frozen=True)
class Pair:
    """One app twice."""

    app: RealApp
    bare: Server
    ours: Server

    def ask(self, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[Answer, Answer]:
        """The same request to both, from a client without cookies."""
        answers = [self._answer(server, method, path, headers, body) for server in (self.bare, self.ours)]
        return answers[0], answers[1]

    def _answer(self, server: Server, method: str, path: str, headers: dict[str, str], body: str) -> Answer:
        given = {**headers, "content-type": "application/json"} if body else headers
        url = httpx.URL(server.url, raw_path=path.encode())
        # Without TLS a client need not load the certificates of authorities, which takes longer than the request.
        with (
            httpx.Client(timeout=30, trust_env=False, verify=False) as client,
            client.stream(method, url, content=body or None, headers=given) as response,
        ):
            raw = b"".join(response.iter_raw())
        pairs = [(name.decode().lower(), value.decode("latin-1")) for name, value in response.headers.raw]
        port = f":{server.port}"
        kept = [(name, DATE.sub("date", value.replace(port, ":0"))) for name, value in pairs if name != "date"]
        return Answer(response.status_code, kept, raw, self.app.masks)


def _parameter(app: RealApp) -> object:
    marks = [pytest.mark.xdist_group(f"reality-{app.name}"), *([] if app.is_quick else [pytest.mark.soak])]
    return pytest.param(app, id=app.name, marks=marks)


@pytest.fixture(scope="module")
def tiktok() -> Iterator[Sink]:
    with Sink().running() as sink:
        yield sink


@pytest.fixture(scope="module", params=map(_parameter, APPS))
def pair(request: pytest.FixtureRequest, tiktok: Sink, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    app: RealApp = request.param
    folder = tmp_path_factory.mktemp(app.name)

    def variables(below: Path) -> dict[str, str]:
        below.mkdir()
        database = below / "orders.sqlite3"
        app.fill_database(database, folder / "made.sqlite3", plain_environment(below))
        given = shop_environment(below, tiktok.url, "C0000000000000000000")
        return {**given, "SHOP_DB": str(database), "PYTHONHASHSEED": "0"}  # the order of sets shows in some headers

    port, other = free_port(), free_port()
    bare, ours = folder / "bare", folder / "ours"
    with (
        running("bare", app.command(port), port, bare, {**variables(bare), "BARE": "1"}) as first,
        running("ours", app.command(other), other, ours, variables(ours)) as second,
    ):
        yield Pair(app, first, second)


def test_every_answer_is_the_apps_but_for_the_allowed_changes(pair: Pair) -> None:
    paths = [*pair.app.pages, *pair.app.others, *pair.app.tracked]
    asked = [("GET", path, kind, "") for path in paths for kind in REQUESTS]
    asked += [(method, path, "navigation", "") for path in paths for method in ("HEAD", "OPTIONS")]
    asked += [("POST", path, kind, body) for path, body in pair.app.posts.items() for kind in ("script", "navigation")]
    found: list[str] = []
    for method, path, kind, body in asked:
        bare, ours = pair.ask(method, path, REQUESTS[kind], body)
        found += [f"{method} {path} as {kind}: {one}" for one in differences(bare, ours)]
    assert not found, "\n".join(found)


def test_every_page_gets_the_script_on_a_navigation(pair: Pair) -> None:
    for path in (*pair.app.pages, *pair.app.tracked):
        bare, ours = pair.ask("GET", path, NAVIGATION)
        if b"<html" in bare.body.lower() or b"<!doctype" in bare.body.lower():
            assert scripts_in(ours) == 1, path


def test_what_a_page_tracks_arrives_on_both_channels(pair: Pair, tiktok: Sink) -> None:
    for path, event in pair.app.tracked.items():
        _, ours = pair.ask("GET", path, NAVIGATION)
        ids = set(re.findall(rf'"{event}",.*?"([A-Za-z0-9_-]{{20,64}})"', ours.body.decode()))
        assert len(ids) == 1
        assert tiktok.lacks(ids, 10) == set()
