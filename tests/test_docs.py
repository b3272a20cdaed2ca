"""The documentation is true: its code compiles and imports, its commands, variables and links exist."""

from __future__ import annotations

import ast
import asyncio
import dataclasses
import importlib.util
import re
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from click.testing import CliRunner

from tiktok_middleware.cli.main import main
from tiktok_middleware.config import PREFIX, Config
from tiktok_middleware.core.consent.platforms.registry import BROWSER_ONLY, READERS, reader_for
from tiktok_middleware.core.consent.state import State

ROOT = Path(__file__).parents[1]
PAGES = sorted([*(ROOT / "docs").rglob("*.md"), ROOT / "README.md"])
NAMES = [page.relative_to(ROOT).as_posix() for page in PAGES]


def blocks(page: str, language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```", (ROOT / page).read_text("utf-8"), re.DOTALL | re.MULTILINE)
    return [textwrap.dedent(block) for block in found]


def texts() -> Iterator[tuple[str, str]]:
    return ((name, (ROOT / name).read_text("utf-8")) for name in NAMES)


@pytest.mark.parametrize("page", NAMES)
def test_python_blocks_compile_and_our_imports_work(page: str) -> None:
    for block in blocks(page, "python"):
        tree = ast.parse(block)
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("tiktok_middleware"):
                module = importlib.import_module(node.module or "")
                for alias in node.names:
                    assert hasattr(module, alias.name), f"{page}: {node.module} has no {alias.name}"


#: Modules that people may import; everything else is private. Celery finds its task by the name of the module.
PUBLIC = re.compile(
    r"tiktok_middleware(\.(asgi|wsgi|client|config|errors|reasons|sinks|testing|contrib\.\w+|delivery\.(metrics|celery)))?"
)


def test_docs_and_examples_import_public_modules_only() -> None:
    files = [*NAMES, *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "examples").rglob("*.py")))]
    imports = re.compile(r"^\s*(?:from|import) (tiktok_middleware[\w.]*)", re.MULTILINE)
    found = [(file, module) for file in files for module in imports.findall((ROOT / file).read_text("utf-8"))]
    assert len(found) > 30
    assert [(file, module) for file, module in found if not PUBLIC.fullmatch(module)] == []


@pytest.mark.parametrize("page", NAMES)
def test_links_to_other_pages_lead_somewhere(page: str) -> None:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", (ROOT / page).read_text("utf-8")):
        assert ((ROOT / page).parent / target).exists(), f"{page} links to {target}"


def test_commands_exist() -> None:
    found = {words for _, text in texts() for words in re.findall(r"tiktok-middleware ([a-z]+)(?: ([a-z]+))?", text)}
    assert len(found) > 8
    for command, subcommand in found:
        if command in main.commands:
            path = [command]
            if subcommand and hasattr(main.commands[command], "commands"):
                path.append(subcommand)
            assert CliRunner().invoke(main, [*path, "--help"]).exit_code == 0, path
        else:
            assert command in {"and", "from", "is", "of", "in", "on"}, f"tiktok-middleware {command} is no command"


def test_variables_are_options_and_every_option_is_documented() -> None:
    options = {PREFIX + option.name.upper() for option in dataclasses.fields(Config)}
    named = {name for _, text in texts() for name in re.findall(r"\bTIKTOK_[A-Z_]*[A-Z]\b", text)}
    assert named - options == set()
    assert options - named == set()


WRAPPED = [
    "any",
    "blacksheep",
    "bottle",
    "falcon",
    "fastapi",
    "flask",
    "litestar",
    "pyramid",
    "quart",
    "sanic",
    "starlette",
]


@pytest.mark.parametrize("name", WRAPPED)
def test_program_of_each_framework_page_runs_and_its_page_carries_pixel_and_event(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("TIKTOK_PIXEL_ID", "C5ABCDEFGHIJKLMNOPQR")
    monkeypatch.setenv("TIKTOK_OUTBOX", "memory://")
    monkeypatch.setenv("TIKTOK_CONSENT", "implied")
    if name == "blacksheep":  # its default router serves one app of a process, and other tests may have made one
        monkeypatch.setattr("blacksheep.server.routing._apps_by_router_id", {})
    program = tmp_path / f"docs_{name}.py"  # frameworks read their views' source
    program.write_text("\n".join(blocks(f"docs/frameworks/{name}.md", "python")))
    spec = importlib.util.spec_from_file_location(program.stem, program)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    monkeypatch.setitem(sys.modules, program.stem, module)
    spec.loader.exec_module(module)
    app = module.app
    headers = {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "User-Agent": "Mozilla/5.0 Chrome/142.0"}
    if name in {"bottle", "falcon", "flask", "pyramid"}:
        with httpx.Client(transport=httpx.WSGITransport(app), base_url="http://shop.example") as client:
            text = client.get("/thanks", headers=headers).text
    else:
        text = asyncio.run(over_asgi(app, headers))
    assert "C5ABCDEFGHIJKLMNOPQR" in text
    assert '"Purchase"' in text


async def over_asgi(app: Any, headers: dict[str, str]) -> str:
    """The page, with the app's lifespan around it as a server gives it."""
    queue: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
    started = asyncio.Event()
    ended = asyncio.Event()

    async def send(message: dict[str, Any]) -> None:
        (started if "startup" in message["type"] else ended).set()

    async def lifespan() -> None:
        try:
            await app({"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}, queue.get, send)
        finally:
            started.set()
            ended.set()

    task = asyncio.create_task(lifespan())
    await queue.put({"type": "lifespan.startup"})
    await asyncio.wait_for(started.wait(), 20)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://shop.example") as client:
        text = (await client.get("/thanks", headers=headers)).text
    await queue.put({"type": "lifespan.shutdown"})
    await asyncio.wait_for(ended.wait(), 20)
    await asyncio.gather(task, return_exceptions=True)
    return text


def test_every_consent_platform_has_its_value_and_every_value_is_accepted() -> None:
    pattern = re.compile(r"TIKTOK_CONSENT=([a-z_0-9]+(?::[^\s`\")]+)?)")
    values = {value for _, text in texts() for value in pattern.findall(text)}
    for value in values - {"implied", "required"}:
        if not value.startswith(("bridge", "cookie:", "import:")):
            reader_for(value, implied=State.UNKNOWN)
        Config(consent=value)
    page = (ROOT / "docs/how-to/consent-platforms.md").read_text("utf-8")
    shown = set(re.findall(r"TIKTOK_CONSENT=((?:bridge:)?[a-z_0-9]+)", page))
    assert {*READERS, *(f"bridge:{name}" for name in BROWSER_ONLY)} - shown == set()


def test_files_of_the_change_table_exist() -> None:
    text = (ROOT / "docs" / "where-to-change.md").read_text("utf-8")
    files = re.findall(r"\| `([^`]+)`", text)
    assert len(files) == 30
    for file in files:
        assert (ROOT / "tiktok_middleware" / file).exists(), file
