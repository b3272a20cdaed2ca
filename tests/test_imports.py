"""Who may import whom, read from every file; and what importing a door costs."""

from __future__ import annotations

import ast
import functools
import graphlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tiktok_middleware"
OURS = "tiktok_middleware"

# The folders and files of the package in the order of their imports: each may import those that stand before it,
# and itself. `errors`, `config` and `reasons` may be imported everywhere.
ORDER = {
    "errors": (),
    "reasons": (),
    "_pattern_cost": (),
    "_option_parsers": ("_pattern_cost",),
    "_css_selectors": (),
    "_browser_rules": ("_css_selectors",),
    "config": ("_browser_rules", "_option_parsers"),
    "_log": (),
    "_printable": (),
    "_bounded_read": (),
    "_helper_watch": ("core",),
    "core.import_setting": (),
    "core.signing": (),
    "core.http": (),
    "core.page": ("core.http",),
    "core.consent": ("core.http", "core.import_setting"),
    "core.visitor": ("core.http", "core.consent", "core.signing"),
    "core.events": ("core.http", "core.visitor"),
    "core.events_api": ("core.events",),
    "core.pixel": ("core.http", "core.visitor", "core.events", "core.signing"),
    "core.runtime": (
        "_browser_rules",
        "core.http",
        "core.page",
        "core.consent",
        "core.events",
        "core.pixel",
        "core.signing",
    ),
    "core.tracking": (
        *("core.http", "core.consent", "core.visitor", "core.events", "core.events_api", "core.pixel", "core.runtime"),
    ),
    "core.response": (
        *("core.http", "core.page", "core.consent", "core.visitor", "core.events", "core.pixel", "core.runtime"),
        "core.tracking",
    ),
    "core.endpoint": ("core",),
    "_bots": ("core.visitor.bots",),
    "_random": (),
    "_rate_limit": ("core",),
    "_other_servers": ("core",),
    "_moved": (),
    "core": ("_moved",),
    "delivery": ("_moved", "core.events.event", "core.events.sources", "core.events_api"),
    "server_job": ("core", "delivery.process.event_loop"),
    "_wiring": ("_bots", "_browser_rules", "core", "delivery"),
    "_development": (),
    "_start_line": ("_development", "delivery.outbox.location"),
    "_storing": ("_log", "core", "delivery"),
    "_drafting": ("_storing", "core"),
    "_page_reports": ("_helper_watch", "_rate_limit", "_storing", "core"),
    "client": (
        *("_development", "_start_line", "_wiring", "_log", "_other_servers", "_page_reports", "_rate_limit"),
        *("_drafting", "_helper_watch", "_random", "_storing", "core", "delivery", "server_job"),
    ),
    "attach": ("core.tracking.current",),
    "_app_check": (),
    "_slices": ("client", "core", "delivery.process.event_loop"),
    "_asgi_response": ("_slices", "core"),
    "_wsgi_response": ("core",),
    "_wsgi_body": ("_wsgi_response",),
    "asgi": (
        *("_app_check", "_asgi_response", "attach", "client", "core"),
        *("delivery.process.event_loop", "delivery.process.stopping"),
    ),
    "wsgi": ("_app_check", "_bounded_read", "_wsgi_body", "_wsgi_response", "attach", "client", "core"),
    "_person": ("core.visitor.user_data", "delivery.outbox.person"),
    "contrib": ("_app_check", "_person", "asgi", "attach", "wsgi", "client", "core", "delivery.outbox"),
    "__init__": ("client", "core"),
    "sinks": ("core.events.event", "core.events_api", "delivery"),
    "browser": (),
    "_live": ("",),
    "_live_processes": (),
    "_live_server": ("",),
    "testing": ("",),
    "cli": ("",),
    "sandbox": ("",),
}
EVERYWHERE = ("errors", "config", "reasons", "_printable")

