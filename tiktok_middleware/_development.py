"""Recognise the development servers of frameworks by the command line that started the process."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath

__all__ = ["development_server"]

#: Servers that also run in production: only their reload option means development.
_RELOADING = {"uvicorn": "UVICORN_RELOAD", "hypercorn": "", "gunicorn": "", "granian": "GRANIAN_RELOAD"}
#: Commands that are never a production server: program, subcommand.
_COMMANDS = {("fastapi", "dev"), ("flask", "run"), ("manage.py", "runserver"), ("django-admin", "runserver"),
             ("django", "runserver"), ("quart", "run"), ("litestar", "run")}  # fmt: skip
_TRUE = {"1", "true", "yes", "on", "t", "y"}


def development_server(argv: Sequence[str], environ: Mapping[str, str]) -> str:
    """Return the development server that runs this process, such as ``uvicorn --reload``; empty for any other.

    The Host header is never used for this, because visitors can forge it.

    Args:
        argv: ``sys.argv``; a reloader's child process has the same as its parent.
        environ: environment variables; some servers read their options there.
    """
    if not argv:
        return ""
    program, arguments = _program(argv[0]), list(argv[1:])
    if program in _RELOADING:
        if program == "gunicorn":
            arguments += environ.get("GUNICORN_CMD_ARGS", "").split()
        variable = _RELOADING[program]
        if "--reload" in arguments or (variable and environ.get(variable, "").lower() in _TRUE):
            return f"{program} --reload"
        return ""
    subcommand = next((word for word in arguments if not word.startswith("-") and (program, word) in _COMMANDS), "")
    if program == "litestar" and not ({"--reload", "-r", "--debug", "-d"} & set(arguments)):
        return ""
    return f"{program} {subcommand}" if subcommand else ""


def _program(first: str) -> str:
    """Return the command's name; for ``python -m uvicorn`` the argument is the path of ``__main__.py``."""
    path = PurePath(first)
    if path.name == "__main__.py":
        return path.parent.name
    name = path.name.removesuffix(".exe")
    return name.removesuffix("-script.py")
