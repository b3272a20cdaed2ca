"""The code of the pages about several pixels and other tags runs."""

from __future__ import annotations

import json
import re
import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from tests.contract.test_event_inputs import Both, make
from tests.contract.test_once_per_visit import visit_of
from tests.test_docs import ROOT, blocks
from tiktok_middleware import Client, Config
from tiktok_middleware.core.runtime import page_events
from tiktok_middleware.reasons import Reason


def variables(page: str, index: int) -> dict[str, str]:
    """Return the variables of a page's block number ``index``."""
    lines = blocks(page, "ini")[index].split()
    return dict(line.split("=", 1) for line in lines)


def test_example_with_three_countries_gives_each_host_its_pixel(monkeypatch: pytest.MonkeyPatch) -> None:
    page = "docs/how-to/several-pixels.md"
    module = ModuleType("shop.pixels")
    exec(blocks(page, "python")[0], module.__dict__)  # the documentation's own code
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.pixels", module)
    client = Client(Config.from_env({**variables(page, 1), "TIKTOK_OUTBOX": "memory://"}))
    found = {host: client.runtime.by_host(host) for host in ("www.shop.de", "shop.fr", "shop.com", "shop.pl")}  # type: ignore[misc]
    assert [(runtime.pixels, runtime.currency) for runtime in found.values()] == [
        (("C0000000000000000001",), "EUR"),
        (("C0000000000000000002",), "EUR"),
        (("C0000000000000000003",), "USD"),
        ((), ""),
    ]
    client.close(1)


def test_rules_of_the_page_are_valid() -> None:
    page = "docs/how-to/browser-rules.md"
    config = Config.from_env({"TIKTOK_PIXEL_ID": "A", **line_of(page, 0), **line_of(page, 1)})
    assert sorted(page_events(config).values()) == ["Contact", "FormStart", "Lead", "Pageview"]


def test_container_is_complete_in_itself() -> None:
    """It has the parts of an exported container, and every trigger and variable that a tag names."""
    export = json.loads((ROOT / "docs" / "gtm-container.json").read_text("utf-8"))
    version = export["containerVersion"]
    assert export["exportFormatVersion"] == 2
    assert version["container"]["usageContext"] == ["WEB"]
    triggers = {one["triggerId"] for one in version["trigger"]}
    known = {one["name"] for one in (*version["variable"], *version["builtInVariable"])} | {"_event"}
    for tag in version["tag"]:
        assert tag["type"] == "html"
        assert set(tag["firingTriggerId"]) <= triggers
    assert set(re.findall(r"\{\{([^}]*)\}\}", json.dumps(version))) <= known
    ids = [
        one.get("tagId") or one.get("triggerId") or one.get("variableId")
        for kind in ("tag", "trigger", "variable")
        for one in version[kind]
    ]
    assert len(set(ids)) == len(ids)


def test_page_of_tag_manager_names_parts_of_the_container() -> None:
    text = (ROOT / "docs" / "how-to" / "tag-manager.md").read_text("utf-8")
    version = json.loads((ROOT / "docs" / "gtm-container.json").read_text("utf-8"))["containerVersion"]
    for tag in version["tag"]:
        assert f"| {tag['name']} |" in text
    assert "TikTok - consent granted" in {one["name"] for one in version["trigger"]}
    assert Config.from_env({"TIKTOK_PIXEL_ID": "A", **line_of("docs/how-to/tag-manager.md", 0)}).snippet == "gtm"


def line_of(page: str, index: int) -> dict[str, str]:
    """Return the one variable of a page's block number ``index``."""
    name, _, value = blocks(page, "ini")[index].strip().partition("=")
    return {name: value}


def test_program_about_in_app_browsers_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TIKTOK_PIXEL_ID", "C5ABCDEFGHIJKLMNOPQR")
    monkeypatch.setenv("TIKTOK_OUTBOX", "memory://")
    space: dict[str, Any] = {}
    exec(blocks("docs/how-to/in-app-browsers.md", "python")[0], space)  # the documentation's own code
    assert capsys.readouterr().out == "{}\n"
    agent = (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_0 like Mac OS X) AppleWebKit/605.1.15 Mobile/15E148 musical_ly_2024010"
    )
    with space["client"].tracker(user_agent=agent, url="https://shop.example/", consent=True) as tiktok:
        tiktok.track("Contact")
    assert space["client"].stats()["in_app"] == {"tiktok": 1}
    space["client"].close(1)


@pytest.mark.parametrize("adapter", ["asgi", "wsgi"])
def test_event_that_the_page_counts_once_per_visit_is_sent_once(adapter: str) -> None:
    page = "docs/how-to/track.md"
    (code,) = [block for block in blocks(page, "python") if "once_per" in block]
    client = make()
    both = Both(client, adapter)

    def view(tracker: Any) -> None:
        exec(code, {"request": SimpleNamespace(tiktok=tracker)})  # the documentation's own code

    seen, copies, _ = both.visit(view)
    _, again, items = both.visit(view, cookie=visit_of(seen))
    assert ([copy[0] for copy in copies], again, items) == (["InitiateCheckout"], [], [])
    client.close(1)


def test_options_of_the_page_about_existing_pixels_are_accepted() -> None:
    """Each step of the table, and both ways out of the order that counts twice."""
    text = (ROOT / "docs" / "how-to" / "migrate.md").read_text("utf-8")
    settings = set(re.findall(r"`(TIKTOK_(?:SNIPPET|PAGE_VIEW))=(\w+)`", text))
    assert settings == {
        ("TIKTOK_SNIPPET", "off"),
        ("TIKTOK_SNIPPET", "adopt"),
        ("TIKTOK_PAGE_VIEW", "matched"),
        ("TIKTOK_PAGE_VIEW", "off"),
    }
    for name, value in settings:
        assert Config.from_env({"TIKTOK_PIXEL_ID": "A", name: value}).pixel_id == "A"
    reasons = set(re.findall(r"^\| `([a-z_]+)` \|", text, re.MULTILINE))
    assert reasons == {one.value for one in Reason if re.search("base_code|ttq|gateway", one.value)}


def test_two_pixels_get_every_event() -> None:
    config = Config.from_env(variables("docs/how-to/several-pixels.md", 0))
    assert config.token_by_pixel == {
        "C0000000000000000001": "token-of-the-first",
        "C0000000000000000002": "token-of-the-second",
    }
