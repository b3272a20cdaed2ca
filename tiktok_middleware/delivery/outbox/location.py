"""Location of a configuration's outbox, risks of that location, and the operator's switches."""

from __future__ import annotations

import logging
import os
import re
from datetime import datetime, timezone
from pathlib import Path

from tiktok_middleware._printable import own_logger
from tiktok_middleware.config import Config
from tiktok_middleware.delivery.outbox.base import RUNNING, Switches
from tiktok_middleware.delivery.outbox.mounts import mountinfo, risk_of
from tiktok_middleware.delivery.outbox.sqlite.switches import read_switches

__all__ = [
    "in_words",
    "is_shared",
    "outbox_path",
    "outbox_risk",
    "outbox_stopped",
    "outbox_url",
    "spool_path",
    "spool_paths",
]

log: logging.Logger = own_logger("tiktok_middleware")


def outbox_url(config: Config) -> str:
    """Return the outbox's URL; replace ``sqlite:`` by a file for these pixels in the user's state directory."""
    if config.outbox != "sqlite:":
        return config.outbox
    path = _state_path(config)
    if path is None:
        log.warning("this user has no home directory: set TIKTOK_OUTBOX; until then events wait in memory")
        return "memory://"
    return f"sqlite:///{path}"


def is_shared(url: str) -> bool:
    """Return whether an outbox is a database that several hosts share."""
    return url.startswith(("postgresql://", "django:"))


def spool_path(config: Config) -> str:
    """Return the file of this host where events wait while a shared outbox does not answer; empty without one."""
    path = _state_path(config, ".undecided") if is_shared(config.outbox) else None
    return str(path) if path else ""


def spool_paths() -> list[Path]:
    """Return the files of this host in which events of any pixel wait for a shared outbox."""
    folder = _state_folder()
    return [] if folder is None else sorted(folder.glob("*.undecided.sqlite3"))


def _state_path(config: Config, kind: str = "") -> Path | None:
    """Return a file for these pixels in the user's state directory; None for a user without a home directory."""
    folder = _state_folder()
    name = re.sub(r"[^A-Za-z0-9,_-]", "_", config.pixel_id)[:100]
    return None if folder is None else folder / f"{name}{kind}.sqlite3"


def _state_folder() -> Path | None:
    # XDG Base Directory Specification: the directory for state that should persist but needs no backup.
    try:
        base = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".local" / "state"
    except RuntimeError:
        return None
    return Path(base) / "tiktok-middleware"


def outbox_path(url: str) -> Path | None:
    """Return the file of an outbox's URL; None if it is not a file."""
    path = url.removeprefix("sqlite:///")
    return None if path in {"", url} else Path(path).absolute()


def outbox_risk(url: str, mounts: str | None = None) -> str:
    """Return the risk of the file's location and the remedy, as text to follow "is"; empty without a risk.

    Args:
        url: the outbox's URL.
        mounts: see `risk_of`; by default, the system's.
    """
    path = outbox_path(url)
    return risk_of(os.path.realpath(path), mountinfo() if mounts is None else mounts) if path else ""


def outbox_stopped(url: str) -> str:
    """Return, in one sentence, what an operator has stopped for an outbox's processes; empty if nothing."""
    path = outbox_path(url)
    return in_words(read_switches(path) if path is not None else RUNNING)


def in_words(switches: Switches) -> str:
    """Return, in one sentence, what an operator has stopped; empty if nothing."""
    if switches.off_at:
        return f"everything is OFF since {_date(switches.off_at)}: `tiktok-middleware outbox on` undoes it"
    if switches.paused_at:
        return f"sending is PAUSED since {_date(switches.paused_at)}: `tiktok-middleware outbox resume` undoes it"
    return ""


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds")
