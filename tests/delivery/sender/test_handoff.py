"""What the writer hands over comes out whole, in requests of one pixel and one source that keep to the limits."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.delivery.delivery_world import NOW, record
from tiktok_middleware.delivery.outbox.base import LeasedRecord, LeaseHolder
from tiktok_middleware.delivery.outbox.memory import MemoryOutbox
from tiktok_middleware.delivery.sender.handoff import Handoff

OUTBOX = MemoryOutbox()


def rows(start: int, pixels: str, size: int = 0) -> list[LeasedRecord]:
    return [LeasedRecord(start + i, 0, record(f"e{start + i}", pixel=p, size=size)) for i, p in enumerate(pixels)]


@given(st.lists(st.text("AB", max_size=12), max_size=6), st.integers(1, 5), st.integers(1, 400))
def test_every_row_comes_out_once_in_order_and_within_limits(groups: list[str], limit: int, limit_bytes: int) -> None:
    handoff = Handoff()
    start = 0
    for group in groups:
        handoff.put(OUTBOX, LeaseHolder("w", 20, NOW + 20, rows(start, group)))
        start += len(group)
    out: list[LeasedRecord] = []
    for _ in range(len(groups) + 1):
        for batch in handoff.get(limit, limit_bytes):
            assert len({row.record.pixel for row in batch.rows}) == 1
            assert 0 < len(batch.rows) <= limit
            assert len(batch.rows) == 1 or sum(len(row.record.body) for row in batch.rows) <= limit_bytes
            out += batch.rows
    assert handoff.get(limit, limit_bytes) == []
    for pixel in "AB":
        ids = [row.id for row in out if row.record.pixel == pixel]
        assert ids == sorted(ids)
    assert sorted(row.id for row in out) == list(range(start))


def test_only_so_much_is_on_its_way() -> None:
    handoff = Handoff()
    handoff.put(OUTBOX, LeaseHolder("w", 20, NOW, rows(0, "A" * 19_999)))
    assert not handoff.is_full
    handoff.put(OUTBOX, LeaseHolder("w", 20, NOW, rows(0, "A")))
    assert handoff.is_full
    handoff.get(1000, 10**6)
    assert not handoff.is_full


def test_the_first_lease_to_expire_speaks_for_the_batch() -> None:
    handoff = Handoff()
    handoff.put(OUTBOX, LeaseHolder("w", 20, NOW + 20, rows(0, "A")))
    handoff.put(OUTBOX, LeaseHolder("w", 20, NOW + 30, rows(1, "A")))
    (batch,) = handoff.get(10, 10**6)
    assert (batch.until, len(batch.rows)) == (NOW + 20, 2)
