"""``docs`` lists and prints the pages of the documentation."""

from __future__ import annotations

import pytest

from tests.cli.test_main import run
from tiktok_middleware.cli.docs import pages


def test_docs_lists_every_page_with_its_title() -> None:
    lines = run("docs").output.splitlines()
    assert len(lines) == len(pages()) > 40
    assert "frameworks/flask" in run("docs").output
    assert not [line for line in lines if len(line.split()) < 2]


@pytest.mark.parametrize(
    ("page", "title"),
    [
        ("frameworks/flask", "# Flask"),
        ("flask", "# Flask"),
        ("flask.md", "# Flask"),
        ("docs/frameworks/flask.md", "# Flask"),
        ("how-to/consent", "# Consent"),
        ("consent", "# How consent is decided"),
    ],
)
def test_page_is_found_by_its_name_or_its_last_part(page: str, title: str) -> None:
    assert run("docs", page).output.splitlines()[0] == title


@pytest.mark.parametrize("page", ["nothing", "frameworks", "", "../README", "how-to/flask"])
def test_unknown_page_is_refused_with_the_names_of_all(page: str) -> None:
    result = run("docs", page)
    assert result.exit_code == 1
    assert "frameworks/flask" in result.output
