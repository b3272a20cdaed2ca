"""``manage.py check`` names what is wrong with the database of ``TIKTOK_OUTBOX=django:ALIAS``, and what to do."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.checks import run_checks
from django.db import connections
from django.test import override_settings

from tests.contrib import test_django  # noqa: F401  # configures Django
from tests.delivery.delivery_world import postgres_outbox
from tests.postgres_world import Postgres
from tiktok_middleware.contrib.django import check_settings

pytestmark = pytest.mark.postgres

ALIAS = "checked"
OURS = "tiktok_middleware.contrib.django.TikTokMiddleware"


@pytest.fixture(scope="module")
def schema(postgres: Postgres) -> Iterator[str]:
    """A schema with the tables, in a database with the alias ``checked``."""
    with postgres.schema() as url:
        outbox = postgres_outbox(url)
        outbox.put([])
        outbox.close()
        name = url.rpartition("schema=")[2]
        postgres.execute("CREATE ROLE shop LOGIN; CREATE ROLE reader LOGIN")
        postgres.execute(
            f"GRANT USAGE ON SCHEMA {name} TO reader; GRANT SELECT ON ALL TABLES IN SCHEMA {name} TO reader"
        )
        yield name
        postgres.execute("DROP OWNED BY shop, reader; DROP ROLE shop, reader")


@pytest.fixture(autouse=True)
def database(postgres: Postgres) -> Iterator[dict[str, Any]]:
    made: dict[str, Any] = {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": "postgres",
        "USER": "postgres",
        "HOST": "127.0.0.1",
        "PORT": str(postgres.port),
    }
    connections.databases[ALIAS] = connections.configure_settings({"default": {}, ALIAS: made})[ALIAS]
    yield connections.databases[ALIAS]
    connections[ALIAS].close()
    del connections[ALIAS]
    del connections.databases[ALIAS]


def found(outbox: str, **arguments: Any) -> list[tuple[str, str]]:
    options = {"outbox": outbox, "pixel_id": "C0000000000000000000"}
    with override_settings(TIKTOK=options, MIDDLEWARE=[OURS]):
        messages = run_checks(**arguments)
    return [(message.id, f"{message.msg} {message.hint}") for message in messages if message.id.startswith("tiktok.")]


def with_database(outbox: str) -> list[tuple[str, str]]:
    return found(outbox, databases=[ALIAS], tags=["database"])


@pytest.mark.parametrize(
    ("outbox", "said"),
    [
        (f"django:{ALIAS}", ""),
        ("django:nowhere", f"'django:nowhere'; allowed: django:ALIAS.*there are: {ALIAS}, default"),
        (f"django:{ALIAS.upper()}", f"there are: {ALIAS}, default"),
        (f"django:{ALIAS}2", f"there are: {ALIAS}, default"),
        ("django:default", "its engine is sqlite"),
        ("django:", "its engine is sqlite"),
        (f"django:{ALIAS}?schema=Bad-Name", "schema"),
        (f"django:{ALIAS}?schema=pg_catalog", "schema"),
        (f"django:{ALIAS}?wait=soon", "a wait of 0.001 to 60 seconds"),
        ("memory://", ""),
        ("sqlite:///o.sqlite3", ""),
    ],
)
def test_alias_engine_and_parameters_are_checked_without_the_database(outbox: str, said: str) -> None:

    messages = found(outbox)
    assert [code for code, _ in messages] == (["tiktok.E002"] if said else [])
    assert not said or re.search(said, messages[0][1]), messages


@pytest.mark.parametrize("engine", ["django.db.backends.mysql", "django.db.backends.oracle", "no.such.engine"])
def test_engine_that_cannot_be_used_is_named(engine: str, database: dict[str, Any]) -> None:
    connections.databases["other"] = {**database, "ENGINE": engine}
    try:
        [(code, text)] = found("django:other")
    finally:
        del connections.databases["other"]
    assert code == "tiktok.E002"
    assert "whose engine is PostgreSQL" in text


def test_missing_psycopg_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktok_middleware.delivery.outbox.postgres.address", None)
    [(code, text)] = found(f"django:{ALIAS}")
    assert code == "tiktok.E002"
    assert 'pip install "tiktok-middleware[postgres]"' in text


def test_missing_psycopg_is_no_fault_of_the_check_of_the_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tiktok_middleware.delivery.outbox.postgres.admin", None)
    assert with_database(f"django:{ALIAS}") == []


def test_current_tables_pass(schema: str) -> None:
    assert with_database(f"django:{ALIAS}?schema={schema}") == []


def test_missing_tables_are_named_with_the_command(schema: str) -> None:
    [(code, text)] = with_database(f"django:{ALIAS}?schema=not_there")
    assert code == "tiktok.W003"
    assert "run manage.py migrate" in text


def test_tables_of_an_earlier_release_are_named(schema: str, postgres: Postgres) -> None:
    postgres.execute(f"UPDATE {schema}.control SET value = value - 1 WHERE name = 'version'")
    try:
        [(code, text)] = with_database(f"django:{ALIAS}?schema={schema}")
    finally:
        postgres.execute(f"UPDATE {schema}.control SET value = value + 1 WHERE name = 'version'")
    assert code == "tiktok.W005"
    assert "Run manage.py migrate" in text


def test_tables_of_a_later_release_pass(schema: str, postgres: Postgres) -> None:
    postgres.execute(f"UPDATE {schema}.control SET value = value + 1 WHERE name = 'version'")
    try:
        assert with_database(f"django:{ALIAS}?schema={schema}") == []
    finally:
        postgres.execute(f"UPDATE {schema}.control SET value = value - 1 WHERE name = 'version'")


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"PORT": "1"}, "tiktok.W004"),
        ({"NAME": "no_such_database"}, "tiktok.W004"),
        ({"USER": "shop"}, "tiktok.W004"),  # may not even read
        ({"USER": "reader"}, "tiktok.W006"),
        ({"OPTIONS": {"options": "-c default_transaction_read_only=on"}}, "tiktok.W006"),
    ],
)
def test_database_that_cannot_be_used_is_named(
    schema: str, database: dict[str, Any], changes: dict[str, Any], code: str
) -> None:
    database.update(changes)
    [(got, text)] = with_database(f"django:{ALIAS}?schema={schema}")
    assert got == code, text
    assert "postgres@" not in text


def test_only_the_databases_that_are_asked_about_are_connected_to(schema: str, database: dict[str, Any]) -> None:
    database["PORT"] = "1"
    assert found(f"django:{ALIAS}?schema={schema}") == []
    assert found(f"django:{ALIAS}?schema={schema}", databases=["default"], tags=["database"]) == []


def test_malformed_settings_are_reported_once() -> None:
    with override_settings(TIKTOK={"gpc": "perhaps", "outbox": "django:nowhere"}, MIDDLEWARE=[OURS]):
        assert [message.id for message in check_settings()] == ["tiktok.E001"]
