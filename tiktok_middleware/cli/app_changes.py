"""Change the source of an app so that it uses the middleware: one rule for each framework."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["APP_CHANGES", "AppChange"]

_CONTRIB = "tiktok_middleware.contrib"


class AppChange(NamedTuple):
    """The change for one framework.

    Attributes:
        framework: name of the framework.
        applies: pattern that matches a file that creates the app.
        change: return the file's text with the middleware, or the same text if it finds no app.
    """

    framework: str
    applies: re.Pattern[str]
    change: Callable[[str], str]


def _with_import(text: str, line: str) -> str:
    """Return the text with an import added after its last top-level import; relative imports stay below it."""
    last = 0
    for match in re.finditer(r"^(?:from \w[\w.]* import (?:\([^)]*\)|[^\n]*)|import [^\n]*)\n", text, re.MULTILINE):
        last = match.end()
    if last == 0:
        docstring = re.match(r'(?:#![^\n]*\n)?(?:"""(?:.|\n)*?"""\n)?', text)
        last = docstring.end() if docstring else 0
    return f"{text[:last]}{line}\n{text[last:]}"


def _after_call(call: str, module: str, name: str, line: str) -> Callable[[str], str]:
    """Return a change that adds ``line`` after the statement that creates the app; ``{app}`` is the app's name."""

    def change(text: str) -> str:
        match = re.search(
            rf"^(?P<indent>[ \t]*)(?P<app>\w+)(?::\s*[\w.]+)?\s*=\s*(?:\w+\.)?{call}\(", text, re.MULTILINE
        )
        if match is None:
            return text
        end = _end_of_call(text, match.end() - 1)
        added = f"\n{match['indent']}{line.format(app=match['app'])}"
        return _with_import(text[:end] + added + text[end:], f"from {module} import {name}")

    return change


def _wrapped_at_end(call: str, module: str) -> Callable[[str], str]:
    """Return a change that wraps the app after all routes: at the end of the file, or where its factory returns it."""

    def change(text: str) -> str:
        match = re.search(
            rf"^(?P<indent>[ \t]*)(?P<app>\w+)(?::\s*[\w.]+)?\s*=\s*(?:\w+\.)*{call}\(", text, re.MULTILINE
        )
        if match is None:
            return text
        if match["indent"]:
            returned = re.compile(rf"^({match['indent']}return )({match['app']})[ \t]*$", re.MULTILINE)
            found = returned.search(text, match.end())
            if found is None:
                return text
            wrapped = f"{text[: found.start()]}{found[1]}TikTokMiddleware({found[2]}){text[found.end() :]}"
            return _with_import(wrapped, f"from {module} import TikTokMiddleware")
        guard = re.search(r"^if __name__ ==", text, re.MULTILINE)
        at = guard.start() if guard else len(text)
        before = text[:at].rstrip("\n")
        line = f"{match['app']} = TikTokMiddleware({match['app']})\n"
        rest = f"\n\n{text[at:]}" if guard else ""
        return _with_import(f"{before}\n\n{line}{rest}", f"from {module} import TikTokMiddleware")

    return change


def _end_of_call(text: str, opening: int) -> int:
    """Return the offset after the bracket that closes the one at ``opening``; brackets in strings are skipped."""
    depth, quote, at = 0, "", opening
    while at < len(text):
        char = text[at]
        if quote:
            if char == "\\":
                at += 1
            elif char == quote:
                quote = ""
        elif char in "\"'":
            quote = char
        elif char in "([{":
            depth += 1
        elif char in ")]}":
            depth -= 1
            if depth == 0:
                return at + 1
        at += 1
    return len(text)


def _first_middleware(text: str) -> str:
    return re.sub(
        r"^(MIDDLEWARE\s*(?::[^=\n]+)?=\s*[\[(])(\s*)",
        lambda match: (
            f'{match[1]}{match[2] or ""}"tiktok_middleware.contrib.django.TikTokMiddleware",{match[2] or " "}'
        ),
        text,
        count=1,
        flags=re.MULTILINE,
    )


