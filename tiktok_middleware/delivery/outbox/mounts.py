"""Whether a path lies where an outbox loses its events, as Linux's own list of mounts says."""

from __future__ import annotations

import os
import re
from pathlib import Path

__all__ = ["mountinfo", "risk_of"]

_MOUNTINFO = Path("/proc/self/mountinfo")

_LAYER = "on the container's own layer (%s), and goes with the container: mount a volume and name a file on it"
_NETWORK = "on a network file system (%s), where SQLite's log cannot be shared: name a file on the host's own disk"

# File system types as the kernel names them (proc_pid_mountinfo(5)); FUSE ones name their program behind a dot.
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
    """What is wrong with the place, and what to do instead, in words that follow "is"; empty where nothing is.

    Args:
        path: absolute, without symbolic links.
        mounts: text of ``/proc/self/mountinfo``; empty on other systems, where nothing is said.
    """
    mount, kind = "", ""
    for line in mounts.splitlines():
        fields, _, rest = line.partition(" - ")
        words, types = fields.split(" "), rest.split(" ")
        if len(words) < 5:
            continue
        point = _plain(words[4])
        # Of two mounts over each other the later hides the earlier.
        if _is_under(path, point) and len(point) >= len(mount):
            mount, kind = point, types[0]
    if kind == "9p" and mount == "/":
        return _LAYER % kind  # gVisor's way of giving a container its root
    return _RISKS[kind] % kind if kind in _RISKS else ""


def mountinfo() -> str:
    """What `risk_of` reads; empty where the system has no such list."""
    try:
        return _MOUNTINFO.read_text("utf-8", "surrogateescape")
    except OSError:
        return ""


def _is_under(path: str, point: str) -> bool:
    return path == point or path.startswith(point.rstrip("/") + "/")


def _plain(point: str) -> str:
    r"""The mount point without the kernel's escapes, such as ``\040`` for a space."""
    if "\\" not in point:
        return point
    raw = re.sub(rb"\\([0-7]{3})", lambda found: bytes([int(found[1], 8)]), os.fsencode(point))
    return os.fsdecode(raw)
