"""Documentation pages that are generated from the code: ``python -m tests.generated_docs`` writes them."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import click

from tests.generated_decisions import with_decisions
from tests.generated_event_docs import events
from tiktok_middleware import config
from tiktok_middleware.cli.data_map import data_map
from tiktok_middleware.cli.main import main
from tiktok_middleware.config import PREFIX, Config
from tiktok_middleware.reasons import SCOPES, Reason

DOCS = Path(__file__).parents[1] / "docs"


def reasons() -> str:
    """The page of reason codes."""
    lines = [
        "# Reason codes",
        "",
        "Whatever the package does not do is counted under one of these codes. They stand in `event.channels`, in",
        "`client.stats()`, in metrics and in logs. A code that is not expected is logged once per process, at WARNING.",
        "",
        "A counter may have a scope before its code:",
        "",
        "| Scope | What was skipped |",
        "|---|---|",
        *(f"| `{scope}` | {skipped} |" for scope, skipped in SCOPES.items()),
        "",
        "So `browser_too_large` counts browser copies that were `too_large`.",
        "",
        "| Code | Meaning | What to do |",
        "|---|---|---|",
        *(f"| `{reason}` | {reason.meaning} | {reason.advice or 'Nothing: expected.'} |" for reason in Reason),
        "",
    ]
    return "\n".join(lines)


def options() -> str:
    """The page of options."""
    lines = [
        "# Options",
        "",
        "Every option is an environment variable. The same names, in lower case and without `TIKTOK_`, are arguments of",
        "`Config(...)`, keys of Django's `settings.TIKTOK` and keys of Flask's `app.config[\"TIKTOK\"]`. A malformed value",
        "stops the start with an error that names the variable, the value and what is allowed.",
        "",
        "| Variable | Default | Meaning |",
        "|---|---|---|",
    ]
    meanings = dict(_meanings())
    for option in dataclasses.fields(Config):
        default = str(option.default).lower() if isinstance(option.default, bool) else str(option.default)
        shown = f"`{default}`" if default else "none"
        lines.append(f"| `{PREFIX}{option.name.upper()}` | {shown} | {meanings[option.name]} |")
    return "\n".join([*lines, ""])


def _meanings() -> Iterator[tuple[str, str]]:
    """The comment above each option of Config."""
    source = inspect.getsource(config)
    lines = source.splitlines()
    (made,) = (n for n in ast.parse(source).body if isinstance(n, ast.ClassDef) and n.name == "Config")
    for node in made.body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            found: list[str] = []
            at = node.lineno - 2
            while lines[at].strip().startswith("#:"):
                found.insert(0, lines[at].strip().removeprefix("#:").strip())
                at -= 1
            yield node.target.id, " ".join(found).replace("``", "`").replace("|", "\\|")


def commands() -> str:
    """The page of commands."""
    lines = ["# Commands", "", "`tiktok-middleware COMMAND --help` prints the same.", ""]
    for path, command in _commands("tiktok-middleware", main):
        help_text = inspect.cleandoc(command.help or "").strip()
        lines += [f"## `{path}`", "", help_text, ""]
        rows = [_row(parameter) for parameter in command.params if isinstance(parameter, click.Option)]
        if rows:
            lines += ["| Option | Meaning |", "|---|---|", *rows, ""]
        if command.epilog:
            lines += [command.epilog.strip(), ""]
    return "\n".join(lines)


def _commands(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        if path != "tiktok-middleware":
            yield path, command
        for name in sorted(command.commands):
            yield from _commands(f"{path} {name}", command.commands[name])
    else:
        yield path, command


def _row(option: click.Option) -> str:
    names = ", ".join(f"`{name}`" for name in option.opts)
    return re.sub(r"\s+", " ", f"| {names} | {(option.help or '').strip()} |")


def shared_data() -> str:
    """The data map of a shop that requires consent and leaves every other option as it is."""
    shop = Config(
        pixel_id="C0123456789ABCDEFGHI",
        access_token="a-token",
        consent="required",
        outbox="sqlite:////data/tiktok.sqlite3",
    )
    intro = (
        "This is the data map of a site with a pixel, an access token and `TIKTOK_CONSENT=required`; all other options have",
        "their defaults. `tiktok-middleware check --data-map` prints the map of your own configuration, with a date.",
    )
    return data_map(shop)._replace(made="\n".join(intro)).as_markdown()


def architecture() -> str:
    """The page on the architecture, with today's table of decisions."""
    return with_decisions((DOCS / "architecture.md").read_text("utf-8"))


PAGES = {
    "architecture.md": architecture,
    "reasons.md": reasons,
    "events.md": events,
    "options.md": options,
    "commands.md": commands,
    "data-map.md": shared_data,
}


if __name__ == "__main__":
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), "utf-8")
        print(f"wrote docs/{name}")
