"""Every scenario in every engine ends as the documentation's table says, and never twice."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import pytest

from tests.engines.engines import ENGINES
from tests.engines.lab import Lab, lab
from tests.engines.results import PAGE, expected_table
from tests.engines.scenarios import SCENARIOS, Scenario

_SCOPE: Literal["module"] = "module"


@pytest.fixture(scope=_SCOPE, params=ENGINES)
def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Lab]]:
    """An engine with the sandbox and the sites; its version is printed."""
    with lab(request.param, tmp_path_factory.mktemp(request.param)) as started:
        yield request.param, started
        print(f"\n{request.param}: {started.version}")


@pytest.mark.soak
@pytest.mark.xdist_group("engines")
@pytest.mark.parametrize("scenario", SCENARIOS, ids=[scenario.name for scenario in SCENARIOS])
def test_scenario_ends_as_expected(engine: tuple[str, Lab], scenario: Scenario) -> None:
    name, started = engine
    seen = started.result(scenario)
    assert scenario.is_expected(name, seen), seen


def test_table_of_the_documentation_has_the_expected_results() -> None:
    assert expected_table() in PAGE.read_text("utf-8"), "python -m tests.engines.results write FILES writes the table"


def test_scenarios_are_sixty_with_names_of_their_own() -> None:
    names = [scenario.name for scenario in SCENARIOS]
    assert len(names) == len(set(names)) >= 60
