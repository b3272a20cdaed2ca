"""The promise of every outbox, kept by each of them; ``pair`` is two workers' view of the same one."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from tests.delivery.delivery_world import (
    NOW,
    WALL,
    Clock,
    at,
    memory_outbox,
    postgres_outbox,
    record,
    sqlite_outbox,
    submission,
    submissions,
)
from tiktok_middleware.core.events.event import Claim, DeferredPayload, OutboxEntry
from tiktok_middleware.delivery.outbox.base import PAIRED_TTL_S, LeasedRecord, Limits, Outbox
from tiktok_middleware.delivery.outbox.deferred import DEFERRED_LIFE_S
from tiktok_middleware.delivery.outbox.environment import environment_of

Open = Callable[..., Outbox]
ROOMY = Limits(rows=100_000, bytes=100_000_000, dead=1000)


POSTGRES = pytest.param("postgres", marks=pytest.mark.postgres)


@pytest.fixture
def address(request: pytest.FixtureRequest) -> Iterator[str]:
    """Address of an outbox in PostgreSQL that nobody has used."""
    with request.getfixturevalue("postgres").schema() as url:
        yield url


@pytest.fixture(params=["memory", "sqlite", POSTGRES])
def open_pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., tuple[Outbox, Outbox]]]:
    opened: list[Outbox] = []
    url = request.getfixturevalue("address") if request.param == "postgres" else ""

    def open_(limits: Limits = ROOMY) -> tuple[Outbox, Outbox]:
        pair: tuple[Outbox, Outbox]
        if request.param == "memory":
            outbox = memory_outbox(limits)
            pair = outbox, outbox
        elif url:
            pair = postgres_outbox(url, limits=limits), postgres_outbox(url, limits=limits)
        else:
            path = tmp_path / "outbox.sqlite3"
            pair = sqlite_outbox(path, limits=limits), sqlite_outbox(path, limits=limits)
        opened.extend(pair)
        for one in pair:
            one.counts()  # opens the file
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
    return at(outbox, now).lease(owner, limit, **chosen)  # type: ignore[arg-type]


def ids(rows: list[LeasedRecord]) -> list[int]:
    return [row.id for row in rows]


def names(rows: list[LeasedRecord]) -> list[str]:
    return [row.record.event_id for row in rows]


def test_what_is_put_is_leased_unchanged_and_in_order(open_outbox: Open) -> None:
    outbox = open_outbox()
    stored = [record("a", source="crm", paired=True), record("b", source="crm", size=50)]
    assert at(outbox, NOW).put([submission(r) for r in stored]) == [Claim(browser=False, server=True)] * 2
    rows = lease(outbox)
    assert [row.record for row in rows] == stored
    assert [row.tries for row in rows] == [0, 0]
    assert ids(rows) == sorted(ids(rows))


def test_a_claim_without_once_wins_what_it_asks_for(open_outbox: Open) -> None:
    outbox = open_outbox()
    both = submission(record("e"), browser=True)
    browser_only = OutboxEntry("e", browser=True)
    neither = OutboxEntry("e")
    assert at(outbox, NOW).put([both, both, browser_only, neither]) == [
        Claim(browser=True, server=True),
        Claim(browser=True, server=True),
        Claim(browser=True, server=False),
        Claim(browser=False, server=False),
    ]


def test_once_is_won_once_a_channel_by_whoever_asks_first(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    server = submission(record("order-1"), once=True)
    both = submission(record("order-1"), browser=True, once=True)
    assert at(one, NOW).put([server]) == [Claim(browser=False, server=True)]
    assert at(other, NOW).put([both, both]) == [Claim(browser=True, server=False), Claim(browser=False, server=False)]
    assert at(other, NOW).put([submission(record("order-2"), browser=True, once=True)]) == [
        Claim(browser=True, server=True)
    ]
    assert names(lease(one)) == ["order-1", "order-2"]
    assert other.duplicates == 2


LATE = PAIRED_TTL_S + 1


FREE_CHANNELS = [  # claimed before, seconds since then, and what an entry for both channels wins
    ("nothing", 0, (True, True)),
    ("browser", 0, (False, True)),
    ("server", 0, (True, False)),
    ("both", 0, (False, False)),
    ("browser", PAIRED_TTL_S, (False, True)),
    ("server", PAIRED_TTL_S, (True, False)),
    ("browser", LATE, (False, False)),
    ("server", LATE, (False, False)),
    ("both", LATE, (False, False)),
]


@pytest.mark.parametrize("passing", [False, True])
def test_entry_for_both_channels_wins_those_that_are_free(
    open_pair: Callable[..., tuple[Outbox, Outbox]], passing: bool
) -> None:
    one, other = open_pair()
    entries = {
        (name, before): OutboxEntry(
            name,
            (record(name),) if before != "browser" else (),
            browser=before != "server",
            once=True,
            passing=passing,
        )
        for name in map(str, range(len(FREE_CHANNELS)))
        for before in ("browser", "server", "both")
    }
    for name, (before, wait_s, _) in enumerate(FREE_CHANNELS):
        if before != "nothing":
            at(one, NOW - wait_s).put([entries[str(name), before]])
    asked = [entries[str(name), "both"] for name in range(len(FREE_CHANNELS))]
    won = at(other, NOW).put(asked)
    assert [(claim.browser, claim.server) for claim in won] == [wins for _, _, wins in FREE_CHANNELS]
    assert not any(claim.browser or claim.server for claim in other.put(asked))
    stored = names(lease(one))
    sent = [before in {"server", "both"} or wins[1] for before, _, wins in FREE_CHANNELS]
    assert [stored.count(str(name)) for name in range(len(FREE_CHANNELS))] == sent


def test_rows_between_those_of_another_source_stay(open_outbox: Open) -> None:
    """Rows of one source are in one range of numbers, in several ranges, or scattered."""
    outbox = open_outbox()
    for size, step in itertools.product([1, 8, 9, 51, 120], [1, 2, 10]):
        sources = ["web" if number // step % 2 == 0 else "crm" for number in range(2 * size)]
        at(outbox, NOW).put([submission(record(f"{n}", source=source)) for n, source in enumerate(sources)])
        first = lease(outbox)
        source = first[0].record.source
        assert names(first) == [str(n) for n, found in enumerate(sources) if found == source]
        assert outbox.renew("a", ids(first), 60.0) == len(first)
        assert outbox.ack("a", first[::2]) == len(first[::2])
        assert outbox.release("a", ids(first[1::2])) == len(first[1::2])
        rest = [str(n) for n, found in enumerate(sources) if found != source] + names(first[1::2])
        assert outbox.counts()["waiting"] == len(rest)
        left = [*lease(outbox), *lease(outbox)]
        assert sorted(names(left)) == sorted(rest)
        assert sum(
            outbox.ack("a", [row for row in left if row.record.source == name]) for name in ("web", "crm")
        ) == len(rest)


@pytest.mark.parametrize(("wait_s", "wins"), [(0, True), (PAIRED_TTL_S, True), (LATE, False), (300 * 86400, False)])
def test_one_channel_does_not_follow_the_other_past_tiktoks_window(
    open_pair: Callable[..., tuple[Outbox, Outbox]], wait_s: float, wins: bool
) -> None:
    outbox, other = open_pair()
    server, browser = submission(record("a"), once=True), OutboxEntry("a", browser=True, once=True)
    assert at(outbox, NOW).put([server]) == [Claim(browser=False, server=True)]
    assert at(other, NOW + wait_s).put([browser]) == [Claim(browser=wins, server=False)]
    server, browser = submission(record("b"), once=True), OutboxEntry("b", browser=True, once=True)
    assert at(outbox, NOW).put([browser]) == [Claim(browser=True, server=False)]
    assert at(other, NOW + wait_s).put([server]) == [Claim(browser=False, server=wins)]


@pytest.mark.parametrize("before", ["nothing", "browser", "server", "both"])
@pytest.mark.parametrize("age_s", [LATE, 6 * 86400, 27 * 86400])
def test_late_event_is_stored_unless_a_copy_went_before(
    open_pair: Callable[..., tuple[Outbox, Outbox]], before: str, age_s: float
) -> None:
    outbox, other = open_pair()
    earlier = {
        "browser": OutboxEntry("a", browser=True, once=True),
        "server": submission(record("a"), once=True),
        "both": submission(record("a"), browser=True, once=True),
    }
    if before in earlier:
        at(outbox, NOW).put([earlier[before]])
    late = submission(record("a", event_time=NOW), once=True)
    is_new = before == "nothing"
    claims = at(other, NOW + age_s).put([late, late])
    assert claims == [Claim(browser=False, server=is_new), Claim(browser=False, server=False)]
    assert claims[1].first_at == (NOW + age_s if is_new else NOW)
    assert names(lease(outbox, now=NOW + age_s)).count("a") == (1 if is_new else before in {"server", "both"})


def test_late_event_is_not_stored_after_a_browser_copy_of_a_minute_ago(open_outbox: Open) -> None:
    outbox = open_outbox()
    at(outbox, NOW).put([OutboxEntry("a", browser=True, once=True)])
    late = submission(record("a", event_time=NOW - LATE), once=True)
    assert at(outbox, NOW + 60).put([late]) == [Claim(browser=False, server=False)]


@pytest.mark.parametrize("source", ["offline", "crm"])
def test_imported_event_may_be_late(open_outbox: Open, source: str) -> None:
    outbox = open_outbox()
    at(outbox, NOW).put([OutboxEntry("a", browser=True, once=True)])
    late = submission(record("a", event_time=NOW - 20 * 86400, source=source), once=True)
    assert at(outbox, NOW + 60).put([late]) == [Claim(browser=False, server=True)]


def test_late_event_without_once_is_always_stored(open_outbox: Open) -> None:
    late = submission(record("a", event_time=NOW - LATE))
    assert at(open_outbox(), NOW).put([late, late]) == [Claim(browser=False, server=True)] * 2


def test_late_event_of_several_pixels_is_stored_for_all_or_none(
    open_pair: Callable[..., tuple[Outbox, Outbox]],
) -> None:
    outbox, other = open_pair()
    at(outbox, NOW).put([OutboxEntry("b", browser=True, once=True)])
    for event_id, wins in (("a", True), ("b", False)):
        records = [record(event_id, pixel=pixel, event_time=NOW) for pixel in ("C01", "C02")]
        assert at(other, NOW + LATE).put([submission(*records, once=True)]) == [Claim(browser=False, server=wins)]
    assert other.duplicates == 2


def test_a_second_visit_after_the_window_counts_nothing(open_outbox: Open) -> None:
    outbox = open_outbox()
    both = submission(record("order"), browser=True, once=True)
    assert at(outbox, NOW).put([both]) == [Claim(browser=True, server=True)]
    assert at(outbox, NOW + LATE).put([both]) == [Claim(browser=False, server=False)]


def test_a_server_copy_is_paired_once_a_browser_has_its_own(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    """A webhook's copy that an outage holds back must not arrive when TikTok has forgotten the thank-you page's."""
    outbox, other = open_pair()
    at(outbox, NOW).put([submission(record("order"), once=True), submission(record("alone"), once=True)])
    at(other, NOW).put([OutboxEntry("order", browser=True, once=True)])
    assert [(row.record.event_id, row.record.paired) for row in lease(outbox)] == [("order", True), ("alone", False)]


def test_a_lost_claim_of_several_pixels_stores_none_of_them(open_outbox: Open) -> None:
    outbox = open_outbox()
    twice = submission(record("o", pixel="C1"), record("o", pixel="C2"), once=True)
    assert at(outbox, NOW).put([twice, twice]) == [
        Claim(browser=False, server=True),
        Claim(browser=False, server=False),
    ]
    assert outbox.counts()["waiting"] == 2


def test_a_claim_in_passing_is_won_once_for_each_channel_too(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    both = OutboxEntry("minted", (record("minted"),), browser=True, once=True, passing=True)
    assert at(one, NOW).put([both]) == [Claim(browser=True, server=True)]
    assert at(other, NOW + 60).put([both]) == [Claim(browser=False, server=False)]


def test_a_copy_is_kept_for_a_day_for_whoever_asks(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    at(one, NOW).put([OutboxEntry("a", browser=True, deferred=DeferredPayload("ref", b"[1]"))])
    assert [at(outbox, NOW + hour * 3600).take("ref") for outbox in (one, other) for hour in (0, 23)] == [b"[1]"] * 4
    assert at(other, NOW + DEFERRED_LIFE_S).take("ref") is None
    assert at(other, NOW).take("other") is None


def test_a_copy_whose_claim_is_lost_is_not_kept(open_outbox: Open) -> None:
    outbox = open_outbox()
    at(outbox, NOW).put([OutboxEntry("a", browser=True, once=True)])
    at(outbox, NOW).put([OutboxEntry("a", browser=True, once=True, deferred=DeferredPayload("ref", b"[1]"))])
    assert at(outbox, NOW).take("ref") is None


def test_of_too_many_copies_the_oldest_make_room(open_outbox: Open) -> None:
    outbox = open_outbox(msgspec.structs.replace(ROOMY, deferred=2))
    for number in range(3):
        at(outbox, NOW + number).put([OutboxEntry("a", browser=True, deferred=DeferredPayload(str(number), b"[]"))])
    assert [at(outbox, NOW + 3).take(str(number)) for number in range(3)] == [None, b"[]", b"[]"]


def test_a_lease_holds_one_pixel_and_one_source(open_outbox: Open) -> None:
    outbox = open_outbox()
    kinds = [("C1", "web"), ("C2", "web"), ("C1", "crm"), ("C1", "web")]
    at(outbox, NOW).put([submission(record(f"e{i}", pixel=p, source=s)) for i, (p, s) in enumerate(kinds)])
    batches = [names(lease(outbox)) for _ in range(4)]
    assert sorted(batches) == [[], ["e0", "e3"], ["e1"], ["e2"]]


def test_a_lease_keeps_to_its_limits_but_never_starves(open_outbox: Open) -> None:
    outbox = open_outbox()
    at(outbox, NOW).put(submissions(5, size=1000))
    assert len(lease(outbox, limit=2)) == 2
    assert len(lease(outbox, limit_bytes=2200)) == 2
    assert len(lease(outbox, limit_bytes=10)) == 1
    assert lease(outbox) == []


def test_a_blocked_pixel_stays_where_it_is(open_outbox: Open) -> None:
    outbox = open_outbox()
    at(outbox, NOW).put([submission(record("e1", pixel="C1")), submission(record("e2", pixel="C2"))])
    assert names(lease(outbox, pixels_blocked=["C1", "C3"])) == ["e2"]
    assert lease(outbox, pixels_blocked=["C1", "C2"]) == []
    assert outbox.due_in_s(["C1", "C2"]) is None
    assert not outbox.holds(outbox.last_id(), ["C1", "C2"])
    assert names(lease(outbox)) == ["e1"]


def test_nobody_else_gets_a_leased_row_until_the_holder_crashed(
    open_pair: Callable[..., tuple[Outbox, Outbox]],
) -> None:
    one, other = open_pair()
    at(one, NOW).put(submissions(3))
    held = lease(one, "crashes", for_s=60.0)
    assert lease(other, "b", now=NOW + 59) == []
    again = lease(other, "b", now=NOW + 60)
    assert [row.record for row in again] == [row.record for row in held]
    assert one.ack("crashes", held) == 0, "the lease is lost"
    assert one.retry("crashes", ids(held), 0) == 0
    assert one.renew("crashes", ids(held), 900) == 0
    assert one.release("crashes", ids(held)) == 0
    assert one.bury("crashes", held, "late") == 0
    assert other.counts()["waiting"] == 3
    assert other.ack("b", again) == 3
    assert one.counts() == {"waiting": 0, "bytes": 0, "dead": 0}


def test_a_late_answer_counts_while_nobody_took_the_row(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    at(one, NOW).put(submissions(1))
    held = lease(one, "slow", for_s=1.0)
    assert one.ack("slow", held) == 1
    assert lease(other, "b", now=NOW + 100) == []


def test_ack_takes_the_rows_away_and_keeps_count(open_outbox: Open) -> None:
    outbox = open_outbox()
    at(outbox, NOW).put(submissions(3, size=10))
    rows = lease(outbox)
    assert outbox.ack("a", rows[:2]) == 2
    assert outbox.counts() == {"waiting": 1, "bytes": len(rows[2].record.body), "dead": 0}
    assert outbox.ack("a", rows) == 1, "two are gone already"
    assert outbox.counts() == {"waiting": 0, "bytes": 0, "dead": 0}


def test_retry_makes_a_row_due_later_and_a_try_older(open_outbox: Open) -> None:
    outbox = open_outbox()
    at(outbox, NOW).put(submissions(2))
    assert outbox.retry("a", ids(lease(outbox)), 30) == 2
    assert outbox.due_in_s() == 30
    assert lease(outbox, now=NOW + 29) == []
    rows = lease(outbox, now=NOW + 30)
    assert [row.tries for row in rows] == [1, 1]
    assert names(rows) == ["evt-0", "evt-1"]


def test_renewing_prolongs_a_lease_that_is_still_held(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    at(one, NOW).put(submissions(2))
    held = lease(one, "slow", for_s=10.0)
    assert one.renew("slow", ids(held), 30) == 2
    assert lease(other, "b", now=NOW + 29) == []
    assert len(lease(other, "b", limit=1, now=NOW + 30)) == 1
    assert one.renew("slow", ids(held)[:1], 60) == 0


def test_release_gives_a_row_back_as_it_was(open_outbox: Open) -> None:
    outbox = open_outbox()
    at(outbox, NOW).put(submissions(1))
    first = lease(outbox)
    assert outbox.release("a", ids(first)) == 1
    assert lease(outbox, "b") == first


def test_bury_keeps_the_row_as_a_dead_letter(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=10, bytes=10_000, dead=2))
    at(outbox, NOW).put(submissions(4))
    for row in lease(outbox):
        assert outbox.bury("a", [row], "40002 no") == 1
    assert outbox.counts() == {"waiting": 0, "bytes": 0, "dead": 2}
    assert outbox.dropped == {"overflow_dead": 2}
    assert lease(outbox, now=NOW + 1000) == []


def test_next_due_is_the_soonest_row_or_the_end_of_a_lease(open_outbox: Open) -> None:
    outbox = open_outbox()
    assert outbox.due_in_s() is None
    at(outbox, NOW).put(submissions(1))
    due_in_s = outbox.due_in_s()
    assert due_in_s is not None
    assert due_in_s <= 0
    lease(outbox, for_s=60.0)
    assert outbox.due_in_s() == 60


def test_holds_tells_whether_anything_up_to_a_mark_waits(open_outbox: Open) -> None:
    outbox = open_outbox()
    assert not outbox.holds(outbox.last_id())
    at(outbox, NOW).put(submissions(2))
    mark = outbox.last_id()
    at(outbox, NOW).put(submissions(1, "later"))
    rows = lease(outbox, limit=2)
    assert outbox.holds(mark), "leased rows wait too"
    outbox.retry("a", [rows[0].id], 5)
    outbox.ack("a", [rows[1]])
    assert outbox.holds(mark), "a row that is tried later waits too"
    outbox.ack("b", lease(outbox, "b", limit=1, now=NOW + 5))
    outbox.ack("b", lease(outbox, "b", limit=1, now=NOW + 5))
    assert not outbox.holds(mark)
    assert outbox.last_id() == mark + 1


def test_numbers_are_never_used_again(open_outbox: Open) -> None:
    outbox = open_outbox()
    at(outbox, NOW).put(submissions(2))
    rows = lease(outbox)
    outbox.ack("a", rows)
    at(outbox, NOW).put(submissions(1))
    assert ids(lease(outbox))[0] > max(ids(rows))


def test_page_views_give_way_to_conversions(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=4, bytes=1_000_000, dead=10))
    at(outbox, NOW).put(submissions(3, "view", event="Pageview"))
    at(outbox, NOW).put(submissions(1, "early"))
    assert at(outbox, NOW).put(submissions(2, "sale")) == [Claim(browser=False, server=True)] * 2
    assert outbox.dropped == {"overflow_page_view": 2}
    assert sorted(names(lease(outbox))) == ["early-0", "sale-0", "sale-1", "view-2"]


def test_a_page_view_does_not_enter_a_full_outbox(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=2, bytes=1_000_000, dead=10))
    at(outbox, NOW).put(submissions(2, "view", event="Pageview"))
    assert at(outbox, NOW).put(submissions(1, "late", event="Pageview")) == [Claim(browser=False, server=False)]
    assert outbox.dropped == {"overflow_page_view": 1}
    assert sorted(names(lease(outbox))) == ["view-0", "view-1"]


def test_an_outbox_full_of_conversions_refuses_and_leaves_the_claim_for_later(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=1, bytes=1_000_000, dead=10))
    at(outbox, NOW).put(submissions(1, "first"))
    late = submission(record("order-1"), browser=True, once=True)
    assert at(outbox, NOW).put([late]) == [Claim(browser=True, server=False)]
    assert outbox.dropped == {"overflow": 1}
    outbox.ack("a", lease(outbox))
    assert at(outbox, NOW).put([late]) == [Claim(browser=False, server=True)]


def test_events_that_pages_report_are_dropped_before_events_of_views(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=10, bytes=1_000_000, dead=10))
    reported = [msgspec.structs.replace(one, reported=True) for one in submissions(12, "stranger")]
    assert sum(claim.server for claim in at(outbox, NOW).put(reported)) == 8
    assert outbox.dropped == {"overflow_reported": 4}
    assert at(outbox, NOW).put(submissions(2, "view")) == [Claim(browser=False, server=True)] * 2
    assert [claim.server for claim in at(outbox, NOW).put(submissions(1, "late"))] == [False]


def test_events_that_pages_report_displace_no_page_view(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=10, bytes=1_000_000, dead=10))
    at(outbox, NOW).put(submissions(10, "view", event="Pageview"))
    reported = [msgspec.structs.replace(one, reported=True) for one in submissions(2, "stranger")]
    assert [claim.server for claim in at(outbox, NOW).put(reported)] == [False, False]
    assert outbox.dropped == {"overflow_reported": 2}


def test_bytes_are_bounded_too(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=1000, bytes=2500, dead=10))
    claims = at(outbox, NOW).put(submissions(3, size=1000))
    assert [claim.server for claim in claims] == [True, True, False]
    views = at(outbox, NOW).put(submissions(1, "view", event="Pageview", size=100))
    assert views == [Claim(browser=False, server=True)]
    assert at(outbox, NOW).put(submissions(1, "small", size=250)) == [Claim(browser=False, server=True)]
    assert outbox.dropped == {"overflow": 1, "overflow_page_view": 1}


def test_a_page_view_on_its_way_does_not_give_way(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=1, bytes=1_000_000, dead=10))
    at(outbox, NOW).put(submissions(1, "view", event="Pageview"))
    rows = lease(outbox)
    assert at(outbox, NOW).put(submissions(1, "sale")) == [Claim(browser=False, server=False)]
    assert outbox.ack("a", rows) == 1


def test_many_threads_lose_nothing_and_send_nothing_twice(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    pair = open_pair()
    seen: list[str] = []
    done = threading.Event()

    def produce(number: int) -> None:
        for i in range(50):
            at(pair[number % 2], NOW).put(submissions(1, f"p{number}-{i}"))

    def consume(number: int) -> None:
        owner = f"worker-{number}"
        while True:
            was_done = done.is_set()
            rows = lease(pair[number % 2], owner, limit=7)
            seen.extend(names(rows))
            pair[number % 2].ack(owner, rows)
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
    at(outbox, NOW).put(submissions(1))
    outbox.close()
    outbox.close()
    assert names(lease(outbox)) == ["evt-0"]
    at(outbox, NOW).tidy()


def test_the_ledger_is_bounded_and_forgets_the_oldest_claims_first(open_outbox: Open) -> None:
    outbox = open_outbox(Limits(rows=10, bytes=10_000, dead=1, claims=2))
    for age, name in enumerate(("a", "b", "c")):
        at(outbox, NOW + age).put([OutboxEntry(name, browser=True, once=True)])
    at(outbox, NOW).tidy()
    asked = [OutboxEntry(name, browser=True, once=True) for name in ("b", "c", "a")]
    assert [claim.browser for claim in at(outbox, NOW + 9).put(asked)] == [False, False, True]


def put_id(number: int, writer: bytes = b"writer-1") -> bytes:
    return writer + number.to_bytes(8, "big")


@pytest.mark.parametrize("once", [False, True])
def test_a_repeated_put_changes_nothing(open_pair: Callable[..., tuple[Outbox, Outbox]], once: bool) -> None:
    one, other = open_pair()
    entries = [submission(record("a"), browser=True, once=once), submission(record("b"), once=once)]
    first = one.put(entries, put_id=put_id(1))
    assert first == [Claim(browser=True, server=True), Claim(browser=False, server=True)]
    for outbox in (one, other, one):
        assert outbox.put(entries, put_id=put_id(1)) == first
    assert one.counts()["waiting"] == 2
    assert other.duplicates == one.duplicates == 0
    rows = lease(other)
    assert one.put(entries, put_id=put_id(1)) == first, "nor while its rows are leased"
    assert lease(one, "b") == []
    other.ack("a", rows[:1])
    other.bury("a", rows[1:], "40002 no")
    assert one.put(entries, put_id=put_id(1)) == first, "nor once its rows are delivered or dead letters"
    assert one.cancel("b")
    assert one.put(entries, put_id=put_id(1)) == first, "nor once they are cancelled"
    assert one.counts() == {"waiting": 0, "bytes": 0, "dead": 0}
    assert one.put([submission(record("c"))], put_id=put_id(2)) == [Claim(browser=False, server=True)]
    assert one.put(entries, put_id=put_id(3))[1].server is not once, "another put with the same entries is a new one"


def test_whether_a_put_is_stored_can_be_asked(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    """For a commit whose answer was lost."""
    one, other = open_pair()
    assert one.stored(put_id(1)) is None
    claims = one.put([submission(record("a"), browser=True, once=True)], put_id=put_id(1))
    assert other.stored(put_id(1)) == claims
    assert other.stored(put_id(2)) is None
    assert other.stored(put_id(1, b"writer-2")) is None


def test_the_last_put_of_every_writer_is_known(open_outbox: Open) -> None:
    outbox = open_outbox()
    for number in range(1, 4):
        for writer in range(40):
            outbox.put([submission(record(f"{writer}-{number}"))], put_id=put_id(number, f"writer{writer:02}".encode()))
    before = outbox.counts()
    for writer in range(40):
        outbox.put([submission(record(f"{writer}-3"))], put_id=put_id(3, f"writer{writer:02}".encode()))
    assert outbox.counts() == before


def test_an_earlier_claim_is_told_with_its_time(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    order = submission(record("order"), browser=True, once=True)
    assert at(one, NOW).put([order])[0].first_at == 0.0
    assert at(other, NOW + 3600).put([order])[0].first_at == NOW


# -- delay and cancelling


def test_delayed_event_waits_although_every_process_restarts(open_pair: Callable[..., tuple[Outbox, Outbox]]) -> None:
    one, other = open_pair()
    delayed = OutboxEntry("order", (record("order"),), once=True, delay_s=600.0)
    assert at(one, NOW).put([delayed, submission(record("now"))]) == [Claim(browser=False, server=True)] * 2
    for passed in (0.0, 300.0, 599.0):
        for outbox in (one, other):
            assert "order" not in names(lease(outbox, now=NOW + passed))
            outbox.tidy()
            outbox.close()
    assert names(lease(other, "b", now=NOW + 600.0)) == ["order"]


def test_cancelled_event_is_never_leased_and_never_counted_again(
    open_pair: Callable[..., tuple[Outbox, Outbox]],
) -> None:
    """Each event of the table is brought into a state and then cancelled by another worker."""
    one, other = open_pair()
    is_cancelled = {
        "unknown": True, "waiting": True, "delayed": True, "paired": True, "retried": True, "released": True,
        "buried": True, "leased": False, "leased by a crashed worker": True, "delivered": False,
    }  # fmt: skip
    entries = {
        name: OutboxEntry(
            name,
            (record(name, paired=name == "paired"),),
            browser=name == "paired",
            once=True,
            delay_s=600.0 if name == "delayed" else 0.0,
        )
        for name in is_cancelled
    }
    early = ("retried", "released", "buried", "leased by a crashed worker", "delivered")
    at(one, NOW - 50).put([entries[name] for name in early])
    rows = {row.record.event_id: row for row in lease(one, now=NOW - 50, for_s=40.0)}
    one.retry("a", [rows["retried"].id], 3600.0, "503")
    one.bury("a", [rows["buried"]], "40002 no")
    one.ack("a", [rows["delivered"]])
    one.release("a", [rows["released"].id])
    at(one, NOW - 20).put([entries["leased"]])
    assert "leased" in names(lease(one, now=NOW - 20, for_s=60.0))
    one.release("a", [rows["released"].id])
    at(other, NOW).put([entries[name] for name in ("waiting", "delayed", "paired")])
    assert {name: other.cancel(name) for name in is_cancelled} == is_cancelled
    assert {name: one.cancel(name) for name in is_cancelled} == dict.fromkeys(is_cancelled, False), "a second time"
    again = one.put(list(entries.values()))
    assert not any(claim.server for claim in again), "a repetition of the event is not sent either"
    assert {name: claim.browser for name, claim in zip(is_cancelled, again, strict=True) if claim.browser} == {}
    assert names(lease(other, "b", now=NOW + 7200)) == ["leased"]
    assert one.counts() == {**one.counts(), "waiting": 1, "dead": 0}


AHEAD = 500 * 86400.0


@pytest.fixture
def jumping(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[[], Outbox]]:
    """Opens an outbox, or another view of it, whose host's clock shows `WALL` while seconds pass by `MONOTONIC`."""
    opened: list[Outbox] = []
    url = request.getfixturevalue("address") if request.param == "postgres" else ""

    def open_() -> Outbox:
        options = {"clock": WALL, "monotonic": MONOTONIC}
        if url:
            opened.append(postgres_outbox(url, **options))
        elif request.param == "sqlite":
            opened.append(sqlite_outbox(tmp_path / "outbox.sqlite3", **options))
        elif not opened:
            opened.append(memory_outbox(**options))
        return opened[-1]

    MONOTONIC.now = 1000.0
    yield open_
    for outbox in opened:
        outbox.close()


