"""TikTok down in nine ways, over real sockets: nothing is lost, no visitor waits, TikTok is not hammered, all goes soon after.

What a request may take is measured beside it: a second shop, whose TikTok is well, is visited in turn with the first.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from itertools import pairwise
from math import sqrt
from pathlib import Path
from typing import NamedTuple

import pytest
from click.testing import CliRunner

from tests.bench.rounds import percentile
from tests.delivery.delivery_world import wait_until
from tests.delivery.outage_world import Shop
from tests.delivery.sender.failing_api import FAILURES, Service, running_failing_api
from tiktok_middleware.cli.main import main
from tiktok_middleware.delivery.sender.backoff import MIN_WAIT_S

pytestmark = pytest.mark.slow

OUTAGE_S = 1.2
WINDOW = 60  # visits to each shop in a row that are judged together
ALLOWED_S = 0.005
DRAINED_S = 60.0


@pytest.fixture(scope="module")
def api_url() -> Iterator[str]:
    with running_failing_api() as url:
        yield url


class Waits(NamedTuple):
    """Seconds that visitors waited: of the shop whose TikTok fails, and of the one whose does not."""

    failing: list[float]
    well: list[float]


class Street:
    """Two shops, alike but for TikTok, visited in turn."""

    def __init__(self, api_url: str, folder: Path, name: str) -> None:
        self.tiktok = Service(api_url, name)
        self.outbox = f"sqlite:///{folder}/failing.sqlite3"
        self.shop = Shop(self.tiktok.url, self.outbox)
        self.neighbour = Shop(Service(api_url, f"{name}-well").url, f"sqlite:///{folder}/well.sqlite3")

    def visit(self, times: int) -> Waits:
        waits = Waits([], [])
        for _ in range(times):
            waits.failing.append(self.shop.visit())
            waits.well.append(self.neighbour.visit())
            time.sleep(0.002)
        return waits

    def close(self) -> None:
        self.shop.close()
        self.neighbour.close()


@pytest.fixture
def street(api_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Street]:
    street = Street(api_url, tmp_path, request.node.callspec.params["failure"])
    yield street
    street.close()


class Window(NamedTuple):
    """Visits during an outage.

    Attributes:
        limit_s: what a visit may take: the normal p99, before and beside the outage, and 5 ms.
        waits: what they took.
    """

    limit_s: float
    waits: Waits

    @property
    def is_fast(self) -> bool:
        return max(self.waits.failing) <= self.limit_s

    def slow(self, waits: list[float]) -> list[float]:
        """By how much each slow visit was too slow, in seconds."""
        return [wait - self.limit_s for wait in waits if wait > self.limit_s]


def suffer(street: Street, failure: str) -> tuple[list[Window], float]:
    """The windows of an outage and its seconds: `OUTAGE_S` or more, up to eight windows until one is fast altogether."""
    street.visit(20)  # connections, files, threads and imports are made
    normal = street.visit(WINDOW)
    normal_s = percentile(normal.failing + normal.well, 99)
    street.tiktok.fail(failure)
    began = time.monotonic()
    windows: list[Window] = []
    while time.monotonic() - began < OUTAGE_S or (len(windows) < 8 and not any(window.is_fast for window in windows)):
        waits = street.visit(WINDOW)
        windows.append(Window(max(normal_s, percentile(waits.well, 99)) + ALLOWED_S, waits))
    return windows, time.monotonic() - began


def assert_nobody_waits(windows: list[Window]) -> None:
    """A machine that does something else makes visits to both shops slow; a wait for TikTok those to one, and by much."""
    assert any(window.is_fast for window in windows), "in no window was every visit fast"
    slow = [by_s for window in windows for by_s in window.slow(window.waits.failing)]
    slow_beside = [by_s for window in windows for by_s in window.slow(window.waits.well)]
    by_chance = 4 * sqrt(len(slow) + len(slow_beside)) + 3
    assert len(slow) - len(slow_beside) <= by_chance, f"{len(slow)} slow visits, and {len(slow_beside)} beside"
    assert sum(slow) - sum(slow_beside) <= 0.4, f"visits waited {sum(slow):.2f} s longer than normally"


def assert_load_is_bounded(refused: list[tuple[float, int]], failure: str, outage_s: float) -> None:
    """Each failure is followed by a wait of its own, and by a smaller request."""
    times, sizes = [at for at, _ in refused], [size for _, size in refused]
    gaps = [after - before for before, after in pairwise(times)]
    least_s = {"429": 2.0}.get(failure, MIN_WAIT_S)
    assert all(gap >= least_s - 0.01 for gap in gaps), gaps
    assert len(times) <= 1 + outage_s / least_s
    assert all(size <= max(1, 1000 >> number) for number, size in enumerate(sizes)), sizes
    if failure == "40105":
        assert len(times) == 1, "a bad token is asked about once"


@pytest.mark.parametrize("failure", FAILURES)
def test_an_outage(street: Street, failure: str) -> None:
    windows, outage_s = suffer(street, failure)
    orders = len(street.shop.orders)
    report = street.tiktok.report()
    assert report["refused"], "TikTok was asked, and failed"
    assert_nobody_waits(windows)
    assert_load_is_bounded(report["refused"], failure, outage_s)
    assert report["open_at_most"] <= 2, "one connection, and one that is being cut off"
    assert len(report["accepted"]) + street.shop.client.stats()["waiting"] >= orders

    street.tiktok.fail("")
    if failure == "40105":
        done = CliRunner().invoke(main, ["outbox", "--outbox", street.outbox, "retry"])
        assert done.exit_code == 0, done.output
    began = time.monotonic()
    assert wait_until(lambda: len(set(street.tiktok.report()["accepted"])) >= orders, DRAINED_S)
    drained_s = time.monotonic() - began
    accepted = street.tiktok.report()["accepted"]
    assert len(accepted) == len(set(accepted)) == orders, "each once: none was taken while TikTok failed"
    stats = street.shop.client.stats()
    assert (stats["dropped"], stats["buried"]) == ({}, {})
    assert drained_s < DRAINED_S


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_two_minutes_without_tiktok_are_made_up_for_within_one(api_url: str, tmp_path: Path) -> None:
    """All nine at once, each with a shop of its own and the sink's own patience of 15 s."""
    shops = {
        failure: Shop(f"{api_url}/long-{failure}", f"sqlite:///{tmp_path}/{failure}.db", "direct")
        for failure in FAILURES
    }
    tiktok = {failure: Service(api_url, f"long-{failure}") for failure in FAILURES}
    for failure, service in tiktok.items():
        shops[failure].visit()
        service.fail(failure)
    began = time.monotonic()
    while time.monotonic() - began < 120:
        for shop in shops.values():
            shop.visit()
        time.sleep(0.1)
    for failure, service in tiktok.items():
        refused = service.report()["refused"]
        assert 1 <= len(refused) <= 20, f"{failure}: the waits grow"
        service.fail("")
    done = CliRunner().invoke(main, ["outbox", "--outbox", f"sqlite:///{tmp_path}/40105.db", "retry"])
    assert done.exit_code == 0, done.output
    ended = time.monotonic()
    for failure, shop in shops.items():
        left_s = ended + DRAINED_S - time.monotonic()
        found = tiktok[failure]
        assert wait_until(lambda f=found, s=shop: len(set(f.report()["accepted"])) == len(s.orders), left_s), failure  # type: ignore[misc]
        shop.close()
