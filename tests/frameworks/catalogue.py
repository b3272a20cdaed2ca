"""The frameworks of the acceptance suite, each with the package whose version counts and the server that runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from tests.browser.servers import ROOT

__all__ = ["FRAMEWORKS", "Framework", "command_of", "python_of", "version_of"]


@dataclass(frozen=True)
class Framework:
    """One framework.

    Attributes:
        package: its distribution.
        protocol: ``asgi`` or ``wsgi``.
        is_raw: whether it has no request object: a plain ASGI or WSGI app.
        has_lifespan: whether its app has start-up and shutdown hooks that a server calls.
        covers_errors: False where the framework makes the page of an uncaught exception outside of all middleware.
    """

    package: str
    protocol: str
    is_raw: bool = False
    has_lifespan: bool = False
    covers_errors: bool = True


#: By module of ``tests.frameworks.apps``.
FRAMEWORKS: Mapping[str, Framework] = {
    "raw_asgi": Framework("uvicorn", "asgi", is_raw=True, has_lifespan=True),
    "raw_wsgi": Framework("gunicorn", "wsgi", is_raw=True),
    "starlette": Framework("starlette", "asgi", has_lifespan=True, covers_errors=False),
    "fastapi": Framework("fastapi", "asgi", has_lifespan=True, covers_errors=False),
    "flask": Framework("flask", "wsgi"),
    "django_wsgi": Framework("django", "wsgi"),
    "django_asgi": Framework("django", "asgi"),
    "litestar": Framework("litestar", "asgi", has_lifespan=True),
    "quart": Framework("quart", "asgi", has_lifespan=True),
    "falcon_wsgi": Framework("falcon", "wsgi"),
    "falcon_asgi": Framework("falcon", "asgi", has_lifespan=True),
    "pyramid": Framework("pyramid", "wsgi"),
    "bottle": Framework("bottle", "wsgi"),
    "sanic": Framework("sanic", "asgi", has_lifespan=True),
    "blacksheep": Framework("blacksheep", "asgi", has_lifespan=True),
}


def command_of(framework: Framework, python: str, port: int) -> list[str]:
    """The server's command line; one worker, so that a visitor's requests meet the same process."""
    target = "tests.frameworks.serve:app"
    if framework.protocol == "asgi":
        return [python, "-m", "uvicorn", target, "--host", "127.0.0.1", "--port", str(port)]
    options = ["--threads", "4", "--graceful-timeout", "3"]
    if python == sys.executable:  # older ones open no control socket, and do not know the option
        options.append("--no-control-socket")
    return [python, "-m", "gunicorn", *options, "--bind", f"127.0.0.1:{port}", target]


def python_of(name: str, versions: str) -> str:
    """The interpreter whose environment has the newest or the lowest supported versions.

    Raises:
        FileNotFoundError: the environment of the lowest versions is not there.
    """
    if versions == "newest":
        return sys.executable
    # Quart needs a newer Flask than the lowest that is supported.
    python = Path(ROOT, ".venv-lowest-quart" if name == "quart" else ".venv-lowest", "bin", "python")
    if not python.exists():
        raise FileNotFoundError(f"{python} is missing: run make lowest")
    return str(python)


@lru_cache(maxsize=64)
def version_of(package: str, python: str) -> str:
    """The version of a package in an interpreter's environment."""
    code = f"import importlib.metadata; print(importlib.metadata.version({package!r}))"
    return subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout.strip()