# What each part may import of others; the standard library is free.
OTHERS = {
    "core": {"itsdangerous", "msgspec", "phonenumbers", "typing_extensions"},
    "delivery": {"msgspec"},
    "_wiring": {"publicsuffixlist"},
    "_bots": {"msgspec"},
    "asgi": {"anyio"},
    "cli": {"click", "rich", "uvicorn", "msgspec"},
    "sandbox": {"starlette", "msgspec", "uvicorn", "anyio"},
    "_live_processes": {"playwright"},
    "_live_server": {"uvicorn"},
    "testing": {"pytest", "msgspec"},
}
# The one file for each of these.
ONLY_IN = {
    "httpx": {"delivery/sender/events_api.py"},
    "celery": {"delivery/celery.py"},
    "prometheus_client": {"delivery/metrics.py"},
    "psycopg": {
        f"delivery/outbox/postgres/{name}.py"
        for name in ("address", "app_connection", "connection", "limited", "migrate")
    },
    "trio": {"delivery/process/event_loop.py"},
}
# Compression belongs to the page's codings, thread libraries to delivery, and frameworks to their integration.
ALSO = {
    "core/page/codings.py": {"brotli", "brotlicffi", "zstandard", "compression", "backports"},
    "core/page/zstandard_reader.py": {"zstandard", "compression", "backports"},
    "core/page/encoded_body.py": {"brotli", "brotlicffi", "zstandard", "compression", "backports"},
    "delivery/process/threads.py": {"gevent"},
    "contrib/django/__init__.py": {"django", "asgiref"},
    "contrib/django/admin.py": {"django"},
    "contrib/django/apps.py": {"django"},
    "contrib/django/models.py": {"django"},
    "contrib/django/migrations/0001_outbox.py": {"django"},
    "contrib/django/migrations/0002_outboxevent.py": {"django"},
    "contrib/_django_outbox_page.py": {"django"},
    "contrib/_django_person_form.py": {"django"},
    "contrib/_django_database.py": {"django"},
    "contrib/_django_response.py": {"django", "asgiref"},
    "contrib/_django_settings.py": {"django"},
    "contrib/django_cookie_consent.py": {"django"},
    "contrib/_flask_config.py": {"werkzeug"},
    "contrib/flask.py": {"flask"},
    "contrib/starlette.py": {"starlette"},
    "contrib/fastapi.py": {"fastapi", "starlette"},
    "contrib/litestar.py": {"litestar"},
    "contrib/quart.py": {"quart"},
    "contrib/falcon.py": {"falcon"},
    "contrib/pyramid.py": {"pyramid"},
    "contrib/bottle.py": {"bottle"},
    "contrib/sanic.py": {"sanic"},
    "contrib/blacksheep.py": {"blacksheep"},
}
# An integration may import another where its framework builds on the other's.
MAY_STAND_ON = {
    "contrib/fastapi.py": {"contrib.starlette"},
    "contrib/django/__init__.py": {"contrib._django_response", "contrib._django_settings"},
    "contrib/django/admin.py": {
        "contrib._django_outbox_actions",
        "contrib._django_outbox_page",
        "contrib._django_outbox_query",
        "contrib._django_person_form",
        "contrib._django_settings",
        "contrib.django.models",
    },
    "contrib/_django_outbox_page.py": {"contrib._django_outbox_query"},
    "contrib/_django_person_form.py": {"contrib._django_settings"},
    "contrib/django/apps.py": {"contrib._django_settings", "contrib._django_tables"},
    "contrib/django/migrations/0001_outbox.py": {"contrib._django_settings", "contrib._django_tables"},
    "contrib/_django_tables.py": {"contrib._django_database"},
    "contrib/_django_settings.py": {
        "contrib._django_database",
        "contrib._django_tables",
        "contrib.django_cookie_consent",
    },
    "contrib/flask.py": {"contrib._flask_config"},
    "contrib/quart.py": {"contrib._flask_config"},
}

FILES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


@functools.cache
def tree_of(source: str) -> ast.Module:
    return ast.parse(source)


@functools.cache
def imports_of(source: str, file: str) -> tuple[tuple[str, int], ...]:
    """Every imported module with its line, also inside functions; not what only type checkers see."""
    return tuple(_imports_of(tree_of(source), file))


