"""One pair of servers at a time, shared by all tests of that server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.catalogue import SERVERS, Entry
from tests.servers.pair import Pair, running_pair


def _parameter(entry: Entry) -> object:
    marks = [pytest.mark.xdist_group(f"servers-{entry.name}"), *([] if entry.is_fast else [pytest.mark.soak])]
    return pytest.param(entry, marks=marks, id=entry.name)


@pytest.fixture(scope="session", params=map(_parameter, SERVERS))
def pair(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    entry: Entry = request.param
    with running_pair(entry, tmp_path_factory.mktemp(entry.name)) as both:
        yield both
