"""What the README says is so: its code compiles, its options and commands are the program's."""

from __future__ import annotations

import dataclasses
import re
import textwrap
from pathlib import Path

import pytest
from click.testing import CliRunner

from tiktok_middleware import Tracker
from tiktok_middleware.cli.main import main
from tiktok_middleware.config import PREFIX, Config

README = (Path(__file__).parent.parent / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", BLOCKS, ids=[block.strip().splitlines()[0] for block in BLOCKS])
def test_code_compiles(code: str) -> None:
    compile(textwrap.dedent(code), "README.md", "exec")


def test_imports_work() -> None:
    lines = re.findall(r"^from (tiktok_middleware\S*) import (\w+)$", README, re.MULTILINE)
    assert len(lines) >= 5
    for module, name in lines:
        assert hasattr(__import__(module, fromlist=[name]), name)


def test_every_option_is_in_the_table_with_its_default_and_none_is_made_up() -> None:
    documented = set(re.findall(r"`(TIKTOK_[A-Z_]+)`", README))
    options = {PREFIX + option.name.upper() for option in dataclasses.fields(Config)}
    assert documented == options


def test_every_call_of_the_table_is_a_call_of_the_tracker() -> None:
    table = README.split("| Call | What it does |")[1].split("\n\n")[0]
    calls = set(re.findall(r"(\w+)\(", " ".join(line.split("|")[1] for line in table.splitlines()[2:])))
    assert calls
    assert all(callable(getattr(Tracker, call)) for call in calls)


def test_every_command_exists() -> None:
    commands = set(re.findall(r"tiktok-middleware (\w+)", README)) - {"check"} | {"check"}
    for command in commands:
        assert CliRunner().invoke(main, [command, "--help"]).exit_code == 0


def test_make_targets_exist() -> None:
    makefile = (Path(__file__).parent.parent / "Makefile").read_text("utf-8")
    for target in re.findall(r"^(?:\w+=\S+ )?make (\w+)$", README, re.MULTILINE):
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target
