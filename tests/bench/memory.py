"""How much memory this process holds, as the system sees it."""

from __future__ import annotations

import resource
import sys
from pathlib import Path

__all__ = ["PeakMemory", "resident_mb"]

_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


def resident_mb() -> float:
    """What is resident now, in MB; the largest so far where the system does not tell."""
    return _field("VmRSS") if _STATUS.exists() else _largest_mb()


class PeakMemory:
    """Watches from its making on."""

    def __init__(self) -> None:
        if _CLEAR.exists():
            _CLEAR.write_text("5")  # proc_pid_clear_refs(5): the high-water mark begins anew
        self._before_mb = resident_mb()

    def growth_mb(self) -> float:
        """How far the process has grown at most, in MB."""
        return (_field("VmHWM") if _STATUS.exists() else _largest_mb()) - self._before_mb


def _field(name: str) -> float:
    line = next(line for line in _STATUS.read_text().splitlines() if line.startswith(name + ":"))
    return int(line.split()[1]) / 1024


def _largest_mb() -> float:
    largest = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return largest / (1024 * 1024 if sys.platform == "darwin" else 1024)
