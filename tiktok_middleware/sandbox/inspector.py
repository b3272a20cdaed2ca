"""Serve the inspector page; its script reads ``/sandbox/events``."""

from __future__ import annotations

import base64
import functools
import hashlib
import html
from importlib import resources

from starlette.requests import Request
from starlette.responses import Response

from tiktok_middleware.sandbox.settings import API_MODES, PIXEL_MODES

__all__ = ["page"]

_SCRIPTS = ("text.js", "row.js", "switches.js", "page.js")


async def page(_: Request) -> Response:
    """Return the page with its style, script and switches inline, so that it loads no other file."""
    content, policy = _page()
    headers = {
        "content-security-policy": policy,
        "cache-control": "no-store",
        "referrer-policy": "no-referrer",
        "x-content-type-options": "nosniff",
    }
    return Response(content, 200, headers, "text/html")


@functools.cache
def _page() -> tuple[str, str]:
    style = _read("page.css")
    script = "'use strict';\n(() => {\n" + "\n".join(map(_read, _SCRIPTS)) + "\n})();\n"
    parts = {
        "style": style,
        "script": script,
        "pixel_modes": _options(PIXEL_MODES),
        "api_modes": _options(API_MODES),
    }
    content = _read("page.html")
    for name, part in parts.items():
        content = content.replace("{{" + name + "}}", part)
    policy = (
        f"default-src 'none'; script-src {_source(script)}; style-src {_source(style)}; "
        "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
    return content, policy


def _read(name: str) -> str:
    folder = resources.files("tiktok_middleware.sandbox").joinpath("static").joinpath("inspector")
    return folder.joinpath(name).read_text("utf-8")


def _options(modes: dict[str, str]) -> str:
    return "".join(
        f'<option data-words="{html.escape(words)}">{html.escape(mode)}</option>' for mode, words in modes.items()
    )


def _source(inline: str) -> str:
    digest = hashlib.sha256(inline.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
