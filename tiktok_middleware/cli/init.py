"""``tiktok-middleware init``: find the app in a project, and print the change that wraps it. No file is changed."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import click

from tiktok_middleware.cli.app_changes import APP_CHANGES
from tiktok_middleware.cli.preconditions import is_installed

__all__ = ["ProjectChanges", "find_app", "init"]

_SKIPPED = {
    "node_modules",
    "site-packages",
    "venv",
    "env",
    "build",
    "dist",
    "tests",
    "test",
    "migrations",
    "__pycache__",
}
_VARIABLES = """\
Variables of the environment; the middleware reads no .env file by itself:

TIKTOK_PIXEL_ID=...       # TikTok Events Manager > your pixel
TIKTOK_ACCESS_TOKEN=...   # your pixel > Settings > Events API > Generate access token
TIKTOK_CONSENT=required   # or implied, or your consent platform: 'tiktok-middleware docs how-to/consent'
                          # required: nothing is sent until your banner calls tiktok.grantConsent()
"""
_KEY_LINE = """\
TIKTOK_SECRET_KEY=...     # signs; one for all hosts: python -c 'import secrets; print(secrets.token_hex())'
"""
_NEXT = """
Next:

1. Apply the change (no repository is needed), and add tiktok-middleware to the app's requirements:

   tiktok-middleware init --diff | git apply

2. Track in your views; page views need no call:

   # where a product or service is shown
   {tracker}.track("ViewContent", value=24, currency="EUR", contents=[{{"content_id": "mug", "price": 24}}])
   # where the order is created, also if that view redirects; once for each order_id
   {tracker}.identify(email="ada@example.com")  # if you know the customer; hashed at once
   {tracker}.track("Purchase", value=59.90, currency="EUR", order_id="A-1001"{commit})
   # where a form is accepted; once for each key
   {tracker}.track("Lead", value=10, currency="EUR", once="lead-1001")

   More: tiktok-middleware docs {page}

3. Verify on this machine, without TikTok. In another terminal:

{demo}   tiktok-middleware sandbox --env-file sandbox.env

   Start the app with these variables, and open its pages. The sandbox prints "matched: Purchase ...".

   set -a; . ./sandbox.env; set +a

   The sandbox takes consent as given, and wants page views on both channels. In production TIKTOK_CONSENT decides, and
   page views come from the browser alone unless TIKTOK_PAGE_VIEW=matched.

4. Before you go live: tiktok-middleware check --strict; tiktok-middleware docs going-live"""
#: Frameworks whose own secret signs.
_WITH_SECRET = {"Django", "Flask", "Quart"}
#: How a view of each framework reaches the tracker, where it is not ``request.tiktok``.
_TRACKERS = {"Bottle": "bottle.request.tiktok", "Falcon": "req.context.tiktok", "Sanic": "request.ctx.tiktok"}
_MAX_FILES = 5000
_MAX_BYTES = 512 * 1024


class ProjectChanges(NamedTuple):
    """What to change in a project.

    Attributes:
        framework: name of the framework.
        path: the file to change, relative to the project.
        before: the file's text.
        after: the file's text with the middleware.
    """

    framework: str
    path: str
    before: str
    after: str

    def diff(self) -> str:
        """Return the change as a unified diff, which ``git apply`` and ``patch -p1`` take."""
        lines = difflib.unified_diff(
            self.before.splitlines(keepends=True),
            self.after.splitlines(keepends=True),
            f"a/{self.path}",
            f"b/{self.path}",
        )
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def find_app(folder: Path) -> tuple[ProjectChanges | None, str]:
    """Return the change for the app of a project, or None and the reason why there is none.

    Args:
        folder: the project's root.
    """
    wrapped = ""
    found: list[ProjectChanges] = []
    for path in _python_files(folder):
        text = path.read_text("utf-8", errors="replace")
        name = path.relative_to(folder).as_posix()
        if "tiktok_middleware" in text and re.search(r"TikTok(Middleware|Plugin)?\b", text):
            wrapped = wrapped or name
            continue
        for rule in APP_CHANGES:
            if rule.applies.search(text):
                after = rule.change(text)
                if after != text:
                    found.append(ProjectChanges(rule.framework, name, text, after))
                break
    if wrapped:
        return None, f"{wrapped} uses tiktok_middleware already"
    if not found:
        return None, "no app of a known framework was found here; the documentation page 'recipes' covers other apps"
    # The file nearest to the project's root contains the app; examples are in deeper folders.
    return min(found, key=lambda plan: (plan.path.count("/"), plan.path)), ""


@click.command(
    epilog="Example: cd shop && tiktok-middleware init. To apply the change at once: tiktok-middleware init --diff |"
    " git apply"
)
@click.option("--diff", "diff_only", is_flag=True, help="Print the diff alone.")
@click.argument("folder", default=".", type=click.Path(exists=True, file_okay=False, path_type=Path))
def init(folder: Path, diff_only: bool) -> None:
    """Find the app in FOLDER, and print the change that adds the middleware. No file is changed."""
    plan, reason = find_app(folder)
    if plan is None:
        raise click.ClickException(reason)
    if diff_only:
        click.echo(plan.diff(), nl=False)
        return
    click.echo(f"Framework: {plan.framework}\nFile: {plan.path}\n\nChange:\n\n{plan.diff()}")
    click.echo(_guide(plan.framework))


def _guide(framework: str) -> str:
    """Return the variables and the next steps for an app of this framework."""
    own_key = "" if framework in _WITH_SECRET else _KEY_LINE
    page = f"frameworks/{framework.lower()}"
    tracker = _TRACKERS.get(framework, "request.tiktok")
    commit = ", on_commit=True" if framework == "Django" else ""  # a rolled-back order is not reported
    demo = "" if is_installed("uvicorn") else '   pip install "tiktok-middleware[demo]"\n'
    return _VARIABLES + own_key + _NEXT.format(page=page, tracker=tracker, demo=demo, commit=commit)


def _python_files(folder: Path) -> Iterator[Path]:
    """Yield the project's own Python files, those near its root first, up to a limit."""
    seen, level = 0, [folder]
    while level:
        below: list[Path] = []
        for entry in sorted(entry for parent in level for entry in parent.iterdir()):
            if entry.is_symlink():
                continue
            if entry.is_dir():
                if entry.name not in _SKIPPED and not entry.name.startswith("."):
                    below.append(entry)
            elif entry.suffix == ".py" and entry.stat().st_size <= _MAX_BYTES:
                seen += 1
                if seen > _MAX_FILES:
                    return
                yield entry
        level = below
