"""Detect, from Linux's list of mounts, paths on which an outbox loses its events."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["mountinfo", "risk_of"]

_MOUNTINFO = Path("/proc/self/mountinfo")

_LAYER = "on the container's own layer (%s), and goes with the container: mount a volume and name a file on it"
_NETWORK = "on a network file system (%s), where SQLite's log cannot be shared: name a file on the host's own disk"

# File system types as the kernel names them (proc_pid_mountinfo(5)); FUSE types have the program's name after a dot.
_RISKS = {
    **dict.fromkeys(("overlay", "aufs", "fuse.fuse-overlayfs"), _LAYER),
    **dict.fromkeys(("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "gfs2", "ocfs2"), _NETWORK),
    **dict.fromkeys(
        (
            "fuse.blobfuse",
            "fuse.blobfuse2",
            "fuse.ceph-fuse",
            "fuse.gcsfuse",
            "fuse.glusterfs",
            "fuse.grpcfuse",
            "fuse.juicefs",
            "fuse.mount-s3",
            "fuse.rclone",
            "fuse.s3fs",
            "fuse.sshfs",
        ),
        _NETWORK,
    ),
}


def risk_of(path: str, mounts: str) -> str:
    """Return the risk of a path and the remedy, as text to follow "is"; empty without a risk.

    Args:
        path: absolute path without symbolic links.
        mounts: text of ``/proc/self/mountinfo``; empty on other systems, where the result is empty.
    """
    mount, kind = "", ""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        words, types = fields.split(" "), rest.split(" ")
        if len(words) < 5:
            continue
        point = _plain(words[4])
        # Of two mounts on the same path, the later one hides the earlier one.
        if _is_under(path, point) and len(point) >= len(mount):
            mount, kind = point, types[0]
    if kind == "9p" and mount == "/":
        return _LAYER % kind  # gVisor mounts a container's root like this
    return _RISKS[kind] % kind if kind in _RISKS else ""


def mountinfo(file: Path | None = None) -> str:
    """Return the text of a list of mounts, by default the system's, for `risk_of`; empty if there is none."""
    try:
        return (file or _MOUNTINFO).read_text("utf-8", "surrogateescape")
    except OSError:
        return ""


def _is_under(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _plain(point: str) -> str:
    r"""Return the mount point without the kernel's escapes, such as ``\040`` for a space."""
    if "\\" not in point:
        return point
    raw = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), os.fsencode(point))
    return os.fsdecode(raw)
