"""What the tests of scripts for pages share: one configuration's scripts, taken apart and run in a small browser."""

from __future__ import annotations

import atexit
import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

from tests.core.core_world import BROWSER, PIXEL
from tiktok_middleware._wiring import MORE_FILES
from tiktok_middleware.core.pixel.snippet import BrowserCopy, Snippet

__all__ = ["CONTACT", "ONE", "PURCHASE", "URL", "argument", "names", "run", "scripts", "snippet"]

URL = "https://analytics.tiktok.com/i18n/pixel/events.js"
PURCHASE: BrowserCopy = ("Purchase", {"value": 59.9, "currency": "EUR", "contents": [{"content_id": "SKU-1"}]}, "id-1")
CONTACT: BrowserCopy = ("Contact", {}, "id-2")


def snippet(helper_js: str | None = None, base: tuple[str, str] | None = None, **more: Any) -> Snippet:
    """The scripts of a configuration; ``base`` is its page script and the script of a refused page."""
    given = {"pixels": [PIXEL], "pixel_url": URL, "options": {}, "endpoint": "/_tiktok", **more}
    pixel_js, stub_js = base or ((BROWSER / "pixel.js").read_text("utf-8"), (BROWSER / "stub.js").read_text("utf-8"))
    return Snippet(
        pixel_js=pixel_js,
        stub_js=stub_js,
        helper_js=(BROWSER / "helper.js").read_text("utf-8") if helper_js is None else helper_js,
        more_js={name: (BROWSER / f"{name}.js").read_text("utf-8") for name in MORE_FILES},
        **given,
    )


ONE = snippet()


def scripts(html: bytes) -> list[tuple[str, str]]:
    """Attributes and text of each script element, and nothing else may be there."""
    text = html.decode("ascii")
    found = re.findall(r"<script([^>]*)>(.*?)</script>", text, re.DOTALL)
    assert "".join(f"<script{attributes}>{body}</script>" for attributes, body in found) == text
    return found


def argument(html: bytes) -> Any:
    """What the base code is called with."""
    body = scripts(html)[0][1]
    return json.loads(body[body.rindex(_BEFORE) + len(_BEFORE) : body.rindex(");")])


def page(**config: Any) -> bytes:
    """The script of a page whose base code is called with this beside what every page has."""
    body = scripts(ONE.page("", page=False))[0][1]
    code = body[: body.rindex(_BEFORE) + len(_BEFORE)]
    return f"<script>{code}{json.dumps({**argument(ONE.page('', page=False)), **config})});</script>".encode()


_BEFORE = "window,document,"


@cache
def _browser() -> subprocess.Popen[str]:
    """One process for all tests of a worker; it ends when its standard input does."""
    node = shutil.which("node")
    assert node is not None, "node is needed to run the browser's scripts: apt-get install nodejs"
    program = str(Path(__file__).with_name("browser.js"))
    started = subprocess.Popen([node, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    atexit.register(started.communicate)
    return started


def run(
    *html: bytes, helper: bool = False, made: Snippet = ONE, steps: Sequence[tuple[str, Any]] = (), **plan: Any
) -> dict[str, Any]:
    """What a browser did with these pages' scripts, one after the other in one document, and then step by step."""
    texts = [body for one in html for _, body in scripts(one) if body]
    if helper:
        texts.append(made.helper.decode("ascii"))
    more = {name: text.decode("ascii") for name, text in made.files.items()}
    plan = {"scripts": texts, "more": more, "session": {}, "cookies": {}, "steps": steps, **plan}
    browser = _browser()
    assert browser.stdin is not None
    assert browser.stdout is not None
    print(json.dumps(plan), file=browser.stdin, flush=True)
    diary: dict[str, Any] = json.loads(browser.stdout.readline())
    assert diary["errors"] == [], diary["errors"]
    return diary


def names(diary: dict[str, Any]) -> list[str]:
    """Which methods of the pixel were called."""
    return [call[0] for call in diary["queue"]]
