"""The programs of docs/recipes.md run as they stand, against the sandbox."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.browser.servers import ROOT, free_port, running, shop_environment
from tests.contrib.shared import inline_events, is_pair
from tests.frameworks.catalogue import Framework
from tests.frameworks.conftest import Site
from tests.frameworks.test_acceptance import FETCH, helper_url, without_script

pytestmark = pytest.mark.servers

TEXT = (ROOT / "docs" / "recipes.md").read_text("utf-8")
#: Headings and the program below each.
RECIPES = dict(re.findall(r"^## ([^\n]+)\n(?:(?!^## ).)*?```python\n(.*?)```", TEXT, re.DOTALL | re.MULTILINE))
PAGE = "<!doctype html><html><head><title>Mug</title></head><body>A mug</body></html>"


def test_every_server_of_the_page_has_a_program() -> None:
    assert list(RECIPES) == ["aiohttp", "Tornado", "Robyn", "Sanic's own server"]


@pytest.fixture(params=list(RECIPES))
def recipe(request: pytest.FixtureRequest, tmp_path: Path, sandbox: httpx.Client) -> Iterator[Site]:
    program, port = tmp_path / "shop.py", free_port()
    program.write_text(RECIPES[request.param], "utf-8")
    pixel = f"CRECIPE{list(RECIPES).index(request.param):013d}"
    environment = {
        **shop_environment(tmp_path, str(sandbox.base_url).rstrip("/"), pixel),
        "PORT": str(port),
        "TIKTOK_BROWSER_EVENTS": "Search",
    }
    with running(request.param, [sys.executable, str(program)], port, tmp_path, environment, pixel=pixel) as server:
        yield Site(request.param, Framework("", "none"), "", server, sandbox, is_plain=False)


def test_page_carries_a_matched_event_and_its_reports_are_heard(recipe: Site) -> None:
    with recipe.visitor() as visitor:
        answer = visitor.get("/?ttclid=E.C.P.1")
        assert (answer.status_code, without_script(answer.text)) == (200, PAGE)
        assert answer.headers["content-type"].startswith("text/html")
        assert "private" in answer.headers["cache-control"]
        [copy] = inline_events(answer.text)
        server = recipe.server_copy("ViewContent", copy[2])
        assert is_pair(copy, server)
        assert server["user"]["ttclid"] == "E.C.P.1"
        assert server["user"]["ip"] == "127.0.0.1"
        assert visitor.cookies["ttclid"] == "E.C.P.1"
        script = visitor.get(helper_url(answer.text))
        assert "PerformanceObserver" in script.text
        assert "immutable" in script.headers["cache-control"]
        assert "tiktok" in visitor.get("/_tiktok/pixel.js").text
        assert visitor.get("/_tiktok/nothing").status_code == 404
        event_id = "0193a0000000abcdefabcdef"
        event = ["Search", {"search_string": "mug"}, event_id]
        report = {"u": f"{recipe.server.url}/", "r": "", "x": [], "c": [], "e": [event]}
        heard = visitor.post(
            "/_tiktok/collect", content=json.dumps(report), headers={**FETCH, "origin": recipe.server.url}
        )
        assert heard.status_code == 200, heard.text
    assert recipe.server_copy("Search", event_id)["properties"]["search_string"] == "mug"
    assert b"Traceback" not in recipe.server.log
