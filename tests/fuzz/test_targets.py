"""The fuzz targets hold for all that a search begins with, so that ``make fuzz`` begins where the suite ends."""

from __future__ import annotations

import hashlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.fuzz import pages, reports, requests
from tiktok_middleware.core.page.head_end import HeadEnd, Injector, Search


@pytest.mark.slow
@pytest.mark.parametrize("target", [pages, requests, reports], ids=["pages", "requests", "reports"])
def test_no_seed_breaks_a_promise(target: ModuleType) -> None:
    count = 0
    for seed in target.seeds():
        target.check(seed)
        count += 1
    assert count > 100


class Moved(Injector):
    """Finds another place where a document comes byte by byte."""

    def feed(self, piece: bytes, *, last: bool) -> HeadEnd:
        found = super().feed(piece, last=last)
        return found._replace(cut=found.cut - 1) if found.search is Search.FOUND and len(piece) == 1 else found


def test_a_place_that_moves_with_the_cut_is_found() -> None:
    with pytest.raises(AssertionError):
        pages.check(bytes(8) + b"<!doctype html><title>t</title></head>", make=Moved)


@pytest.mark.parametrize("place", [b"<!-- ", b"<title>", b"<script>", b"<style>", b"<template>", b"<noscript>"])
def test_a_script_in_the_wrong_place_is_found(place: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    def feed(_self: Injector, piece: bytes, *, last: bool) -> HeadEnd:
        return HeadEnd(Search.FOUND, piece, len(place)) if last else HeadEnd(Search.MORE, piece, 0)

    monkeypatch.setattr(Injector, "feed", feed)
    document = place + b" </head> --></title></script></style></template></noscript>"
    with pytest.raises(AssertionError):
        pages.check(bytes(8) + document, splits=lambda case: [[case.document]])


@pytest.mark.slow
def test_a_saved_input_can_be_checked_once_more(tmp_path: Path) -> None:
    saved = tmp_path / hashlib.sha256(b"").hexdigest()
    saved.write_bytes(next(pages.seeds()))
    again = [sys.executable, "-m", "tests.fuzz", "pages", str(saved)]
    subprocess.run(again, check=True, timeout=60, cwd=Path(__file__).parents[2])
