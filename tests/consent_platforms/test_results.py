"""The table of results has a column for each state, and tells platforms with similar names apart."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.browser.servers import ROOT
from tests.consent_platforms import results as tool
from tests.consent_platforms.platforms import PLATFORMS
from tests.consent_platforms.results import BEGIN, COLUMNS, END, PASSED, SKIPPED, Results, add, joined, table
from tests.consent_platforms.test_states import SCENARIOS

pytestmark = pytest.mark.browser  # as for the states themselves: their module needs Playwright

STATES = [*SCENARIOS, "Global Privacy Control"]


def test_each_state_has_a_column() -> None:
    assert list(COLUMNS) == STATES


@pytest.mark.parametrize(("outcome", "mark"), [("passed", "ok"), ("failed", "FAILED"), ("skipped", "-")])
def test_results_of_a_run(outcome: str, mark: str) -> None:
    nodes = [
        "tests/consent_platforms/test_states.py::test_consent_governs_both_channels[klaro-two tabs]",
        "tests/consent_platforms/test_states.py::test_consent_governs_both_channels[klaro in localStorage-accepted]",
        "tests/consent_platforms/test_states.py::test_global_privacy_control_outranks_a_click[klaro]",
        "tests/other/test_states.py::test_consent[klaro-accepted]",
    ]
    results: Results = {}
    add(results, {outcome: [SimpleNamespace(nodeid=node) for node in nodes], "deselected": [object()]})
    assert results == {
        "klaro": {"two tabs": mark, "Global Privacy Control": mark},
        "klaro in localStorage": {"accepted": mark},
    }
    assert f"| klaro | klaro 0.7.22 | {' | '.join(['not run'] * 15)} | {mark} | {mark} |" in table(results)


def test_failure_in_one_file_stays_a_failure() -> None:
    parts: list[Results] = [
        {"klaro": {"accepted": "ok", "refused": "FAILED"}},
        {"klaro": {"refused": "ok", "two tabs": "-"}, "c15t": {"accepted": "ok"}},
        {"klaro": {"accepted": "ok", "two tabs": "FAILED"}},
    ]
    assert joined(parts) == {
        "klaro": {"accepted": "ok", "refused": "FAILED", "two tabs": "FAILED"},
        "c15t": {"accepted": "ok"},
    }


def test_table_is_written_between_its_lines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    document, first, second = tmp_path / "doc.md", tmp_path / "1.json", tmp_path / "2.json"
    document.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n", "utf-8")
    first.write_text('{"klaro": {"accepted": "ok"}}', "utf-8")
    second.write_text('{"klaro": {"refused": "ok"}}', "utf-8")
    monkeypatch.setattr("sys.argv", ["results", "--write", str(document), str(first), str(second)])
    tool.main()
    expected = table({"klaro": {"accepted": "ok", "refused": "ok"}})
    assert document.read_text("utf-8") == f"before\n{BEGIN}\n\n{expected}\n\n{END}\nafter\n"


def test_documented_table_names_each_platform_version_and_state() -> None:
    text = (ROOT / "docs" / "consent.md").read_text("utf-8")
    written = text.partition(BEGIN)[2].partition(END)[0].strip().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in written]
    assert rows[0] == ["Platform", "Version", *COLUMNS.values()]
    assert [row[:2] for row in rows[2:]] == [[platform.name, platform.package] for platform in PLATFORMS]
    assert {cell for row in rows[2:] for cell in row[2:]} <= {PASSED, SKIPPED}, "a state failed or did not run"
