"""Starlette's and Flask's own tests pass with every app wrapped where they pass bare, and their documents are injected."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.sink import Sink
from tests.soak.suites import SUITES, Outcome, Prepared, Suite

pytestmark = [pytest.mark.soak, pytest.mark.timeout(900)]

_GOAL = 0.9


@pytest.fixture(scope="module")
def sink() -> Iterator[Sink]:
    with Sink().running() as running:
        yield running


_PARAMETERS = [pytest.param(suite, id=suite.name, marks=pytest.mark.xdist_group(suite.name)) for suite in SUITES]


@pytest.fixture(scope="module", params=_PARAMETERS)
def prepared(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    suite: Suite = request.param
    return suite.fetch(tmp_path_factory.mktemp(suite.name))


@pytest.fixture(scope="module")
def bare(prepared: Prepared, sink: Sink) -> Outcome:
    return prepared.run("bare", sink.url)


@pytest.mark.parametrize("mode", ["plain", "busy"])
def test_nothing_breaks_that_does_not_break_bare(prepared: Prepared, bare: Outcome, sink: Sink, mode: str) -> None:
    assert sum(result == "passed" for result in bare.results.values()) > 400, bare.printed[-4000:]
    wrapped = prepared.run(mode, sink.url)
    assert wrapped.results.keys() == bare.results.keys()
    broken = [name for name, result in wrapped.results.items() if result != bare.results[name]]
    assert broken == [], wrapped.printed[-4000:]
    assert wrapped.report["faults"] == []
    counts = wrapped.report["counts"]
    print(f"\n{prepared.suite.name} {mode}: {counts}")
    assert counts["documents"] >= 10
    assert counts["documents_injected"] >= _GOAL * counts["documents"], wrapped.report["missed"]
    if mode == "busy":
        assert counts["documents"] >= 40
        assert counts["stats_submitted"] > 300
        assert counts["stats_delivered"] == counts["stats_accepted"] == counts["stats_submitted"]
