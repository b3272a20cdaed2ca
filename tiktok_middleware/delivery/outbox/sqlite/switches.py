"""Operator's switches of an outbox file: a small file beside it, which each process checks every half second."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import msgspec

from tiktok_middleware.delivery.outbox.base import RUNNING, Switches

__all__ = ["SwitchFile", "read_switches", "set_switches", "switch_path"]

_LOOK_EVERY_S = 0.5


def switch_path(path: Path) -> Path:
    """Return the path of the file with an outbox file's switches."""
    return Path(f"{path}.switches")


def set_switches(path: Path, switches: Switches) -> None:
    """Write the switches of an outbox file; remove the switch file if nothing is stopped.

    Raises:
        OSError: the file cannot be written.
    """
    file = switch_path(path)
    if switches == RUNNING:
        file.unlink(missing_ok=True)
        return
    file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Path(f"{file}.{os.getpid()}")
    made.write_bytes(msgspec.json.encode(switches))
    made.replace(file)


def read_switches(path: Path) -> Switches:
    """Return the current switches of an outbox file; `RUNNING` if they cannot be read."""
    try:
        return msgspec.json.decode(switch_path(path).read_bytes(), type=Switches)
    except (OSError, msgspec.DecodeError):
        return RUNNING


class SwitchFile:
    """Cached switches of an outbox file: checks the file system once in half a second.

    Args:
        path: path of the outbox file.
        monotonic: returns seconds of a clock that is never set back.
    """

    def __init__(self, path: Path, monotonic: Callable[[], float]) -> None:
        self._path = os.fspath(switch_path(path.absolute()))
        self._monotonic = monotonic
        self._look_at = 0.0
        self._version: tuple[int, int] | None = None
        self._switches = RUNNING

    def read(self) -> Switches:
        """Return the switches, at most half a second old."""
        now = self._monotonic()
        if now >= self._look_at or self._look_at > now + _LOOK_EVERY_S:
            self._look_at = now + _LOOK_EVERY_S
            self._look()
        return self._switches

    def _look(self) -> None:
        try:
            found = os.stat(self._path)  # noqa: PTH116 - half the time of Path.stat, within requests
        except OSError:
            self._version, self._switches = None, RUNNING
            return
        version = found.st_ino, found.st_mtime_ns
        if version != self._version:
            with contextlib.suppress(OSError, msgspec.DecodeError):
                self._switches = msgspec.json.decode(Path(self._path).read_bytes(), type=Switches)
                self._version = version
