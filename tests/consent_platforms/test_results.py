"""The table of results has a column for each state, and tells platforms with similar names apart."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from tests.consent_platforms.results import COLUMNS, Results, add, table
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
