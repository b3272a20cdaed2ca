"""The code and the commands of docs/how-to/django-outbox.md run as they are written, as one project."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.delivery.delivery_world import Api, running_api
from tests.postgres_world import Postgres, program
from tests.transactions.shop import AGENT

pytestmark = [pytest.mark.postgres, pytest.mark.slow]

_ROOT = Path(__file__).parents[2]
_PAGE = (_ROOT / "docs/how-to/django-outbox.md").read_text("utf-8")
_DATABASE = """
import os
DATABASES = {"default": {"ENGINE": "django.db.backends.postgresql", "NAME": os.environ["PGDATABASE"]}}
SECRET_KEY, ALLOWED_HOSTS, DEBUG = "of the tests", ["*"], False
TIKTOK = {**TIKTOK, "access_token": "t", "api_url": os.environ["API_URL"]}
"""
_VISIT = f"""
from django.test import Client
from tiktok_middleware.contrib.django import tiktok_client
page = Client(headers={{"user-agent": {AGENT!r}, "accept": "text/html", "sec-fetch-mode": "navigate"}}).get("/buy/A-1001")
print("browser copy:", b"A-1001" in page.content)
print("sent:", tiktok_client().flush(20))
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", _PAGE, re.DOTALL | re.MULTILINE)


class Project:
    """The project of the page, in a folder."""

    def __init__(self, folder: Path, postgres: Postgres, api: Api) -> None:
        self.folder = folder
        self.api = api
        self.postgres = postgres
        programs = f"{Path(program('pg_dump')).parent}:{Path(sys.executable).parent}"
        self.environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("TIKTOK_")},
            "PATH": f"{programs}:{os.environ['PATH']}",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(postgres.port),
            "PGUSER": "postgres",
            "PGDATABASE": "shop",
            "API_URL": api.url,
            "XDG_STATE_HOME": str(folder / "state"),
            "PYTHONPATH": str(_ROOT),
        }
        self.run(f"{sys.executable} -m django startproject shop .")
        for block in blocks("python"):
            self.write(block)
        with (folder / "shop/settings.py").open("a") as file:
            file.write(_DATABASE)
        for package in ("management", "management/commands"):
            (folder / "shop" / package / "__init__.py").touch()
        self.run("python manage.py makemigrations shop -v 0")

    def write(self, block: str) -> None:
        found = re.match(r"# (\S+\.py)(, at its end)?\n", block)
        assert found, f"the code does not begin with the name of its file: {block[:50]}"
        path = self.folder / found[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a" if found[2] else "w") as file:
            file.write(block)

    def run(self, commands: str, **environ: str) -> str:
        done = subprocess.run(
            ["bash", "-e", "-c", commands],
            cwd=self.folder,
            env={**self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=110,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def stored(self, database: str) -> list[tuple[str, ...]]:
        return self.postgres.execute("SELECT event FROM tiktok_middleware.event ORDER BY event", database)


@pytest.fixture
def project(postgres: Postgres, tmp_path: Path) -> Iterator[Project]:
    postgres.execute("CREATE DATABASE shop")
    with running_api() as api:
        yield Project(tmp_path, postgres, api)
    for database in ("shop", "shop_restored", "shop_copy"):
        postgres.execute(f"DROP DATABASE IF EXISTS {database} WITH (FORCE)")


def test_page_is_a_project_that_works_and_can_be_restored(project: Project) -> None:
    migrate, dump, copy = blocks("console")
    assert "no issues" in project.run(migrate)
    printed = project.run("python manage.py test -v 2")
    assert "Ran 2 tests" in printed
    assert "Destroying test database" in printed
    assert project.api.ids == [], "recorded events are not sent"
    printed = project.run(f"python manage.py shell -c {shlex.quote(_VISIT)}")
    assert "browser copy: True" in printed
    assert "sent: True" in printed
    project.run("python manage.py renew 2026-11")
    project.run("python manage.py renew 2026-11")
    assert [len(request.ids) for request in project.api.requests] == [1, 1], (
        "a purchase, and a renewal that counts once"
    )
    project.api.status, project.api.body = 503, b""  # from now on events wait
    project.run("python manage.py renew 2026-12")
    assert project.stored("shop") == [("Subscribe",)]

    project.run(dump)
    project.api.status, project.api.body = 200, Api.OK
    project.api.requests.clear()
    assert project.stored("shop_restored") == [("Subscribe",)]
    postgres = project.postgres
    postgres.execute("UPDATE tiktok_middleware.event SET due = 0", "shop_restored")  # it is due some time later
    project.run("python manage.py renew 2026-11; python manage.py renew 2026-12", PGDATABASE="shop_restored")
    assert project.stored("shop_restored") == []
    assert len(set(project.api.ids)) == 1, "what waited is sent, and what was counted is not counted again"

    project.run(copy)
    assert postgres.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'tiktok_middleware'", "shop_copy") == []
    assert "W003" in project.run("python manage.py check --database default", PGDATABASE="shop_copy")
    project.run("python manage.py migrate", PGDATABASE="shop_copy")
    assert "no issues" in project.run("python manage.py check --database default", PGDATABASE="shop_copy")
    assert project.stored("shop_copy") == []
