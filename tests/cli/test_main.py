"""The command says what the configuration means, and in one line what is wrong with it."""

from __future__ import annotations

import json
import socket
import sys
from collections.abc import Iterator

import click
import pytest
from click.testing import CliRunner, Result

from tiktok_middleware import __version__
from tiktok_middleware.cli import main as cli
from tiktok_middleware.core.consent.platforms.registry import READERS

PIXEL = "C0000000000000000001"
TOKEN = "5f4dcc3b5aa765d61d8327deb882cf99"


def run(*arguments: str, answer: str = "", **environ: str) -> Result:
    cleared = dict.fromkeys((name for name in _names() if name not in environ), None)
    return CliRunner().invoke(cli.main, list(arguments), input=answer, env={**cleared, **environ, "COLUMNS": "120"})


def _names() -> Iterator[str]:
    from tiktok_middleware.config import Config

    return (f"TIKTOK_{name.upper()}" for name in Config.__dataclass_fields__)


def report(**environ: str) -> dict[str, str]:
    result = run("check", "--json", **environ)
    assert result.exit_code == 0, result.output
    found: dict[str, str] = json.loads(result.stdout)
    return found


def test_help_names_the_commands() -> None:
    for flag in ("--help", "-h"):
        result = run(flag)
        assert result.exit_code == 0
        assert all(command in result.output for command in ("demo", "sandbox", "check"))
    for command in cli.main.commands:
        result = run(command, "--help")
        assert result.exit_code == 0
        assert result.output.startswith("Usage: ")
        assert "Example: " in result.output or command == "outbox"


def every_command(path: str, command: click.Command) -> Iterator[str]:
    """Yield the words of every command and group, without the program's name."""
    yield path
    if isinstance(command, click.Group):
        for name, part in command.commands.items():
            yield from every_command(f"{path} {name}".strip(), part)


@pytest.mark.parametrize("command", sorted(every_command("", cli.main)))
def test_help_of_every_command_has_an_example_of_it(command: str) -> None:
    result = run(*command.split(), "--help")
    assert result.exit_code == 0
    shown = " ".join(result.output.split())
    assert f"tiktok-middleware {command}".strip() in shown[shown.index("Example: ") :]


def test_the_version_is_the_packages() -> None:
    assert run("--version").output.strip() == f"tiktok-middleware, version {__version__}"


def test_check_reads_the_environment() -> None:
    found = report(TIKTOK_PIXEL_ID=PIXEL, TIKTOK_ACCESS_TOKEN=TOKEN, TIKTOK_OUTBOX="memory://", TIKTOK_GPC="limit")
    assert found["pixels"] == PIXEL
    assert found["access token"] == "5f... (32 characters)"
    assert found["signing key"].startswith("the framework's secret; without one, derived from the access token")
    assert found["environment"] == "production"
    assert found["browser channel"] == "on"
    assert found["server channel"] == "on"
    assert found["consent"] == "implied"
    assert found["global privacy control"] == "limit"
    assert found["outbox"] == "memory://"
    assert found["Events API"] == "https://business-api.tiktok.com/open_api/v1.3"


def test_check_says_why_a_channel_is_closed() -> None:
    found = report(TIKTOK_PIXEL_ID=PIXEL)
    assert found["access token"] == "none: browser channel only"
    assert found["server channel"] == "no_token"
    found = report(TIKTOK_PIXEL_ID=PIXEL, TIKTOK_ACCESS_TOKEN=TOKEN, TIKTOK_ENVIRONMENT="development")
    assert (found["browser channel"], found["server channel"]) == ("not_production", "not_production")


