"""Each command of README and docs runs as it is written, against the sandbox and a real outbox."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from click import Command, Context, Group

from tests.cli.cli_world import running_sandbox
from tests.cli.test_main import PIXEL, run
from tests.postgres_world import Postgres
from tiktok_middleware import Client, Config
from tiktok_middleware.cli.main import main

pytestmark = pytest.mark.servers
ROOT = Path(__file__).parents[2]
PAGES = [*sorted((ROOT / "docs").rglob("*.md")), ROOT / "README.md"]
RUN_ON = {"demo", "sandbox", "relay", "worker"}
"""Commands that run until they are stopped. Tests of their own start and stop them; here their options are read."""


def commands() -> Iterator[str]:
    """The commands of code blocks, without their descriptions; ``off | on`` stands for two."""
    for page in PAGES:
        for block in re.findall(r"^```[a-z]*\n(.*?)^```", page.read_text("utf-8"), re.DOTALL | re.MULTILINE):
            for line in re.findall(r"^\s*tiktok-middleware (.+)$", block, re.MULTILINE):
                written = re.split(r" {2,}| #", line)[0].strip()
                alternatives = re.fullmatch(r"(.*?)(\w+) \| (\w+)", written)
                yield from [alternatives[1] + alternatives[n] for n in (2, 3)] if alternatives else [written]


COMMANDS = sorted(set(commands()))


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The variables of an app with an order in its outbox, which the sandbox refuses or has not got yet."""
    folder = tmp_path_factory.mktemp("shop")
    url = f"sqlite:///{folder}/outbox.sqlite3"
    with running_sandbox() as sandbox:
        config = Config(
            pixel_id=PIXEL, access_token="token", consent="implied", outbox=url, api_url=sandbox.url, flush="relay"
        )
        client = Client(config)
        with client.tracker(source="web", url="https://shop.example/", email="jane@shop.example") as tiktok:
            tiktok.track("Purchase", value=24, currency="EUR", order_id="A-1001")
        client.close(5)
        yield {
            "TIKTOK_PIXEL_ID": PIXEL,
            "TIKTOK_ACCESS_TOKEN": "token",
            "TIKTOK_CONSENT": "implied",
            "TIKTOK_OUTBOX": url,
            "TIKTOK_API_URL": sandbox.url,
            "XDG_STATE_HOME": str(folder),
        }


def test_the_documents_hold_commands() -> None:
    assert len(COMMANDS) > 15
    assert {command.split()[0] for command in COMMANDS} <= set(main.commands)


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.split()[0] not in RUN_ON])
def test_command_runs_as_it_is_written(
    command: str,
    environ: dict[str, str],
    postgres: Postgres,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "app.py").write_text("from flask import Flask\n\napp = Flask(__name__)\n")
    arguments = shlex.split(command.partition(" | ")[0])
    if command in {"outbox migrate", "outbox move"}:
        with postgres.schema() as shared:
            source = ["--from", environ["TIKTOK_OUTBOX"]] if command == "outbox move" else []
            result = run(*arguments, *source, **{**environ, "TIKTOK_OUTBOX": shared})
    else:
        result = run(*arguments, answer="y\n", **environ)  # `erase` asks
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("command", [c for c in COMMANDS if c.split()[0] in RUN_ON])
def test_options_of_a_command_that_runs_on_exist(command: str) -> None:
    name, *arguments = shlex.split(command)
    found: Command = main.commands[name]
    assert not isinstance(found, Group)
    context: Context = found.make_context(name, arguments)
    assert context.command is found
