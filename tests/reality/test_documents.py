"""Real documents get the script, and change in nothing else."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import html5lib
import pytest

from tests.reality.documents import DEBIAN_PACKAGES, PACKAGES, debian, generated, html5lib_cases, packaged
from tests.strategies import fed
from tests.trees import SCRIPT, outline, parsed, without_ours
from tiktok_middleware.core.page.charset import prescan
from tiktok_middleware.core.page.head_end import HEAD_LIMIT_BYTES

pytestmark = pytest.mark.slow


PROBE = b"<p data-probe>"


def is_document(data: bytes) -> bool:
    """Whether another parser sees a doctype, or something in a head, and the document is over where its bytes end."""
    tree = tree_of(data + PROBE)
    head = tree.getElementsByTagName("head")[0]
    begins = any(child.nodeType == child.DOCUMENT_TYPE_NODE for child in tree.childNodes)
    return (begins or bool(head.getElementsByTagName("*"))) and any(
        element.hasAttribute("data-probe") for element in tree.getElementsByTagName("p")
    )


def tree_of(data: bytes) -> Any:
    parser = html5lib.HTMLParser(tree=html5lib.getTreeBuilder("dom"), namespaceHTMLElements=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return parser.parse(data, scripting=True)


def share_with_script(documents: Sequence[bytes], *, compares_trees: bool = True) -> float:
    """The share of the documents that get the script; each that does is compared with itself."""
    placed = counted = 0
    for data in documents:
        injector, out, place = fed([data], is_charset_named=False, is_page=True)
        assert out == data
        pieces = [data[start : start + 1460] for start in range(0, len(data), 1460)] or [b""]
        assert fed(pieces, is_charset_named=False, is_page=True)[2] == place, injector.reason
        if is_document(data):
            counted += 1
            placed += place >= 0
        if place < 0:
            continue
        changed = data[:place] + b"<script>" + b"x" * 4000 + b"</script>" + data[place:]
        assert prescan(changed) == prescan(data)
        if compares_trees:
            before, after = parsed(data), parsed(data[:place] + SCRIPT + data[place:])
            assert (without_ours(before), len(without_ours(after))) == ([], 1)
            assert outline(before) == outline(after)
    assert counted
    print(f"{placed} of {counted} documents get the script; {len(documents)} files")
    return placed / counted


def test_documents_like_real_ones_get_the_script() -> None:
    documents = generated(12, seed=1)
    assert max(map(len, documents)) < HEAD_LIMIT_BYTES
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


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("package", DEBIAN_PACKAGES)
def test_documentation_of_debian_gets_the_script(package: str, tmp_path: Path) -> None:
    documents = debian(package, tmp_path)
    assert share_with_script(documents[:: len(documents) // 200 + 1]) >= 0.999  # the parser is slow


@pytest.mark.soak
@pytest.mark.skipif(sys.version_info >= (3, 12), reason="html5lib's source distribution needs an older Python")
def test_a_parsers_own_cases_keep_their_trees(tmp_path: Path) -> None:
    """Cases that nobody would write: what gets the script keeps its tree, and the others stay as they are."""
    cases = html5lib_cases(tmp_path)
    assert len(cases) > 1500
    assert share_with_script(cases) >= 0.999
