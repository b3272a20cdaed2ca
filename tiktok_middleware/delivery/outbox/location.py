"""Location of a configuration's outbox, risks of that location, and the operator's switches."""

from __future__ import annotations

import logging
import os
import re
from datetime import datetime, timezone
from pathlib import Path

from tiktok_middleware._printable import own_logger
from tiktok_middleware.config import Config
from tiktok_middleware.delivery.outbox.base import RUNNING
from tiktok_middleware.delivery.outbox.mounts import mountinfo, risk_of
from tiktok_middleware.delivery.outbox.sqlite.switches import read_switches

__all__ = ["outbox_path", "outbox_risk", "outbox_stopped", "outbox_url"]

log: logging.Logger = own_logger("tiktok_middleware")


def outbox_url(config: Config) -> str:
    """Return the outbox's URL; replace ``sqlite:`` by a file for these pixels in the user's state directory."""
    if config.outbox != "sqlite:":
        return config.outbox
    # XDG Base Directory Specification: the directory for state that should persist but needs no backup.
    try:
        base = os.environ.get("XDG_STATE_HOME") or os.environ.get("LOCALAPPDATA") or Path.home() / ".local" / "state"
    except RuntimeError:
        log.warning("this user has no home directory: set TIKTOK_OUTBOX; until then events wait in memory")
        return "memory://"
    name = re.sub(r"[^A-Za-z0-9,_-]", "_", config.pixel_id)[:100]
    return f"sqlite:///{Path(base) / 'tiktok-middleware' / name}.sqlite3"


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
    switches = read_switches(path) if path is not None else RUNNING
    if switches.off_at:
        return f"everything is OFF since {_date(switches.off_at)}: `tiktok-middleware outbox on` undoes it"
    if switches.paused_at:
        return f"sending is PAUSED since {_date(switches.paused_at)}: `tiktok-middleware outbox resume` undoes it"
    return ""


def _date(at: float) -> str:
    return datetime.fromtimestamp(at, timezone.utc).isoformat(timespec="seconds")