MONOTONIC = Clock()


def pass_by(seconds: float) -> None:
    WALL.pass_by(seconds)
    MONOTONIC.pass_by(seconds)


@pytest.mark.parametrize("jumping", ["memory", "sqlite", POSTGRES], indirect=True)
@pytest.mark.parametrize("step", [AHEAD, -AHEAD])
def test_a_clock_that_is_wrong_for_seconds_changes_nothing(jumping: Callable[[], Outbox], step: float) -> None:
    outbox = jumping()
    order = submission(record("order"), browser=True, once=True)
    outbox.put([order])
    outbox.put(submissions(1))
    held = lease_now(outbox, "holder")
    WALL.pass_by(step)
    for view in (outbox, jumping()):
        for _ in range(5):
            view.tidy()
            assert lease_now(view, "thief") == []
            pass_by(1.0)
        view.put([submission(record("meanwhile"), browser=True, once=True)])
    WALL.pass_by(-step)
    for view in (outbox, jumping()):
        assert view.put([order]) == [Claim(browser=False, server=False)]
        assert view.put([submission(record("meanwhile"), once=True)]) == [Claim(browser=False, server=False)]
    assert outbox.ack("holder", held) == 2
    pass_by(1.0)
    assert [row.record.event_id for row in lease_now(outbox, "holder")] == ["meanwhile"]


