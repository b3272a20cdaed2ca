"""Tests replace our parts by constructor arguments. Only a few still patch a module or a class of ours."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
#: Patches of our own code that are left. Lower it with each that goes; a new test passes an argument instead.
LEFT = 14
_PATCHES = {"setattr", "setitem", "delattr", "object"}
_OURS = ("tiktok_middleware", "tests")


def patches(source: str) -> Iterator[str]:
    """Yield the target of each ``setattr``, ``setitem``, ``delattr`` or ``mock.patch`` that is not of another package."""
    tree = ast.parse(source)
    origins: dict[str, str] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            origins.update({(name.asname or name.name).split(".")[0]: name.name for name in node.names})
        elif isinstance(node, ast.ImportFrom):
            origins.update({name.asname or name.name: node.module or "" for name in node.names})
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _PATCHES:
            holder = node.func.value
            if isinstance(holder, ast.Name) and holder.id in {"monkeypatch", "patch", "mock"} and node.args:
                origin = _origin(node.args[0], origins)
                if origin is None or origin.split(".")[0] in _OURS:
                    yield ast.unparse(node.args[0])


def _origin(target: ast.expr, origins: dict[str, str]) -> str | None:
    """Return the module that a target comes from; None if it is a value of the test."""
    if isinstance(target, ast.Constant) and isinstance(target.value, str):
        return target.value
    names = [node.id for node in ast.walk(target) if isinstance(node, ast.Name) and node.id != "__import__"]
    found = [origins[name] for name in names if name in origins]
    if isinstance(target, ast.Attribute) and not names:
        return ""  # __import__("sys").modules
    return found[0] if found else None


@pytest.mark.parametrize(
    ("line", "count"),
    [
        ("from tiktok_middleware.client import Client\nmonkeypatch.setattr(Client, 'wait', 1)", 1),
        ("from tiktok_middleware.delivery import relay as loop\nmonkeypatch.setattr(loop, '_IDLE_S', 1)", 1),
        ("monkeypatch.setattr('tiktok_middleware.client.COMMIT_WAIT_S', 1)", 1),
        ("monkeypatch.setattr(world.outbox, 'lease', 1)", 1),
        ("with monkeypatch.context() as patch:\n    patch.setattr('tiktok_middleware.client.wait', 1)", 1),
        ("from unittest.mock import patch\npatch.object(client, 'wait')", 1),
        ("import os\nmonkeypatch.setattr(os, 'getpid', 1)", 0),
        ("import sys\nmonkeypatch.setitem(sys.modules, 'uvicorn', None)", 0),
        ("monkeypatch.setattr('os.getpid', 1)", 0),
        ("monkeypatch.setenv('TIKTOK_DEBUG', '1')", 0),
    ],
)
def test_patch_of_our_own_code_is_counted(line: str, count: int) -> None:
    assert len(list(patches(line))) == count


def test_no_more_patches_of_our_own_code_are_added() -> None:
    found = [
        f"{file.relative_to(TESTS)}: {target}"
        for file in sorted(TESTS.rglob("*.py"))
        if "node_modules" not in file.parts and file != Path(__file__)
        for source in (file.read_text("utf-8"),)
        if "monkeypatch" in source or "mock" in source
        for target in patches(source)
    ]
    assert len(found) <= LEFT, "\n".join(["pass a constructor argument instead of one more patch:", *found])
