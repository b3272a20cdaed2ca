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
TIKTOK = {**TIKTOK, "outbox": "django:default?wait=20", "access_token": "t", "api_url": os.environ["API_URL"]}
"""
_VISIT = f"""
from django.test import Client
from tiktok_middleware.contrib.django import tiktok_client
page = Client(headers={{"user-agent": {AGENT!r}, "accept": "text/html", "sec-fetch-mode": "navigate"}}).get("/buy/A-1001")
print("page:", page.status_code)
"""
_SEND = """
from tiktok_middleware.contrib.django import tiktok_client
client = tiktok_client()
client.start()
print("sent:", client.flush(60))
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

    def waiting(self, database: str) -> int:
        """How many events wait, completed or not."""
        sql = "SELECT (SELECT count(*) FROM tiktok_middleware.event) + (SELECT count(*) FROM tiktok_middleware.draft)"
        return int(self.postgres.execute(sql, database)[0][0])

    def sent(self, database: str) -> int:
        """Send what waits, as some process does later, and return how many events TikTok got."""
        for table in ("draft", "event"):
            self.postgres.execute(f"UPDATE tiktok_middleware.{table} SET due = 0", database)
        assert "sent: True" in self.run(f"python manage.py shell -c {shlex.quote(_SEND)}", PGDATABASE=database)
        assert self.waiting(database) == 0
        return len(set(self.api.ids))


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
    assert "page: 200" in project.run(f"python manage.py shell -c {shlex.quote(_VISIT)}")
    project.run("python manage.py renew 2026-11")
    project.run("python manage.py renew 2026-11")
    assert project.sent("shop") == 2, "a purchase, and a renewal that counts once"
    project.api.status, project.api.body = 503, b""  # from now on events wait
    project.run("python manage.py renew 2026-12")
    assert project.waiting("shop") == 1

    project.run(dump)
    project.api.status, project.api.body = 200, Api.OK
    project.api.requests.clear()
    assert project.waiting("shop_restored") == 1
    project.run("python manage.py renew 2026-11; python manage.py renew 2026-12", PGDATABASE="shop_restored")
    assert project.sent("shop_restored") == 1, "what waited is sent, and what was counted is not counted again"

    project.run(copy)
    assert project.postgres.execute("SELECT 1 FROM pg_namespace WHERE nspname = 'tiktok_middleware'", "shop_copy") == []
    assert "W003" in project.run("python manage.py check --database default", PGDATABASE="shop_copy")
    project.run("python manage.py migrate", PGDATABASE="shop_copy")
    assert "no issues" in project.run("python manage.py check --database default", PGDATABASE="shop_copy")
    assert project.waiting("shop_copy") == 0