@pytest.mark.parametrize("jumping", ["memory", "sqlite", POSTGRES], indirect=True)
def test_a_clock_that_stays_ahead_counts_after_a_while(jumping: Callable[[], Outbox]) -> None:
    outbox = jumping()
    outbox.put(submissions(1, event_time=NOW + 30 * 86400))
    WALL.pass_by(40 * 86400)
    assert lease_now(outbox, "a") == []
    for _ in range(70):
        pass_by(5.0)
        outbox.tidy()
    [row] = lease_now(outbox, "a")
    assert row.age_s > 10 * 86400


def lease_now(outbox: Outbox, owner: str) -> list[LeasedRecord]:
    return outbox.lease(owner, 1000, limit_bytes=1_000_000, for_s=60.0)


# -- environments and pixels

A, B = "C000000000000000000A", "C000000000000000000B"


@pytest.fixture(params=["sqlite", POSTGRES])
def file(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Callable[..., Outbox]]:
    """Opens one store for a process of an environment and of pixels."""
    opened: list[Outbox] = []
    url = request.getfixturevalue("address") if request.param == "postgres" else ""

    def open_(environment: str = "production", *pixels: str, **options: object) -> Outbox:
        pixels = pixels or (A,)
        options |= {"environment": environment, "pixels": pixels, "sends": pixels}
        one = postgres_outbox(url, **options) if url else sqlite_outbox(tmp_path / "one.sqlite3", **options)
        opened.append(one)
        return one

    yield open_
    for outbox in opened:
        outbox.close()


