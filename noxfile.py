"""Checks in other environments than the developer's: each Python, other framework versions, the built packages.

``nox`` runs every session for which an interpreter is installed; ``nox -s tests-3.12`` runs one. Sessions run the fast
tests; ``nox -s tests-3.12 -- --all-rows`` also runs every row of long tables.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nox

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "uv"
nox.options.error_on_missing_interpreters = False

PROJECT: dict[str, Any] = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PROJECT)
#: The frameworks that most sites use. ``tests/frameworks`` runs the lowest versions of all on their servers.
EXTRAS = "celery,django,fastapi,flask,starlette"
FRAMEWORKS = nox.project.dependency_groups(PROJECT, "frameworks")
#: The tests that run a framework, and the ones that compare both protocols.
FRAMEWORK_TESTS = ("tests/contrib", "tests/contract", "tests/examples/test_payment_webhook.py", "tests/test_testing.py")
#: Runs every framework that there is a module for.
ALL_FRAMEWORKS_TEST = "tests/contrib/test_wrong_wraps.py"
#: Runs a site with Django's admin, whose templates change with its releases.
ADMIN_TEST = ("tests/contrib/test_django_outbox_page.py", "-m", "not postgres")


@nox.session(python=False)
def lint(session: nox.Session) -> None:
    """Run ruff, mypy and the hooks of pre-commit."""
    session.run("make", "lint", external=True)


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """Run the fast tests on one Python."""
    session.install("--editable", ".[demo]", "--group", "dev")
    session.run("pytest", "--fast", "-n", "2", *session.posargs)


@nox.session(python=PYTHONS[0])
def lowest(session: nox.Session) -> None:
    """Run the framework tests on the lowest versions that ``pyproject.toml`` allows."""
    # Flask 2.3's test client needs Werkzeug before 3.1.
    beside = ("django-csp>=4.0", "werkzeug>=2.3.3,<3.1")
    session.install("--resolution", "lowest-direct", "--editable", f".[{EXTRAS}]", "--group", "test", *beside)
    session.run("pytest", "--fast", *FRAMEWORK_TESTS, f"--ignore={ALL_FRAMEWORKS_TEST}", *session.posargs)
    session.run("pytest", *ADMIN_TEST)


@nox.session(python=PYTHONS[-1])
def newest(session: nox.Session) -> None:
    """Run the framework tests on the newest releases of the frameworks and of every dependency of ours."""
    names = sorted({re.split("[=<>;]", requirement)[0] for requirement in FRAMEWORKS})
    session.install("--upgrade", "--editable", f".[{EXTRAS}]", "--group", "test", *names)
    session.run("pytest", "--fast", *FRAMEWORK_TESTS, *session.posargs)
    session.run("pytest", *ADMIN_TEST)


@nox.session(python=PYTHONS)
@nox.parametrize("kind", ["wheel", "sdist"])
def package(session: nox.Session, kind: str) -> None:
    """Build the package, install it alone into an empty environment and use it there."""
    folder = Path(session.create_tmp()) / "dist"
    session.run_install("uv", "build", f"--{kind}", "--out-dir", str(folder), "--clear", external=True)
    (built,) = folder.glob("*.whl" if kind == "wheel" else "*.tar.gz")
    session.install(str(built))
    check = Path("tests/package/use.py").resolve()
    session.chdir(session.create_tmp())  # the checkout must not be importable
    session.run("python", "-I", str(check))
    session.run("tiktok-middleware", "--version")
    session.run("tiktok-middleware", "check", env={"TIKTOK_PIXEL_ID": "C0000000000000000001"})
