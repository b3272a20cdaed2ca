"""Who may import whom, read from every file; and what importing a door costs."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "tiktok_middleware"
OURS = "tiktok_middleware"

# What each part may import of the package, besides `errors`, `config` and itself. `config` reads its options with
# `options`, and `notices` is where the client writes what the core noticed.
ALLOWED = {
    "__init__": ("client", "core"),
    "errors": (),
    "config": ("options",),
    "options": (),
    "notices": (),
    "event_loop": (),
    "assembly": ("bots", "core", "delivery"),
    "bots": (),
    "job": ("core", "event_loop"),
    "throttle": ("core",),
    "client": ("assembly", "core", "delivery", "event_loop", "job", "notices", "throttle"),
    "asgi": ("client", "core", "contrib", "event_loop"),
    "wsgi": ("client", "core", "contrib"),
    "contrib": ("asgi", "wsgi", "client", "core", "contrib"),
    "core": ("core",),
    "browser": (),
    "delivery": ("delivery", "core.event", "core.payload"),
    "testing": ("",),
    "cli": ("",),
    "outbox_cli": ("",),
    "send_cli": ("",),
    "data_map": ("core",),
    "sandbox": ("",),
}
EVERYWHERE = ("errors", "config")

# What each part may import of others; the standard library is free.
OTHERS = {
    "core": {"itsdangerous", "msgspec", "phonenumbers", "typing_extensions"},
    "delivery": {"msgspec"},
    "assembly": {"publicsuffixlist"},
    "bots": {"msgspec"},
    "event_loop": {"trio"},
    "asgi": {"anyio"},
    "cli": {"click", "rich", "uvicorn"},
    "outbox_cli": {"click", "rich", "msgspec"},
    "send_cli": {"click"},
    "sandbox": {"starlette", "msgspec", "uvicorn", "anyio"},
    "testing": {"pytest", "msgspec"},
}
# The one file for each of these.
ONLY_IN = {
    "httpx": {"delivery/events_api.py"},
    "celery": {"delivery/celery.py"},
    "prometheus_client": {"delivery/metrics.py"},
}
# Compression is the encoding's business, whose threads there are the delivery's; the frameworks bring their own.
ALSO = {
    "core/codings.py": {"brotli", "brotlicffi", "zstandard", "compression", "backports"},
    "core/zstandard_reader.py": {"zstandard", "compression", "backports"},
    "core/encoding.py": {"brotli", "brotlicffi", "zstandard", "compression", "backports"},
    "delivery/threads.py": {"gevent"},
    "contrib/django.py": {"django", "asgiref"},
    "contrib/flask.py": {"flask"},
    "contrib/starlette.py": {"starlette"},
    "contrib/fastapi.py": {"fastapi", "starlette"},
    "contrib/litestar.py": {"litestar"},
    "contrib/quart.py": {"quart"},
    "contrib/falcon.py": {"falcon"},
    "contrib/pyramid.py": {"pyramid"},
    "contrib/bottle.py": {"bottle"},
}
# A contrib file may stand on another where its framework does.
MAY_STAND_ON = {"contrib/fastapi.py": {"contrib.starlette"}}

FILES = sorted(str(path.relative_to(PACKAGE)) for path in PACKAGE.rglob("*.py"))


def imports_of(source: str, file: str) -> Iterator[tuple[str, int]]:
    """Every imported module with its line, also inside functions; not what only type checkers see."""
    tree = ast.parse(source, file)
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
    return file.partition("/")[0].removesuffix(".py")


def is_under(name: str, roots: tuple[str, ...]) -> bool:
    return any(root in {"", name} or name.startswith(f"{root}.") for root in roots)


def trespasses(file: str, source: str) -> list[str]:
    """The imports of a file that the rules forbid."""
    part, found = part_of(file), []
    for module, line in imports_of(source, file):
        top, _, inner = module.partition(".")
        if top == OURS:
            # `from tiktok_middleware import core` is judged by the submodule that it names.
            allowed = not inner or is_under(inner, (*EVERYWHERE, *ALLOWED[part]))
            if part == "contrib" and inner.startswith("contrib."):
                allowed = inner in MAY_STAND_ON.get(file, ())
            if file == "contrib/__init__.py" and inner:
                allowed = is_under(inner, ("core",))
        elif top in ONLY_IN:
            allowed = file in ONLY_IN[top]
        else:
            allowed = top in sys.stdlib_module_names or top in OTHERS.get(part, ()) or top in ALSO.get(file, ())
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
        ("contrib/__init__.py", "import flask"),
        ("contrib/__init__.py", "from tiktok_middleware.client import Client"),
        ("contrib/flask.py", "import django"),
        ("contrib/flask.py", "from tiktok_middleware.contrib.django import TikTokMiddleware"),
        ("config.py", "from tiktok_middleware.core.events.event import Event"),
        ("client.py", "from tiktok_middleware.cli.main import main"),
        ("errors.py", "import msgspec"),
    ],
)
def test_the_rules_forbid_what_they_are_there_for(file: str, source: str) -> None:
    assert trespasses(file, source) != []


def test_what_type_checkers_alone_see_is_free() -> None:
    assert trespasses("core/x.py", "if TYPE_CHECKING:\n    from tiktok_middleware.client import Client") == []


CLOCKS = {"time", "random", "secrets", "threading", "socket", "asyncio", "subprocess", "sqlite3", "logging"}


@pytest.mark.parametrize("file", [file for file in FILES if file.startswith("core/")])
def test_the_core_has_no_clock_no_randomness_no_thread_and_no_log(file: str) -> None:
    source = (PACKAGE / file).read_text("utf-8")
    assert {module for module, _ in imports_of(source, file)} & CLOCKS == set()
    calls = {ast.unparse(node.func) for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)}
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


def test_a_door_is_imported_in_no_time(tmp_path: Path) -> None:
    statements = ["pass", "import tiktok_middleware.asgi", "import tiktok_middleware.wsgi"]
    # The processor's time, and the least of several: what else the machine is doing at the moment does not count.
    times_s: dict[str, list[float]] = {statement: [] for statement in statements}
    for _ in range(6):  # the first round writes the byte code
        for statement in statements:
            times_s[statement].append(float(python(f"{statement}\nimport time; print(time.process_time())", tmp_path)))
    for statement in statements[1:]:
        over_ms = (min(times_s[statement]) - min(times_s["pass"])) * 1000
        print(f"{statement}: {over_ms:.1f} ms over the interpreter's own start")
        assert over_ms < 150  # the goal is 50 on a quiet machine; a slow one may take longer
