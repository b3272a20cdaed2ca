"""The tables' schema may have any name that PostgreSQL takes, also one that is a word of SQL."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.cli.test_shared_outbox import run
from tests.delivery.delivery_world import PIXEL, record, submission, submissions
from tests.delivery.outbox.test_move import make_file
from tests.postgres_world import Postgres
from tiktok_middleware.core.events.event import DeferredPayload, OutboxEntry
from tiktok_middleware.delivery.outbox.postgres.outbox import PostgresOutbox
from tiktok_middleware.errors import ConfigError

pytestmark = pytest.mark.postgres

NAMES = ["order", "user", "select", "table", "all", "default", "current_user", "_", "event", "a_1"]


@contextmanager
def schema(postgres: Postgres, name: str) -> Iterator[str]:
    yield postgres.url(schema=name)
    postgres.execute(f'SET client_min_messages = error; DROP SCHEMA IF EXISTS "{name}" CASCADE')


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_quotes_the_schema(postgres: Postgres, name: str) -> None:
    with schema(postgres, name) as url:
        outbox = PostgresOutbox(url, pixels=[PIXEL], sends=[PIXEL])
        order = submission(record("order", event_time=time.time()), browser=True, once=True)
        large = OutboxEntry("large", browser=True, deferred=DeferredPayload("ref", b"[1]"))
        outbox.put([order, large, *submissions(4, event_time=time.time())], put_id=b"p" * 16)
        assert outbox.stored(b"p" * 16) is not None
        assert outbox.take("ref") == b"[1]"
        rows = outbox.lease("a", 10, limit_bytes=10**6, for_s=60)
        assert len(rows) == 5
        ids = [row.id for row in rows]
        assert outbox.renew("a", ids, 60) == 5
        assert (outbox.ack("a", rows[:2]), outbox.bury("a", rows[2:3], "no"), outbox.retry("a", ids[3:4], 1)) == (
            2,
            1,
            1,
        )
        assert outbox.release("a", ids[4:]) == 1
        assert outbox.cancel("later")
        outbox.keep_dead([record("dead", event_time=time.time())], "no")
        outbox.tidy()
        outbox.notify()
        outbox.listen(0.01)
        assert outbox.counts() == {"waiting": 2, "bytes": outbox.counts()["bytes"], "dead": 2}
        assert outbox.holds(outbox.last_id())
        assert outbox.oldest_s() is not None
        assert outbox.due_in_s() is not None
        made = outbox.drafts.statement("ref-1", order, "percent")
        assert made is not None
        sql, values = made
        assert isinstance(values, tuple)
        with psycopg.connect(postgres.url()) as app:
            assert app.execute(sql.encode(), values).fetchone() == (True,)
        assert postgres.execute(f'SELECT ref FROM "{name}".draft') == [("ref-1",)]
        outbox.settle_drafts()
        outbox.close()


@pytest.mark.parametrize("name", NAMES[:3])
def test_every_command_quotes_the_schema(
    postgres: Postgres, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    make_file(tmp_path / "old.sqlite3")
    with schema(postgres, name) as url:
        given = ("outbox", "--outbox", url)
        assert "applied" in run(*given, "migrate").output
        result = run(*given, "move", "--from", f"sqlite:///{tmp_path}/old.sqlite3", "--json", TIKTOK_PIXEL_ID=PIXEL)
        assert json.loads(result.stdout)["waiting"] == 4, result.output
        for arguments in (["status"], ["list"], ["retry"], ["pause"], ["resume"], ["forget", "--event-id", "order-0"]):
            result = run(*given, *arguments)
            assert result.exit_code == 0, result.output
        assert run(*given, "purge", "--dead", "--waiting", "--yes").exit_code == 0
        assert run("erase", "--outbox", url, "--ip", "203.0.113.9", "--yes").exit_code in {0, 3}


@pytest.mark.parametrize("name", ["pg_order", "pg_", "information_schema", "Order", "a-b", "a b", 'a"b', "1a", "ä", ""])
def test_a_name_that_postgresql_keeps_for_itself_or_changes_is_refused(name: str) -> None:
    with pytest.raises(ConfigError, match="a schema of lower-case letters"):
        PostgresOutbox(f"postgresql://u@h/d?schema={name}")
