"""What an operator sees of an outbox, in a file and in PostgreSQL alike: states, order numbers, pages of rows."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest
from msgspec.structs import replace

from tests.delivery.delivery_world import PIXEL, postgres_outbox
from tests.delivery.outbox.operator_world import ALL, JANE, JOHN, World, sale
from tiktok_middleware.core.events.event import OutboxEntry
from tiktok_middleware.delivery.outbox.dead_letters import DEAD, DELIVERED, IN_FLIGHT, WAITING, RowFilter
from tiktok_middleware.delivery.outbox.operator import open_admin
from tiktok_middleware.delivery.outbox.person import Person
from tiktok_middleware.delivery.outbox.sqlite.outbox import SqliteOutbox
from tiktok_middleware.errors import ConfigError, OutboxError

if TYPE_CHECKING:
    from tests.postgres_world import Postgres


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def world(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    if request.param == "sqlite":
        path = tmp_path / "o.sqlite3"
        made = World(f"sqlite:///{path}", SqliteOutbox(path, pixels=[PIXEL]))
        yield made
        made.close()
    else:
        postgres: Postgres = request.getfixturevalue("postgres")
        with postgres.schema() as url:
            outbox = postgres_outbox(url, clock=time.time, monotonic=time.monotonic, pixels=[PIXEL])
            outbox.put([])
            made = World(url, outbox)
            yield made
            made.close()


@pytest.fixture
def full(world: World) -> World:
    """Two rows of each state; ``f1`` and ``f2`` are being sent."""
    world.fill()
    return world


def test_newest_rows_come_first_in_each_state(full: World) -> None:
    everything = [("waiting", "w2"), ("waiting", "w1"), ("in_flight", "f2"), ("in_flight", "f1")]
    everything += [("dead", "d2"), ("dead", "d1"), ("delivered", "x2"), ("delivered", "x1")]
    assert full.newest() == everything
    assert full.newest(states=(DELIVERED,)) == everything[6:]
    assert full.newest(states=(IN_FLIGHT,)) == everything[2:4]


@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 9])
def test_pages_of_any_size_show_each_row_once(full: World, size: int) -> None:
    seen: list[tuple[str, str]] = []
    after = None
    while rows := full.admin.newest(RowFilter(states=ALL), size, after):
        assert len(rows) <= size
        seen += [(row.state, row.event_id) for row in rows]
        after = rows[-1].state, rows[-1].id
    assert seen == full.newest()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("A-1", {"w1", "f1", "d1", "x1"}),
        ("A-10", {"x2"}),
        ("1001", {"w2"}),
        ("w2", {"w2"}),
        ("100", set()),
        ("a-1", set()),
        ("%", set()),
        ("' OR 1=1 --", set()),
        ('"}', set()),
        ("\\", set()),
    ],
)
def test_search_finds_the_whole_id_or_order_number(full: World, text: str, found: set[str]) -> None:
    assert {event_id for _, event_id in full.newest(id_or_order=text)} == found
    choice = RowFilter(states=ALL, id_or_order=text)
    assert full.admin.count(choice) == len(found)
    assert {row.event_id for row in full.admin.rows(choice)} == found


@pytest.mark.parametrize("name", ["A\0", "\0", "\\u0000", "\\\0", "\\\\", '"\0"', "\t\n\x01", "\0" * 3], ids=ascii)
def test_search_reads_rows_with_any_character_in_their_json(world: World, name: str) -> None:
    body = msgspec.json.decode(sale("n1", "N-1").body)
    body["properties"]["contents"] = [{"content_name": name, "content_id": "N-1"}]
    body["properties"]["description"] = name
    world.wait(replace(sale("n1", "N-1"), body=msgspec.json.encode(body)), sale("n2", "N-2"))
    assert world.newest(id_or_order="N-1") == [("waiting", "n1")]
    assert world.admin.count(RowFilter(id_or_order="N-1")) == 1


def test_delivered_rows_have_order_and_value_and_no_identity(full: World) -> None:
    [row] = full.admin.newest(RowFilter(states=(DELIVERED,), id_or_order="A-1"), 10)
    assert row.properties == {"order_id": "A-1", "value": 5, "currency": "EUR"}
    assert (row.reason, row.pixel, row.environment, row.paired) == ("delivered", PIXEL, "production", False)
    assert JANE not in repr(row)


def test_retry_of_numbered_rows_leaves_the_others(full: World) -> None:
    [row] = full.admin.newest(RowFilter(states=(DEAD,), event_id="d1"), 10)
    assert full.admin.retry(RowFilter(states=(DEAD,), ids=(row.id,))).put_back == 1
    assert full.newest(states=(DEAD,)) == [("dead", "d2")]
    assert ("waiting", "d1") in full.newest(states=(WAITING,))


def test_purge_never_removes_what_was_delivered_or_is_being_sent(full: World) -> None:
    assert full.admin.purge(RowFilter(states=ALL)) == 4
    assert {event_id for _, event_id in full.newest()} == {"f1", "f2", "x1", "x2"}


def test_retry_ignores_what_was_delivered(full: World) -> None:
    done = full.admin.retry(RowFilter(states=(DELIVERED,)))
    assert (done.put_back, done.hastened) == (0, 0)
    assert len(full.newest(states=(DELIVERED,))) == 2


def test_people_of_rows_are_named_without_their_addresses(full: World) -> None:
    assert full.admin.people(RowFilter(states=(DEAD,))) == Person(email=(JANE, JOHN), ttp=("ttp-aaaa", "ttp-bbbb"))
    assert full.admin.people(RowFilter(states=(DEAD,), event_id="d2")) == Person(email=(JOHN,), ttp=("ttp-bbbb",))
    assert not full.admin.people(RowFilter(states=(DELIVERED,)))


def test_forget_lets_an_order_count_again(world: World) -> None:
    world.outbox.put([OutboxEntry("order-1", browser=True, once=True)])
    assert world.admin.forget("order-1", "production") == 1
    assert world.admin.forget("order-1", "production") == 0


@pytest.mark.parametrize("url", ["memory://", "mysql://shop", "sqlite://", ""])
def test_what_no_operator_can_open_is_an_error_that_names_it(url: str) -> None:
    with pytest.raises((OutboxError, ConfigError), match=r"memory://|is no outbox"):
        open_admin(url)