PLACES = [("production", A), ("production", B), ("loopback", A), ("tiktok, test code T1", A), ("loopback", B)]


@pytest.mark.parametrize("order", [PLACES, PLACES[::-1]], ids=["production first", "production last"])
def test_environments_and_pixels_share_nothing(file: Callable[..., Outbox], order: list[tuple[str, str]]) -> None:
    outboxes = {place: file(*place) for place in order}
    for (environment, pixel), outbox in outboxes.items():
        entry = submission(record("A-77", pixel=pixel), browser=True, once=True)
        assert outbox.put([entry]) == [Claim(browser=True, server=True)], (environment, pixel)
    for (environment, pixel), outbox in outboxes.items():
        entry = submission(record("A-77", pixel=pixel), browser=True, once=True)
        assert outbox.put([entry]) == [Claim(browser=False, server=False)], (environment, pixel)
        mark = outbox.last_id()
        assert outbox.holds(mark)
        [row] = lease(outbox)
        assert (row.record.pixel, row.record.paired) == (pixel, True)
        assert lease(outbox) == []
        assert outbox.ack("a", [row]) == 1
        assert not outbox.holds(mark)


def test_each_environment_counts_its_own(file: Callable[..., Outbox]) -> None:
    production, both, staging = file(), file("production", A, B), file("loopback")
    production.put(submissions(3, pixel=A, size=100))
    both.put(submissions(2, "b", pixel=B))
    staging.put(submissions(5, "s", pixel=A))
    size = len(record("s-0").body)
    assert staging.counts() == {"waiting": 5, "bytes": 5 * size, "dead": 0}
    assert production.counts()["waiting"] == both.counts()["waiting"] == 5, "of the environment"
    staging.bury("x", at(staging, NOW).lease("x", 2, limit_bytes=10**6, for_s=60), "no")
    assert staging.counts() == {"waiting": 3, "bytes": 3 * size, "dead": 2}
    assert production.counts()["dead"] == 0
    assert at(staging, NOW + 60).oldest_s() == 60


