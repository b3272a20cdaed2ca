"""The README is short, and its commands exist."""

from __future__ import annotations

import re
from pathlib import Path

from tiktok_middleware import Tracker

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")


def test_readme_has_at_most_150_lines() -> None:
    assert len(README.splitlines()) <= 150


def test_make_targets_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    targets = re.findall(r"^(?:\w+=\S+ )?make ([\w-]+)$", README, re.MULTILINE) + re.findall(r"`make ([\w-]+)`", README)
    assert len(targets) >= 5
    for target in targets:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_every_call_of_the_python_api_is_a_call_of_the_tracker() -> None:
    page = (ROOT / "docs" / "python-api.md").read_text("utf-8")
    table = page.split("## `request.tiktok`")[1].split("## ")[0]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    calls = set(re.findall(r"(\w+)\(", " ".join(rows)))
    assert len(calls) > 8
    assert all(callable(getattr(Tracker, call)) for call in calls)


def test_readme_names_its_two_commands_for_a_fresh_checkout() -> None:
    assert "\nmake demo\n" in README
    assert "\nmake test\n" in README
