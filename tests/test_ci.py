"""The workflows, hooks and nox sessions are valid, run what exists, and name the same versions of Python."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nox
import pytest
from ruamel.yaml import YAML

ROOT = Path(__file__).parents[1]
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
HOOKS = ROOT / ".pre-commit-config.yaml"
PROJECT: dict[str, Any] = nox.project.load_toml(ROOT / "pyproject.toml")
PYTHONS = ["3.10", "3.11", "3.12", "3.13", "3.14"]
TARGETS = ["soak", "fuzz", "coverage", "pyright"]
FORMS = [
    ("vendor.github-issue-forms", "bug.yml"),
    ("vendor.github-issue-forms", "idea.yml"),
    ("vendor.github-issue-config", "config.yml"),
]
SCHEMAS = ["vendor.github-workflows", "custom.github-workflows-require-timeout"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    arguments = [sys.executable, "-m", *command]
    return subprocess.run(arguments, check=False, cwd=ROOT, capture_output=True, text=True, timeout=60)


def check(schema: str, *files: Path) -> subprocess.CompletedProcess[str]:
    return run("check_jsonschema", "--builtin-schema", schema, *map(str, files))


def load(path: Path) -> Any:
    return YAML(typ="safe").load(path)


def jobs() -> Iterator[tuple[str, dict[str, Any]]]:
    for path in WORKFLOWS:
        yield from load(path)["jobs"].items()


def commands() -> list[str]:
    return [step["run"] for _, job in jobs() for step in job["steps"] if "run" in step]


@pytest.mark.slow
@pytest.mark.parametrize("schema", SCHEMAS)
def test_workflows_match_the_schema(schema: str) -> None:
    done = check(schema, *WORKFLOWS)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(("schema", "file"), FORMS)
def test_issue_forms_match_the_schema(schema: str, file: str) -> None:
    done = check(schema, ROOT / ".github" / "ISSUE_TEMPLATE" / file)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.parametrize(
    ("schema", "old", "new"),
    [
        ("vendor.github-workflows", "runs-on:", "run-on:"),
        ("vendor.github-workflows", "- run:", "- runs:"),
        ("vendor.github-workflows", "fail-fast: false", "fail-fast: 3"),
        ("custom.github-workflows-require-timeout", "timeout-minutes: 10", "continue-on-error: true"),
    ],
)
def test_a_wrong_workflow_is_rejected(schema: str, old: str, new: str, tmp_path: Path) -> None:
    text = (ROOT / ".github/workflows/ci.yml").read_text("utf-8")
    assert old in text
    wrong = tmp_path / "ci.yml"
    wrong.write_text(text.replace(old, new), "utf-8")
    assert check(schema, wrong).returncode != 0


def test_workflows_may_only_read_the_repository() -> None:
    for path in WORKFLOWS:
        assert load(path)["permissions"] == {"contents": "read"}, path.name


def test_every_python_is_tested_and_declared() -> None:
    matrices = [job["strategy"]["matrix"] for name, job in jobs() if name in {"tests", "package"}]
    assert [matrix["python"] for matrix in matrices] == [PYTHONS, PYTHONS]
    assert nox.project.python_versions(PROJECT) == PYTHONS
    assert PROJECT["project"]["requires-python"] == f">={PYTHONS[0]}"


def test_workflows_run_sessions_and_targets_that_exist() -> None:
    listed = run("nox", "--list", "--noxfile", str(ROOT / "noxfile.py")).stdout
    sessions = set(re.findall(r"^[*-] ([\w.-]+)", listed, re.MULTILINE))
    assert {name for command in commands() for name in sessions_of(command)} <= sessions
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for target in ["test", *TARGETS]:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def sessions_of(command: str) -> set[str]:
    """Return the names of the nox sessions that a command runs, for each value of the job's matrix."""
    names = re.findall(r"-s \"?([\w-]*(?:\$\{\{ matrix\.\w+ \}\})?)", command)
    return {
        name.replace("${{ matrix.python }}", version).replace("${{ matrix.session }}", session)
        for name in names
        for version in PYTHONS
        for session in ("lowest", "newest")
    } - {"package"}


def test_the_weekly_workflow_runs_the_long_targets() -> None:
    assert load(ROOT / ".github/workflows/weekly.yml")["jobs"]["long"]["strategy"]["matrix"]["target"] == TARGETS


def test_workflows_install_the_pinned_nox() -> None:
    (pinned,) = {r for r in PROJECT["dependency-groups"]["test"] if isinstance(r, str) and r.startswith("nox")}
    installs = {command for command in commands() if command.startswith("pip install")}
    assert installs == {f'pip install "{pinned}"'}


def test_hooks_are_valid_and_local() -> None:
    done = run("pre_commit", "validate-config", str(HOOKS))
    assert done.returncode == 0, done.stdout + done.stderr
    assert {repo["repo"] for repo in load(HOOKS)["repos"]} == {"local"}


def test_hooks_call_tools_of_the_dev_group() -> None:
    groups = PROJECT["dependency-groups"]
    names = {re.split(r"[\[=;<> ]", r)[0] for group in ("dev", "test") for r in groups[group] if isinstance(r, str)}
    tools = [hook["entry"].split()[0] for repo in load(HOOKS)["repos"] for hook in repo["hooks"]]
    assert {tool.removeprefix(".venv/bin/") for tool in tools} - {"make"} <= names
