"""The files for Kubernetes and Docker Compose match their schemas, and name options and commands that exist."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from ruamel.yaml import YAML

from tiktok_middleware.cli.main import main
from tiktok_middleware.config import Config

DEPLOY = Path(__file__).parents[2] / "examples" / "deploy"
COMPOSE, KUBERNETES = DEPLOY / "compose.yaml", DEPLOY / "kubernetes.yaml"
_CHECKS = {
    COMPOSE: ["-m", "check_jsonschema", "--builtin-schema", "vendor.compose-spec"],
    KUBERNETES: ["-m", "kubernetes_validate", "--strict"],
}


def fault_of(kind: Path, file: Path) -> str:
    done = subprocess.run([sys.executable, *_CHECKS[kind], str(file)], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr if done.returncode else ""


@pytest.mark.slow
@pytest.mark.parametrize("file", _CHECKS, ids=lambda file: file.name)
def test_the_file_matches_its_schema(file: Path) -> None:
    assert fault_of(file, file) == ""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (COMPOSE, "read_only: true", "readonly: true"),
        (COMPOSE, "condition: service_healthy", "condition: healthy"),
        (KUBERNETES, "replicas: 2", "replicas: two"),
        (KUBERNETES, "readOnlyRootFilesystem", "readOnlyRootFileSystem"),
        (KUBERNETES, "terminationGracePeriodSeconds", "gracePeriod"),
    ],
)
def test_the_schema_would_show_a_fault(tmp_path: Path, file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    changed = tmp_path / file.name
    changed.write_text(text.replace(old, new, 1))
    assert fault_of(file, changed)


@pytest.mark.parametrize("file", _CHECKS, ids=lambda file: file.name)
def test_variables_and_commands_exist(file: Path) -> None:
    text = file.read_text()
    options = {f"TIKTOK_{name.upper()}" for name in Config.__dataclass_fields__}
    assert set(re.findall(r"TIKTOK_[A-Z_]+", text)) <= options
    commands = re.findall(r'command: (\["tiktok-middleware".*?\])', text)
    assert commands
    for command in commands:
        words: list[Any] = YAML(typ="safe").load(command)
        assert CliRunner().invoke(main, [*words[1:], "--help"]).exit_code == 0
        assert '"--drain", "10"' not in command or "--drain" in CliRunner().invoke(main, ["relay", "--help"]).output


def test_pods_have_longer_to_end_than_the_relay_drains() -> None:
    text = KUBERNETES.read_text()
    [drain] = re.findall(r'"--drain", "(\d+)"', text)
    assert all(int(seconds) > int(drain) + 5 for seconds in re.findall(r"terminationGracePeriodSeconds: (\d+)", text))