def test_a_flood_in_one_place_leaves_room_in_the_others(file: Callable[..., Outbox]) -> None:
    limits = Limits(rows=3, bytes=10**6, dead=10)
    production, other, staging = (file(*place, limits=limits) for place in PLACES[:3])
    staging.put(submissions(9, "s", pixel=A))
    other.put(submissions(9, "o", pixel=B))
    assert [claim.server for claim in production.put(submissions(4, "p", pixel=A))] == [True, True, True, False]
    assert (staging.dropped, other.dropped, production.dropped) == ({"overflow": 6}, {"overflow": 6}, {"overflow": 1})


def test_a_pixel_that_nobody_sends_becomes_dead_letters_in_the_end(file: Callable[..., Outbox]) -> None:
    gone, left = file("loopback", B), file()
    gone.put(submissions(2, pixel=B))
    left.put(submissions(1, pixel=A))
    at(left, NOW + 30 * 86400).tidy()
    assert (gone.counts()["waiting"], gone.counts()["dead"]) == (0, 2)


@pytest.mark.parametrize(
    ("api", "code", "kind", "environment"),
    [
        ("https://business-api.tiktok.com/open_api/v1.3", None, "production", "production"),
        ("https://business-api.tiktok.com/open_api/v1.4/", None, "production", "production"),
        ("https://business-api.tiktok.com/open_api/v1.3", "T1", "staging", "tiktok, test code T1"),
        ("https://business-api.tiktok.com/open_api/v1.3", "T2", "staging", "tiktok, test code T2"),
        ("https://business-api.tiktok.com/open_api/v1.3", None, "staging", "staging"),
        ("http://127.0.0.1:8001/open_api/v1.3", None, "development", "loopback"),
        ("http://127.9.9.9:1/x", None, "production", "loopback"),
        ("http://[::1]:9/x", None, "production", "loopback"),
        ("http://localhost:9000", None, "test", "loopback"),
        ("http://tiktok.localhost/x", None, "test", "loopback"),
        ("http://localhost:1", None, "production", "loopback"),
        ("http://LocalHost.:8000/x", None, "development", "loopback"),
        ("http://127.0.0.2/x", None, "staging", "loopback"),
        ("http://127.1:8", None, "development", "loopback"),
        ("http://2130706433/x", None, "development", "loopback"),
        ("http://0x7f000001:9", None, "development", "loopback"),
        ("http://[::ffff:127.0.0.1]:9/x", None, "development", "loopback"),
        ("http://0.0.0.0:8000", None, "development", "loopback"),
        ("http://[::]:8000", None, "development", "loopback"),
        ("http://0:8000", None, "development", "loopback"),
        ("http://0.0:8000", None, "development", "loopback"),
        ("http://0x0:8000", None, "development", "loopback"),
        ("http://0.1/x", None, "production", "0.1/x"),
        ("http://ip6-localhost:1", None, "development", "loopback"),
        ("http://localhost.localdomain", None, "development", "loopback"),
        ("http://localhost.shop.example/x", None, "production", "localhost.shop.example/x"),
        ("http://10.0.0.1/x", None, "production", "10.0.0.1/x"),
        ("http://10.1/x", None, "production", "10.1/x"),
        ("https://BUSINESS-API.TikTok.com.:443/open_api/v1.3", None, "production", "production"),
        ("https://sandbox-ads.tiktok.com/open_api/v1.3/", None, "production", "sandbox-ads.tiktok.com/open_api/v1.3"),
        ("https://sandbox-ads.tiktok.com/x", "T1", "staging", "sandbox-ads.tiktok.com/x, test code T1"),
        ("https://sandbox-ads.tiktok.com/open_api/v1.3", None, "development", "development"),
        ("http://127.0.0.1:8001/open_api/v1.3", "T1", "development", "loopback, test code T1"),
        ("https://gateway.example/tiktok/", None, "production", "gateway.example/tiktok"),
        ("https://gateway.example:8443/tiktok", None, "production", "gateway.example:8443/tiktok"),
        ("https://GATEWAY.example.:443/tiktok//", None, "production", "gateway.example/tiktok"),
        ("http://gateway.example:80/tiktok", None, "production", "gateway.example/tiktok"),
        ("http://gateway.example:443/tiktok", None, "production", "gateway.example:443/tiktok"),
        ("https://gateway.example/tiktok", None, "staging", "gateway.example/tiktok, staging"),
        ("https://gateway.example/tiktok", "T1", "staging", "gateway.example/tiktok, test code T1"),
        ("https://eviltiktok.com/x", None, "production", "eviltiktok.com/x"),
    ],
)
def test_an_environment_is_the_api_and_the_test_code(api: str, code: str | None, kind: str, environment: str) -> None:
    assert environment_of(api, code, kind) == environment
