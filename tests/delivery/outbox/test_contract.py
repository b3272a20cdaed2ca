"""The promise of every outbox, kept by each of them; ``pair`` is two workers' view of the same one."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.delivery.delivery_world import NOW, record, submission, submissions
from tiktok_middleware.core.events.event import Claim, DeferredPayload, OutboxEntry
from tiktok_middleware.delivery.outbox import deferred as deferreds
from tiktok_middleware.delivery.outbox.base import PAIRED_TTL_S, LeasedRecord, Limits, Outbox
from tiktok_middleware.delivery.outbox.deferred import PARCEL_LIFE_S
from tiktok_middleware.delivery.outbox.memory import MemoryOutbox
from tiktok_middleware.delivery.outbox.sqlite import SqliteOutbox

Open = Callable[..., Outbox]
ROOMY = Limits(rows=100_000, bytes=100_000_000, dead=1000)


@pytest.fixture(params=["memory", "sqlite"])
def open_pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., tuple[Outbox, Outbox]]]:
    opened: list[Outbox] = []

    def open_(limits: Limits = ROOMY) -> tuple[Outbox, Outbox]:
        pair: tuple[Outbox, Outbox]
        if request.param == "memory":
            outbox = MemoryOutbox(limits)
            pair = outbox, outbox
        else:
            path = tmp_path / "outbox.sqlite3"
            pair = SqliteOutbox(path, limits=limits), SqliteOutbox(path, limits=limits)
        opened.extend(pair)
        return pair

    yield open_
    for outbox in opened:
        outbox.close()


@pytest.fixture
def open_outbox(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> Open:
    return lambda limits=ROOMY: open_pair(limits)[0]


def lease(
    outbox: Outbox, owner: str = "a", limit: int = 1000, now: float = NOW, **options: object
) -> list[LeasedRecord]:
    chosen: dict[str, object] = {"limit_bytes": 1_000_000, "for_s": 60.0, **options}
    return outbox.lease(owner, limit, now=now, **chosen)  # type: ignore[arg-type]


def ids(rows: list[LeasedRecord]) -> list[int]:
    return [row.id for row in rows]


def names(rows: list[LeasedRecord]) -> list[str]:
    return [row.record.event_id for row in rows]


def test_what_is_put_is_leased_unchanged_and_in_order(open_outbox: Open) -> None:
    outbox = open_outbox()
    stored = [record("a", source="crm", paired=True), record("b", source="crm", size=50)]
    assert outbox.put([submission(r) for r in stored], NOW) == [Claim(browser=False, server=True)] * 2
    rows = lease(outbox)
    assert [row.record for row in rows] == stored
    assert [row.tries for row in rows] == [0, 0]
    assert ids(rows) == sorted(ids(rows))


def test_a_claim_without_once_wins_what_it_asks_for(open_outbox: Open) -> None:
    outbox = open_outbox()
    both = submission(record("e"), browser=True)
    browser_only = OutboxEntry("e", browser=True)
    neither = OutboxEntry("e")
    assert outbox.put([both, both, browser_only, neither], NOW) == [
        Claim(browser=True, server=True),
        Claim(browser=True, server=True),
        Claim(browser=True, server=False),
        Claim(browser=False, server=False),
    ]


def test_once_is_won_once_a_channel_by_whoever_asks_first(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    server = submission(record("order-1"), once=True)
    both = submission(record("order-1"), browser=True, once=True)
    assert one.put([server], NOW) == [Claim(browser=False, server=True)]
    assert other.put([both, both], NOW) == [Claim(browser=True, server=False), Claim(browser=False, server=False)]
    assert other.put([submission(record("order-2"), browser=True, once=True)], NOW) == [
        Claim(browser=True, server=True)
    ]
    assert names(lease(one)) == ["order-1", "order-2"]
    assert other.duplicates == 2


LATE = PAIRED_TTL_S + 1


@pytest.mark.parametrize(("wait_s", "wins"), [(0, True), (PAIRED_TTL_S, True), (LATE, False), (300 * 86400, False)])
def test_one_channel_does_not_follow_the_other_past_tiktoks_window(
    open_pair: Callable[..., tuple[Outbox, Outbox]], wait_s: float, wins: bool
) -> None:
    outbox, other = open_pair()
    server, browser = submission(record("a"), once=True), OutboxEntry("a", browser=True, once=True)
    assert outbox.put([server], NOW) == [Claim(browser=False, server=True)]
    assert other.put([browser], NOW + wait_s) == [Claim(browser=wins, server=False)]
    server, browser = submission(record("b"), once=True), OutboxEntry("b", browser=True, once=True)
    assert outbox.put([browser], NOW) == [Claim(browser=True, server=False)]
    assert other.put([server], NOW + wait_s) == [Claim(browser=False, server=wins)]


def test_a_second_visit_after_the_window_counts_nothing(open_outbox: Open) -> None:
    outbox = open_outbox()
    both = submission(record("order"), browser=True, once=True)
    assert outbox.put([both], NOW) == [Claim(browser=True, server=True)]
    assert outbox.put([both], NOW + LATE) == [Claim(browser=False, server=False)]


def test_a_server_copy_is_paired_once_a_browser_has_its_own(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    """A webhook's copy that an outage holds back must not arrive when TikTok has forgotten the thank-you page's."""
    outbox, other = open_pair()
    outbox.put([submission(record("order"), once=True), submission(record("alone"), once=True)], NOW)
    other.put([OutboxEntry("order", browser=True, once=True)], NOW)
    assert [(row.record.event_id, row.record.paired) for row in lease(outbox)] == [("order", True), ("alone", False)]


def test_a_lost_claim_of_several_pixels_stores_none_of_them(open_outbox: Open) -> None:
    outbox = open_outbox()
    twice = submission(record("o", pixel="C1"), record("o", pixel="C2"), once=True)
    assert outbox.put([twice, twice], NOW) == [Claim(browser=False, server=True), Claim(browser=False, server=False)]
    assert outbox.counts()["waiting"] == 2


def test_a_claim_in_passing_is_won_once_for_each_channel_too(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    both = OutboxEntry("minted", (record("minted"),), browser=True, once=True, passing=True)
    assert one.put([both], NOW) == [Claim(browser=True, server=True)]
    assert other.put([both], NOW + 60) == [Claim(browser=False, server=False)]


def test_a_copy_is_kept_for_a_day_for_whoever_asks(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    one.put([OutboxEntry("a", browser=True, deferred=DeferredPayload("ref", b"[1]"))], NOW)
    assert [outbox.take("ref", NOW + hour * 3600) for outbox in (one, other) for hour in (0, 23)] == [b"[1]"] * 4
    assert other.take("ref", NOW + PARCEL_LIFE_S) is None
    assert other.take("other", NOW) is None


def test_a_copy_whose_claim_is_lost_is_not_kept(open_outbox: Open) -> None:
    outbox = open_outbox()
    outbox.put([OutboxEntry("a", browser=True, once=True)], NOW)
    outbox.put([OutboxEntry("a", browser=True, once=True, deferred=DeferredPayload("ref", b"[1]"))], NOW)
    assert outbox.take("ref", NOW) is None


def test_of_too_many_copies_the_oldest_make_room(open_outbox: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(deferreds, "_LIMIT", 2)
    monkeypatch.setattr(deferreds, "_MEMORY_LIMIT", 2)
    outbox = open_outbox()
    for number in range(3):
        outbox.put([OutboxEntry("a", browser=True, deferred=DeferredPayload(str(number), b"[]"))], NOW + number)
    assert [outbox.take(str(number), NOW + 3) for number in range(3)] == [None, b"[]", b"[]"]


def test_a_lease_holds_one_pixel_and_one_source(open_outbox: Open) -> None:
    outbox = open_outbox()
    kinds = [("C1", "web"), ("C2", "web"), ("C1", "crm"), ("C1", "web")]
    outbox.put([submission(record(f"e{i}", pixel=p, source=s)) for i, (p, s) in enumerate(kinds)], NOW)
    batches = [names(lease(outbox)) for _ in range(4)]
    assert sorted(batches) == [[], ["e0", "e3"], ["e1"], ["e2"]]


def test_a_lease_keeps_to_its_limits_but_never_starves(open_outbox: Open) -> None:
    outbox = open_outbox()
    outbox.put(submissions(5, size=1000), NOW)
    assert len(lease(outbox, limit=2)) == 2
    assert len(lease(outbox, limit_bytes=2200)) == 2
    assert len(lease(outbox, limit_bytes=10)) == 1
    assert lease(outbox) == []


def test_a_blocked_pixel_stays_where_it_is(open_outbox: Open) -> None:
    outbox = open_outbox()
    outbox.put([submission(record("e1", pixel="C1")), submission(record("e2", pixel="C2"))], NOW)
    assert names(lease(outbox, pixels_blocked=["C1", "C3"])) == ["e2"]
    assert lease(outbox, pixels_blocked=["C1", "C2"]) == []
    assert outbox.next_due(["C1", "C2"]) is None
    assert not outbox.holds(outbox.last_id(), ["C1", "C2"])
    assert names(lease(outbox)) == ["e1"]


def test_nobody_else_gets_a_leased_row_until_the_holder_crashed(
    open_pair: Callable[..., tuple[Outbox, Outbox]],
) -> None:
    one, other = open_pair()
    one.put(submissions(3), NOW)
    held = lease(one, "crashes", for_s=60.0)
    assert lease(other, "b", now=NOW + 59) == []
    again = lease(other, "b", now=NOW + 60)
    assert [row.record for row in again] == [row.record for row in held]
    assert one.ack("crashes", ids(held)) == 0, "the lease is lost"
    assert one.retry("crashes", ids(held), NOW) == 0
    assert one.renew("crashes", ids(held), NOW + 900) == 0
    assert one.release("crashes", ids(held), NOW) == 0
    assert one.bury("crashes", ids(held), "late", NOW) == 0
    assert other.counts()["waiting"] == 3
    assert other.ack("b", ids(again)) == 3
    assert one.counts() == {"waiting": 0, "bytes": 0, "dead": 0}


def test_a_late_answer_counts_while_nobody_took_the_row(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    one.put(submissions(1), NOW)
    held = lease(one, "slow", for_s=1.0)
    assert one.ack("slow", ids(held)) == 1
    assert lease(other, "b", now=NOW + 100) == []


def test_ack_takes_the_rows_away_and_keeps_count(open_outbox: Open) -> None:
    outbox = open_outbox()
    outbox.put(submissions(3, size=10), NOW)
    rows = lease(outbox)
    assert outbox.ack("a", ids(rows)[:2]) == 2
    assert outbox.counts() == {"waiting": 1, "bytes": len(rows[2].record.body), "dead": 0}
    assert outbox.ack("a", ids(rows)) == 1, "two are gone already"
    assert outbox.counts() == {"waiting": 0, "bytes": 0, "dead": 0}


def test_retry_makes_a_row_due_later_and_a_try_older(open_outbox: Open) -> None:
    outbox = open_outbox()
    outbox.put(submissions(2), NOW)
    assert outbox.retry("a", ids(lease(outbox)), NOW + 30) == 2
    assert outbox.next_due() == NOW + 30
    assert lease(outbox, now=NOW + 29) == []
    rows = lease(outbox, now=NOW + 30)
    assert [row.tries for row in rows] == [1, 1]
    assert names(rows) == ["evt-0", "evt-1"]


def test_renewing_prolongs_a_lease_that_is_still_held(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    one.put(submissions(2), NOW)
    held = lease(one, "slow", for_s=10.0)
    assert one.renew("slow", ids(held), NOW + 30) == 2
    assert lease(other, "b", now=NOW + 29) == []
    assert len(lease(other, "b", limit=1, now=NOW + 30)) == 1
    assert one.renew("slow", ids(held)[:1], NOW + 60) == 0


def test_release_gives_a_row_back_as_it_was(open_outbox: Open) -> None:
    outbox = open_outbox()
    outbox.put(submissions(1), NOW)
    first = lease(outbox)
    assert outbox.release("a", ids(first), NOW) == 1
    assert lease(outbox, "b") == first


def test_bury_keeps_the_row_as_a_dead_letter(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=10, bytes=10_000, dead=2))
    outbox.put(submissions(4), NOW)
    for row in lease(outbox):
        assert outbox.bury("a", [row.id], "40002 no", NOW) == 1
    assert outbox.counts() == {"waiting": 0, "bytes": 0, "dead": 2}
    assert outbox.dropped == {"overflow_dead": 2}
    assert lease(outbox, now=NOW + 1000) == []


def test_next_due_is_the_soonest_row_or_the_end_of_a_lease(open_outbox: Open) -> None:
    outbox = open_outbox()
    assert outbox.next_due() is None
    outbox.put(submissions(1), NOW)
    due = outbox.next_due()
    assert due is not None
    assert due <= NOW
    lease(outbox, for_s=60.0)
    assert outbox.next_due() == NOW + 60


def test_holds_tells_whether_anything_up_to_a_mark_waits(open_outbox: Open) -> None:
    outbox = open_outbox()
    assert not outbox.holds(outbox.last_id())
    outbox.put(submissions(2), NOW)
    mark = outbox.last_id()
    outbox.put(submissions(1, "later"), NOW)
    rows = lease(outbox, limit=2)
    assert outbox.holds(mark), "leased rows wait too"
    outbox.retry("a", [rows[0].id], NOW + 5)
    outbox.ack("a", [rows[1].id])
    assert outbox.holds(mark), "a row that is tried later waits too"
    outbox.ack("b", ids(lease(outbox, "b", limit=1, now=NOW + 5)))
    outbox.ack("b", ids(lease(outbox, "b", limit=1, now=NOW + 5)))
    assert not outbox.holds(mark)
    assert outbox.last_id() == mark + 1


def test_numbers_are_never_used_again(open_outbox: Open) -> None:
    outbox = open_outbox()
    outbox.put(submissions(2), NOW)
    rows = lease(outbox)
    outbox.ack("a", ids(rows))
    outbox.put(submissions(1), NOW)
    assert ids(lease(outbox))[0] > max(ids(rows))


def test_page_views_give_way_to_conversions(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=4, bytes=1_000_000, dead=10))
    outbox.put(submissions(3, "view", event="Pageview"), NOW)
    outbox.put(submissions(1, "early"), NOW)
    assert outbox.put(submissions(2, "sale"), NOW) == [Claim(browser=False, server=True)] * 2
    assert outbox.dropped == {"overflow_page_view": 2}
    assert sorted(names(lease(outbox))) == ["early-0", "sale-0", "sale-1", "view-2"]


def test_a_page_view_does_not_enter_a_full_outbox(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=2, bytes=1_000_000, dead=10))
    outbox.put(submissions(2, "view", event="Pageview"), NOW)
    assert outbox.put(submissions(1, "late", event="Pageview"), NOW) == [Claim(browser=False, server=False)]
    assert outbox.dropped == {"overflow_page_view": 1}
    assert sorted(names(lease(outbox))) == ["view-0", "view-1"]


def test_an_outbox_full_of_conversions_refuses_and_leaves_the_claim_for_later(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=1, bytes=1_000_000, dead=10))
    outbox.put(submissions(1, "first"), NOW)
    late = submission(record("order-1"), browser=True, once=True)
    assert outbox.put([late], NOW) == [Claim(browser=True, server=False)]
    assert outbox.dropped == {"overflow": 1}
    outbox.ack("a", ids(lease(outbox)))
    assert outbox.put([late], NOW) == [Claim(browser=False, server=True)]


def test_bytes_are_bounded_too(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=1000, bytes=2500, dead=10))
    claims = outbox.put(submissions(3, size=1000), NOW)
    assert [claim.server for claim in claims] == [True, True, False]
    views = outbox.put(submissions(1, "view", event="Pageview", size=100), NOW)
    assert views == [Claim(browser=False, server=True)]
    assert outbox.put(submissions(1, "small", size=250), NOW) == [Claim(browser=False, server=True)]
    assert outbox.dropped == {"overflow": 1, "overflow_page_view": 1}


def test_a_page_view_on_its_way_does_not_give_way(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=1, bytes=1_000_000, dead=10))
    outbox.put(submissions(1, "view", event="Pageview"), NOW)
    rows = lease(outbox)
    assert outbox.put(submissions(1, "sale"), NOW) == [Claim(browser=False, server=False)]
    assert outbox.ack("a", ids(rows)) == 1


def test_many_threads_lose_nothing_and_send_nothing_twice(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    pair = open_pair()
    seen: list[str] = []
    done = threading.Event()

    def produce(number: int) -> None:
        for i in range(50):
            pair[number % 2].put(submissions(1, f"p{number}-{i}"), NOW)

    def consume(number: int) -> None:
        owner = f"worker-{number}"
        while True:
            was_done = done.is_set()
            rows = lease(pair[number % 2], owner, limit=7)
            seen.extend(names(rows))
            pair[number % 2].ack(owner, ids(rows))
            if was_done and not rows:
                return

    producers = [threading.Thread(target=produce, args=(n,)) for n in range(4)]
    consumers = [threading.Thread(target=consume, args=(n,)) for n in range(3)]
    for thread in [*producers, *consumers]:
        thread.start()
    for thread in producers:
        thread.join(30)
    done.set()
    for thread in consumers:
        thread.join(30)
    assert sorted(seen) == sorted(f"p{n}-{i}-0" for n in range(4) for i in range(50))
    assert pair[0].counts() == {"waiting": 0, "bytes": 0, "dead": 0}


def test_closing_is_not_the_end(open_outbox: Open) -> None:
    outbox = open_outbox()
    outbox.put(submissions(1), NOW)
    outbox.close()
    outbox.close()
    assert names(lease(outbox)) == ["evt-0"]
    outbox.tidy(NOW)


def test_the_ledger_is_bounded_and_forgets_the_oldest_claims_first(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=10, bytes=10_000, dead=1, claims=2))
    for age, name in enumerate(("a", "b", "c")):
        outbox.put([OutboxEntry(name, browser=True, once=True)], NOW + age)
    outbox.tidy(NOW)
    asked = [OutboxEntry(name, browser=True, once=True) for name in ("b", "c", "a")]
    assert [claim.browser for claim in outbox.put(asked, NOW + 9)] == [False, False, True]
