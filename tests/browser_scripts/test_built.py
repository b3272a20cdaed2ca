"""The scripts that pages get are made of today's sources, and small."""

from __future__ import annotations

import gzip
from importlib import import_module
from typing import Any

import pytest

from tests.browser_scripts.page_world import ONE, snippet
from tests.built_scripts import BUILT, SOURCES, built, names
from tiktok_middleware._wiring import helper_file
from tiktok_middleware.core.consent.platforms import BRIDGES
from tiktok_middleware.core.page.head_end import OURS

pytestmark = pytest.mark.node

brotli: Any = import_module("brotli")


@pytest.mark.parametrize("name", names())
def test_built_script_is_up_to_date(name: str) -> None:
    assert (BUILT / name).read_text("ascii") == built(name), "run `make scripts` after a change of a page script"


def test_page_script_is_recognised_by_its_first_characters() -> None:
    assert ONE.page("", page=True).startswith(b"<script>" + OURS)


def test_each_built_script_has_a_source() -> None:
    assert sorted(str(path.relative_to(BUILT)) for path in BUILT.rglob("*.js")) == names()
    assert (SOURCES / "helper.js").exists()


def compressed(setting: str) -> int:
    """The compressed size of the helper as pages get it, in bytes."""
    return len(gzip.compress(snippet(helper_file(setting)).helper, 9))


@pytest.mark.parametrize(
    ("setting", "most"),
    [("implied", 3072), ("required", 3072), ("onetrust", 3104), ("cookiebot", 3104), ("auto", 3264)],
)
def test_helper_is_small(setting: str, most: int) -> None:
    assert compressed(setting) <= most


@pytest.mark.parametrize("setting", ["implied", "required"])
def test_helper_is_smaller_with_brotli(setting: str) -> None:
    assert len(brotli.compress(snippet(helper_file(setting)).helper, quality=11)) <= 2816


@pytest.mark.parametrize("setting", ["tcf", "gpp", *(f"bridge:{name}" for name in BRIDGES)])
def test_helper_with_a_bridge_is_small(setting: str) -> None:
    named = f"{setting}:name" if setting in {"bridge:klaro", "bridge:cc_cookie"} else setting
    assert compressed(named) <= 3712
