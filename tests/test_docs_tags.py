"""The code of the pages about several pixels and other tags runs."""

from __future__ import annotations

import json
import re
import sys
from types import ModuleType

import pytest

from tests.test_docs import ROOT, blocks
from tiktok_middleware import Client, Config
from tiktok_middleware.core.runtime import page_events


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


def test_two_pixels_get_every_event() -> None:
    config = Config.from_env(variables("docs/how-to/several-pixels.md", 0))
    assert config.token_by_pixel == {
        "C0000000000000000001": "token-of-the-first",
        "C0000000000000000002": "token-of-the-second",
    }
