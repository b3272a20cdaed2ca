"""Real documents get the script, and change in nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path

import html5lib
import pytest

from tests.reality.documents import PACKAGES, generated, packaged
from tests.strategies import fed
from tests.trees import SCRIPT, outline, parsed, without_ours
from tiktok_middleware.core.page.charset import prescan
from tiktok_middleware.core.page.head_end import LIMIT_BYTES

pytestmark = pytest.mark.slow


def is_document(data: bytes) -> bool:
    """Whether another parser sees a doctype, or something in a head."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        tree = html5lib.parse(data, treebuilder="dom", namespaceHTMLElements=False)
    head = tree.getElementsByTagName("head")[0]
    return tree.doctype is not None or bool(head.getElementsByTagName("*"))


def share_with_script(documents: Sequence[bytes], *, compares_trees: bool) -> float:
    """How many of the documents get the script; each that does is compared with itself."""
    placed = counted = 0
    for data in documents:
        injector, out, place = fed([data], is_charset_named=False, is_page=True)
        assert out == data
        pieces = [data[start : start + 1460] for start in range(0, len(data), 1460)] or [b""]
        assert fed(pieces, is_charset_named=False, is_page=True)[2] == place, injector.reason
        if not is_document(data):
            continue
        counted += 1
        if place < 0:
            continue
        placed += 1
        changed = data[:place] + b"<script>" + b"x" * 4000 + b"</script>" + data[place:]
        assert prescan(changed) == prescan(data)
        if compares_trees:
            before, after = parsed(data), parsed(data[:place] + SCRIPT + data[place:])
            assert (without_ours(before), len(without_ours(after))) == ([], 1)
            assert outline(before) == outline(after)
    assert counted
    return placed / counted


def test_documents_like_real_ones_get_the_script() -> None:
    documents = generated(12, seed=1)
    assert max(map(len, documents)) < LIMIT_BYTES
    assert share_with_script(documents, compares_trees=True) == 1


@pytest.mark.soak
def test_many_documents_like_real_ones_get_the_script() -> None:
    assert share_with_script(generated(400, seed=2), compares_trees=False) >= 0.999


@pytest.mark.soak
@pytest.mark.timeout(600)
@pytest.mark.parametrize("package", PACKAGES)
def test_pages_that_packages_ship_get_the_script(package: str, tmp_path: Path) -> None:
    pages = packaged(package, tmp_path)
    assert pages
    assert share_with_script(pages, compares_trees=True) >= 0.999