def _imports_of(tree: ast.Module, file: str) -> Iterator[tuple[str, int]]:
    for_types = {
        child
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for statement in node.body
        for child in ast.walk(statement)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue
        if isinstance(node, ast.Import):
            yield from ((alias.name, node.lineno) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}:{node.lineno}: relative imports hide where things come from"
            module = node.module or ""
            yield module, node.lineno
            if module.partition(".")[0] == OURS:  # a submodule may be what is taken
                yield from ((f"{module}.{a.name}", node.lineno) for a in node.names if is_module(f"{module}.{a.name}"))


def is_module(name: str) -> bool:
    path = ROOT.joinpath(*name.split("."))
    return path.with_suffix(".py").exists() or (path / "__init__.py").exists()


def part_of(file: str) -> str:
    """The entry of ORDER that a file belongs to: the folder below core, else the folder or file at the top."""
    names = file.removesuffix(".py").split("/")
    if names[0] == "core" and len(names) > 1 and names[1] != "__init__":
        return f"core.{names[1]}"
    return names[0]


def is_under(name: str, roots: tuple[str, ...]) -> bool:
    return any(root in {"", name} or name.startswith(f"{root}.") for root in roots)


def trespasses(file: str, source: str) -> list[str]:
    """The imports of a file that the rules forbid."""
    part, found = part_of(file), []
    for module, line in imports_of(source, file):
        top, _, inner = module.partition(".")
        if top == OURS:
            # `from tiktok_middleware import core` is judged by the submodule that it names.
            allowed = not inner or part == inner or is_under(inner, (*EVERYWHERE, part, *ORDER.get(part, ())))
            if part == "contrib" and inner.startswith("contrib."):
                allowed = inner in MAY_STAND_ON.get(file, ())
        elif top in ONLY_IN:
            allowed = file in ONLY_IN[top]
        else:
            allowed = (
                top in sys.stdlib_module_names
                or top in OTHERS.get(part.partition(".")[0], ())
                or top in ALSO.get(file, ())
            )
        if not allowed:
            found.append(f"{file}:{line} imports {module}")
    return found


@pytest.mark.parametrize("file", FILES)
def test_each_file_imports_only_what_its_ring_may(file: str) -> None:
    assert trespasses(file, (PACKAGE / file).read_text("utf-8")) == []


@pytest.mark.parametrize(
    ("file", "source"),
    [
        ("core/x.py", "import httpx"),
        ("core/x.py", "from tiktok_middleware.client import Client"),
        ("core/x.py", "from tiktok_middleware import delivery"),
        ("core/x.py", "def f():\n    import starlette.requests"),
        ("core/x.py", "from tiktok_middleware._log import Log"),
        ("delivery/x.py", "from tiktok_middleware.core.http.request import RequestView"),
        ("delivery/x.py", "from tiktok_middleware.core import facts"),
        ("delivery/sqlite.py", "import httpx"),
        ("client.py", "from tiktok_middleware.asgi import TikTokMiddleware"),
        ("asgi.py", "from tiktok_middleware.delivery import Delivery"),
        ("asgi.py", "import starlette"),
        ("attach.py", "import flask"),
        ("contrib/__init__.py", "import flask"),
        ("attach.py", "from tiktok_middleware.client import Client"),
        ("attach.py", "from tiktok_middleware.contrib.flask import TikTok"),
        ("asgi.py", "from tiktok_middleware.contrib.starlette import TikTokMiddleware"),
        ("core/page/x.py", "from tiktok_middleware.core.consent.consent import Consent"),
        ("core/response/x.py", "from tiktok_middleware.core.endpoint.report import hear"),
        ("core/events/x.py", "from tiktok_middleware.core.tracking.tracker import Tracker"),
        ("contrib/flask.py", "import django"),
        ("contrib/flask.py", "from tiktok_middleware.contrib.django import TikTokMiddleware"),
        ("config.py", "from tiktok_middleware.core.events.event import Event"),
        ("client.py", "from tiktok_middleware.cli.main import main"),
        ("errors.py", "import msgspec"),
    ],
)
def test_the_rules_forbid_what_they_are_there_for(file: str, source: str) -> None:
    assert trespasses(file, source) != []


def test_no_files_import_each_other_in_a_circle() -> None:
    files = {module_of(file): file for file in FILES}
    graph: dict[str, set[str]] = {}
    for module, file in files.items():
        source = (PACKAGE / file).read_text("utf-8")
        at_import = {node.lineno for node in tree_of(source).body if isinstance(node, (ast.Import, ast.ImportFrom))}
        found = {name for name, line in imports_of(source, file) if name in files and line in at_import} - {module}
        graph[module] = {name for name in found if not module.startswith(f"{name}.")}  # a folder that it stands in
    sorter = graphlib.TopologicalSorter(graph)
    sorter.prepare()  # raises CycleError, which names the files


def module_of(file: str) -> str:
    return ".".join((OURS, *Path(file).with_suffix("").parts)).removesuffix(".__init__")


def test_core_has_few_entries_and_every_folder_says_what_belongs_there() -> None:
    entries = [path.name for path in (PACKAGE / "core").iterdir() if path.name != "__pycache__"]
    assert len(entries) <= 14, sorted(entries)
    for init in PACKAGE.rglob("__init__.py"):
        assert ast.get_docstring(ast.parse(init.read_text("utf-8"))), f"{init} has no docstring"


def test_imports_that_only_type_checkers_see_are_allowed() -> None:
    assert trespasses("core/x.py", "if TYPE_CHECKING:\n    from tiktok_middleware.client import Client") == []


CLOCKS = {"time", "random", "secrets", "threading", "socket", "asyncio", "subprocess", "sqlite3", "logging"}


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("core/")])
def test_the_core_has_no_clock_no_randomness_no_thread_and_no_log(file: str) -> None:
    source = (PACKAGE / file).read_text("utf-8")
    assert {module for module, _ in imports_of(source, file)} & CLOCKS == set()
    calls = {ast.unparse(node.func) for node in ast.walk(tree_of(source)) if isinstance(node, ast.Call)}
    assert calls & {"open", "datetime.now", "datetime.utcnow", "uuid4", "uuid.uuid4", "uuid1", "os.urandom"} == set()


