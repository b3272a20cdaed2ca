"""A Django project: ``migrate`` creates the tables, its tests leave no database behind, and nothing of them is sent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.delivery.delivery_world import Api, running_api
from tests.postgres_world import Postgres
from tiktok_middleware.core.events.ids import once_event_id

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

_ROOT = Path(__file__).parents[2]


@pytest.fixture
def api() -> Iterator[Api]:
    with running_api() as api:
        yield api


def manage(postgres: Postgres, api: Api, folder: Path, *arguments: str) -> str:
    environ = {
        **{name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")},
        "DJANGO_SETTINGS_MODULE": "tests.transactions.django_site",
        "DATABASE_PORT": str(postgres.port),
        "API_URL": api.url,
        "XDG_STATE_HOME": str(folder),
        "PYTHONPATH": str(_ROOT),
    }
    done = subprocess.run(
        [sys.executable, "-m", "django", *arguments],
        cwd=_ROOT,
        env=environ,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture
def shop(postgres: Postgres) -> Iterator[Postgres]:
    for name in ("shop", "shop_other"):
        postgres.execute(f"CREATE DATABASE {name}")
    yield postgres
    for name in ("shop", "shop_other"):
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_migrate_creates_the_tables_and_the_check_misses_them(shop: Postgres, api: Api, tmp_path: Path) -> None:
    assert "tiktok.W003" in manage(shop, api, tmp_path, "check", "--database", "default")
    assert "tiktok_middleware.0001_outbox" in manage(shop, api, tmp_path, "migrate")
    assert "no issues" in manage(shop, api, tmp_path, "check", "--database", "default")
    tables = shop.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'tiktok_middleware'", "shop")
    assert {"draft", "event", "claim"} <= {name for (name,) in tables}


def databases_of_tests(postgres: Postgres) -> list[Any]:
    return postgres.execute("SELECT datname FROM pg_database WHERE datname LIKE 'test_shop%'")


def test_its_tests_pass_and_their_databases_are_removed(shop: Postgres, api: Api, tmp_path: Path) -> None:
    arguments = ("test", "tests.transactions", "-p", "django_site_tests.py", "-v", "2", "--exclude-tag", "unsent")
    printed = manage(shop, api, tmp_path, *arguments)
    assert "Ran 11 tests" in printed
    assert "Destroying test database for alias 'default'" in printed
    assert databases_of_tests(shop) == []
    assert shop.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'tiktok_middleware'", "shop") == []
    assert once_event_id("Purchase", "A-2") in api.ids
    assert not {once_event_id("Purchase", order) for order in ("A-1", "A-3", "S-00")} & set(api.ids)


def test_databases_of_parallel_tests_are_removed_while_events_wait(shop: Postgres, api: Api, tmp_path: Path) -> None:
    api.status, api.body = 503, b""
    arguments = ("test", "tests.transactions", "-p", "django_site_tests.py", "-v", "2", "--tag", "unsent")
    printed = manage(shop, api, tmp_path, *arguments, "--parallel", "2")
    assert "Ran 2 tests" in printed
    assert printed.count("Destroying test database") >= 2
    assert databases_of_tests(shop) == []