@pytest.mark.parametrize(
    "environ", [{}, {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_ACCESS_TOKEN": TOKEN, "TIKTOK_ENABLED": "no"}]
)
def test_check_says_when_everything_is_off(environ: dict[str, str]) -> None:
    found = report(**environ)
    assert (found["browser channel"], found["server channel"]) == ("off", "off")
    assert (found["outbox"], found["outbox file"]) == ("none", "none")
    if not environ:
        assert found["pixels"] == "none: everything passes through"


def test_check_prints_a_table_for_people() -> None:
    result = run("check", TIKTOK_PIXEL_ID=PIXEL, TIKTOK_ACCESS_TOKEN=TOKEN)
    assert result.exit_code == 0
    assert ["pixels", PIXEL] in [line.split() for line in result.output.splitlines()]
    assert TOKEN not in result.output


@pytest.mark.parametrize(
    ("arguments", "environ", "last_line"),
    [
        ((), {}, "No fault found. The middleware is off: responses pass untouched."),
        (
            ("--strict",),
            {},
            (
                "Error: no pixel: set TIKTOK_PIXEL_ID, else responses pass untouched; consent was never decided: set"
                " TIKTOK_CONSENT (implied keeps today's behaviour)"
            ),
        ),
        (
            ("--strict",),
            {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_ENABLED": "false"},
            "No fault found. The middleware is off: responses pass untouched.",
        ),
        (
            ("--strict",),
            {"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_CONSENT": "required"},
            'No fault found, also by --strict. See the row "unusual".',
        ),
        (
            (),
            {"TIKTOK_PIXEL_ID": PIXEL},
            (
                "No fault found. --strict also fails where pixel or consent are not set, or a variable is misspelt."
                ' See the row "unusual".'
            ),
        ),
        (
            ("--strict",),
            {"TIKTOK_PIXEL_ID": PIXEL},
            "Error: consent was never decided: set TIKTOK_CONSENT (implied keeps today's behaviour)",
        ),
    ],
)
def test_check_ends_with_its_verdict(arguments: tuple[str, ...], environ: dict[str, str], last_line: str) -> None:
    assert run("check", *arguments, **environ).output.splitlines()[-1] == last_line


def test_a_table_shows_values_as_they_are() -> None:
    result = run("check", TIKTOK_PIXEL_ID=PIXEL, TIKTOK_OUTBOX="sqlite:///[bold]/x.db")
    assert "sqlite:///[bold]/x.db" in result.output


@pytest.mark.parametrize("arguments", [("check",), ("check", "--json")])
def test_a_malformed_variable_is_one_clear_line(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, TIKTOK_PIXEL_ID=PIXEL, TIKTOK_CONSENT="Maybe")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert result.stderr.count("\n") == 1
    assert result.stderr.startswith(
        "Error: TIKTOK_CONSENT is 'Maybe'; allowed: implied, required, cookie:NAME=VALUE,"
        " import:package.module:function; or one of onetrust[:ID,ID], cookiebot,"
    )


@pytest.mark.parametrize(
    "word", ["oneTrust", "OneTrust", "one-trust", "One Trust", "onetrst", "YES", "Implied", "cookie bot"]
)
def test_unknown_consent_platform_lists_all_that_are_known(word: str) -> None:
    result = run("check", TIKTOK_PIXEL_ID=PIXEL, TIKTOK_CONSENT=word)
    assert result.exit_code == 1
    for platform in READERS.values():
        assert platform.usage in result.stderr
    if "trust" in word.lower():
        assert "or onetrust[:ID,ID] (the nearest name)" in result.stderr


def test_a_malformed_secret_is_not_printed() -> None:
    result = run("check", TIKTOK_PIXEL_ID=PIXEL, TIKTOK_ACCESS_TOKEN=f"{TOKEN} {TOKEN}")
    assert result.exit_code == 1
    assert TOKEN[2:] not in result.output
    assert result.output.startswith("Error: TIKTOK_ACCESS_TOKEN is '5f... (65 characters)'; allowed: ")


@pytest.mark.parametrize("command", ["demo", "sandbox"])
def test_a_port_that_is_taken_is_said_before_anything_starts(command: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        result = run(command, "--port", str(port))
    assert result.exit_code == 1
    assert result.output.startswith(f"Error: cannot listen on 127.0.0.1:{port} (")
    assert result.output.rstrip().endswith("choose another with --port or PORT")


@pytest.mark.parametrize("port", ["0", "70000", "http"])
def test_a_port_that_is_none_is_refused(port: str) -> None:
    result = run("demo", "--port", port)
    assert result.exit_code == 2
    assert "--port" in result.output


def test_what_is_not_installed_is_named_with_its_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    for command in ("demo", "sandbox"):
        result = run(command)
        assert result.exit_code == 1
        assert result.output == 'Error: uvicorn is missing: pip install "tiktok-middleware[demo]"\n'


def test_an_unknown_command_is_refused() -> None:
    assert run("chekc").exit_code == 2
