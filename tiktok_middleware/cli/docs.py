"""``tiktok-middleware docs``: list or print the documentation pages of the installed version."""

from __future__ import annotations

import sys
from importlib import resources
from pathlib import Path
from typing import Any

import click

__all__ = ["docs", "pages"]


def pages() -> dict[str, str]:
    """Return the Markdown text of each page, keyed by its name, such as ``delivery``."""
    found = {name: page.read_text("utf-8") for name, page in sorted(_files(_folder()).items())}
    found.pop("index", None)  # it holds the table of contents of the site alone; `docs` lists the pages
    return found


@click.command(epilog="Example: tiktok-middleware docs lists the pages; tiktok-middleware docs delivery prints one.")
@click.argument("page", required=False)
def docs(page: str | None) -> None:
    """List the pages of the documentation, or print PAGE as Markdown.

    The last part of a page's name is enough, such as ``flask`` for ``frameworks/flask``.
    """
    found = pages()
    if page is None:
        width = max(map(len, found))
        for name, text in found.items():
            click.echo(f"{name:<{width}}  {_title(text)}")
        return
    name = page.removesuffix(".md").removeprefix("docs/")
    if name not in found:
        same_end = [full for full in found if full.rpartition("/")[2] == name]
        name = same_end[0] if len(same_end) == 1 else name
    if name not in found:
        raise click.ClickException(f"there is no page {page!r}; the pages are: {', '.join(found)}")
    if sys.stdout.isatty():
        click.echo_via_pager(found[name])
    else:
        click.echo(found[name], nl=False)


def _folder() -> Any:
    """Return the folder of the pages: inside an installed package; in a checkout, the ``docs`` folder beside it."""
    installed = resources.files("tiktok_middleware").joinpath("_docs")
    return installed if installed.is_dir() else Path(__file__).parents[2] / "docs"


def _files(folder: Any, prefix: str = "") -> dict[str, Any]:
    found: dict[str, Any] = {}
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.name.startswith(("_", ".")):
            found |= _files(entry, f"{prefix}{entry.name}/")
        elif entry.name.endswith(".md"):
            found[prefix + entry.name.removesuffix(".md")] = entry
    return found


def _title(text: str) -> str:
    return next((line.lstrip("# ") for line in text.splitlines() if line.startswith("# ")), "")