# -- what an import brings along

DOORS = ["tiktok_middleware", "tiktok_middleware.asgi", "tiktok_middleware.wsgi"]
HEAVY = [
    "starlette",
    "django",
    "flask",
    "fastapi",
    "celery",
    "httpx",
    "phonenumbers",
    "publicsuffixlist",
    "crawleruseragents",
    "anyio",
    "psycopg",
    "rich",
    "click",
]


def python(code: str, folder: Path) -> str:
    """What a fresh interpreter prints that may keep its byte code, as an installed package does."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "COVERAGE"))}
    environ["PYTHONPYCACHEPREFIX"] = str(folder)
    done = subprocess.run(
        [sys.executable, "-c", code], env=environ, cwd=ROOT, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


@pytest.mark.parametrize("door", DOORS)
def test_a_door_imports_no_framework_and_no_client(door: str, tmp_path: Path) -> None:
    printed = python(f"import sys, {door}; print(*sorted(m for m in {HEAVY} if m in sys.modules))", tmp_path)
    assert printed.split() == []


# What an import costs, counted: no clock, so that no busy machine makes it fail. A tenth more than today's, on each
# version of Python; nearly all calls compile patterns. `python -m tests.bench` measures the time.
MOST_CALLS = 117_000
MOST_MODULES = 315
COUNT = """
import sys
calls = 0
def count(frame, event, _):
    global calls
    calls += event == "call"
before = len(sys.modules)
sys.setprofile(count)
import {module}
sys.setprofile(None)
print(calls, len(sys.modules) - before)
"""


@pytest.mark.slow
@pytest.mark.parametrize("module", ["tiktok_middleware.asgi", "tiktok_middleware.wsgi"])
def test_import_of_an_adapter_costs_no_more_calls_and_modules_than_it_did(module: str, tmp_path: Path) -> None:
    calls, modules = map(int, python(COUNT.format(module=module), tmp_path).split())
    print(f"{module}: {calls} calls, {modules} modules")
    assert 10_000 < calls <= MOST_CALLS
    assert 50 < modules <= MOST_MODULES