def _plugin(text: str) -> str:
    match = re.search(r"\bLitestar\(", text)
    if match is None:
        return text
    end = _end_of_call(text, match.end() - 1)
    call = text[match.end() : end - 1]
    if re.search(r"\bplugins\s*=\s*\[", call):
        changed = re.sub(r"(\bplugins\s*=\s*\[)", r"\1TikTokPlugin(), ", call, count=1).replace("(), ]", "()]")
    else:
        line_end = re.search(r"\n([ \t]+)[^\n]*\n[ \t]*$", call)  # each argument has a line of its own
        before = f",\n{line_end[1]}" if line_end else ", "
        after = f",{call[len(call.rstrip()) :]}" if line_end else ""
        changed = f"{call.rstrip().rstrip(',')}{before}plugins=[TikTokPlugin()]{after}"
    changed_text = f"{text[: match.end()]}{changed}{text[end - 1 :]}"
    return _with_import(changed_text, "from tiktok_middleware.contrib.litestar import TikTokPlugin")


def _pyramid(text: str) -> str:
    match = re.search(r"\b(\w+)\.make_wsgi_app\(\)", text)
    if match is None:
        return text
    line_start = text.rfind("\n", 0, match.start()) + 1
    indent = re.match(r"[ \t]*", text[line_start:])
    include = f'{indent[0] if indent else ""}{match[1]}.include("{_CONTRIB}.pyramid")\n'
    changed = f"{text[: match.start()]}TikTokMiddleware({match[0]}){text[match.end() :]}"
    changed = changed[:line_start] + include + changed[line_start:]
    return _with_import(changed, f"from {_CONTRIB}.pyramid import TikTokMiddleware")


def _made_by(call: str) -> re.Pattern[str]:
    return re.compile(rf"^[ \t]*\w+(?::\s*[\w.]+)?\s*=\s*{call}\(", re.MULTILINE)


_ADD = "{app}.add_middleware(TikTokMiddleware)"
_EXTENSION = "TikTok({app})"
APP_CHANGES: tuple[AppChange, ...] = (
    AppChange("Django", re.compile(r"^MIDDLEWARE\s*(:[^=\n]+)?=\s*[\[(]", re.MULTILINE), _first_middleware),
    AppChange(
        "FastAPI",
        _made_by(r"(?:fastapi\.)?FastAPI"),
        _after_call("FastAPI", f"{_CONTRIB}.fastapi", "TikTokMiddleware", _ADD),
    ),
    AppChange("Quart", _made_by(r"(?:quart\.)?Quart"), _after_call("Quart", f"{_CONTRIB}.quart", "TikTok", _EXTENSION)),
    AppChange("Flask", _made_by(r"(?:flask\.)?Flask"), _after_call("Flask", f"{_CONTRIB}.flask", "TikTok", _EXTENSION)),
    AppChange("Litestar", re.compile(r"\bLitestar\("), _plugin),
    AppChange(
        "Starlette",
        _made_by(r"(?:\w+\.)?Starlette"),
        _after_call("Starlette", f"{_CONTRIB}.starlette", "TikTokMiddleware", _ADD),
    ),
    AppChange(
        "BlackSheep",
        re.compile(r"^from blacksheep\b(?:.|\n)*^\w+\s*=\s*Application\(", re.MULTILINE),
        _wrapped_at_end("Application", f"{_CONTRIB}.blacksheep"),
    ),
    AppChange("Sanic", _made_by(r"(?:sanic\.)?Sanic"), _wrapped_at_end("Sanic", f"{_CONTRIB}.sanic")),
    AppChange("Falcon", _made_by(r"falcon\.(?:asgi\.)?App"), _wrapped_at_end("App", f"{_CONTRIB}.falcon")),
    AppChange(
        "Bottle",
        _made_by(r"(?:bottle\.)?(?:Bottle|default_app)"),
        _wrapped_at_end("(?:Bottle|default_app)", f"{_CONTRIB}.bottle"),
    ),
    AppChange("Pyramid", re.compile(r"\.make_wsgi_app\(\)"), _pyramid),
)
