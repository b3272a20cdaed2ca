"""The generated pages in docs/ are what the code generates today."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.generated_docs import DOCS, PAGES


@pytest.mark.parametrize(("name", "page"), PAGES.items())
def test_page_is_up_to_date(name: str, page: Callable[[], str]) -> None:
    assert (DOCS / name).read_text("utf-8") == page(), f"run: python -m tests.generated_docs (docs/{name} is old)"
