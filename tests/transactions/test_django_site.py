"""A Django project: ``migrate`` creates the tables, its tests leave no database behind, and nothing of them is sent."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.delivery_world import Api, running_api
from tests.postgres_world import Postgres

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
    postgres.execute("CREATE DATABASE shop")
    yield postgres
    postgres.execute("DROP DATABASE shop WITH (FORCE)")


def test_migrate_creates_the_tables_and_the_check_misses_them(shop: Postgres, api: Api, tmp_path: Path) -> None:
    assert "tiktok.W003" in manage(shop, api, tmp_path, "check", "--database", "default")
    assert "tiktok_middleware.0001_outbox" in manage(shop, api, tmp_path, "migrate")
    assert "no issues" in manage(shop, api, tmp_path, "check", "--database", "default")
    tables = shop.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'tiktok_middleware'", "shop")
    assert {"draft", "event", "claim"} <= {name for (name,) in tables}


def test_its_tests_pass_and_their_database_is_removed(shop: Postgres, api: Api, tmp_path: Path) -> None:
    printed = manage(shop, api, tmp_path, "test", "tests.transactions", "-p", "django_site_tests.py", "-v", "2")
    assert "Ran 3 tests" in printed
    assert "Destroying test database" in printed
    assert shop.execute("SELECT datname FROM pg_database WHERE datname = 'test_shop'") == []
    assert shop.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'tiktok_middleware'", "shop") == []
    assert len(api.ids) <= 1
