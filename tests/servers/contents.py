"""What every app of the matrix answers, and how it waits for its client; it knows no door and no server."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from pathlib import Path

__all__ = [
    "BINARY",
    "CHUNKS",
    "ENDLESS_ROUNDS",
    "ETAG",
    "EVENTS",
    "HEADS",
    "PAGE",
    "UPLOAD_BYTES",
    "WORDS",
    "body_of",
    "closed",
    "file_of",
    "gate",
    "head_of",
    "is_open",
    "own_folder",
    "sent_by_path",
    "write_files",
]

PAGE = b"<!doctype html><html><head><title>Shop</title></head><body>" + b"<p>Hello</p>" * 2000 + b"</body></html>"
BINARY = bytes(range(256)) * 1200
#: The first ends inside the head; the place of the script is in the second.
CHUNKS = (
    b"<!doctype html><html><head><title>Stream</title>",
    b"</head><body>" + b"<p>first</p>" * 50,
    b"<p>second</p>" * 50,
    b"</body></html>",
)
WORDS = (b"data: one\n\n", b"data: two\n\n", b"data: three\n\n")
ETAG = '"v1"'
UPLOAD_BYTES = 300_000
ENDLESS_ROUNDS = 600
#: How long an app waits for the client to have seen what it sent. One that buffers makes it wait in vain.
GATE_S = 5.0

_HTML = ("Content-Type", "text/html; charset=utf-8")

#: Status and headers of each path; ``{length}`` stands for the body's.
HEADS: Mapping[str, tuple[int, tuple[tuple[str, str], ...]]] = {
    "/page": (200, (_HTML, ("Content-Length", "{length}"), ("X-App", "a"), ("X-App", "b"))),
    "/plain": (200, (_HTML,)),
    "/stream": (200, (_HTML,)),
    "/endless": (200, (_HTML,)),
    "/file": (200, (("Content-Type", "application/octet-stream"), ("Content-Length", "{length}"))),
    "/file.html": (200, (_HTML, ("Content-Length", "{length}"))),
    "/fresh": (200, (_HTML, ("ETag", ETAG), ("Content-Length", "{length}"))),
    "/sse": (200, (("Content-Type", "text/event-stream"), ("Cache-Control", "no-cache"))),
    "/redirect": (303, (("Location", "/page"), ("Content-Length", "0"))),
    "/json": (200, (("Content-Type", "application/json"), ("Content-Length", "{length}"))),
    "/broken": (500, (_HTML, ("Content-Length", "{length}"))),
    "/upload": (200, (("Content-Type", "text/plain"), ("Content-Length", "{length}"))),
}

_BODIES: Mapping[str, bytes] = {
    "/page": PAGE,
    "/plain": PAGE,
    "/fresh": PAGE,
    "/file": BINARY,
    "/file.html": PAGE,
    "/redirect": b"",
    "/json": b'{"basket":1}',
    "/broken": b"<!doctype html><title>Sorry</title><p>Something broke",
}
#: What is tracked before the answer.
EVENTS = {"/redirect": "Purchase", "/json": "AddToCart", "/broken": "Purchase", "/stream": "ViewContent"}


def head_of(path: str, length: int) -> tuple[int, list[tuple[str, str]]]:
    """Status and headers of a path, its body being so long."""
    status, headers = HEADS.get(path, (404, (("Content-Type", "text/plain"), ("Content-Length", "{length}"))))
    return status, [(name, value.format(length=length)) for name, value in headers]


def body_of(path: str) -> bytes:
    """The body of a path that has a fixed one."""
    return _BODIES.get(path, b"nothing here")


def own_folder() -> Path:
    """Where the app finds its files and its client's gates."""
    return Path(os.environ["MATRIX_FOLDER"])


def write_files(folder: Path) -> None:
    """The files that the apps serve."""
    for path in ("/file", "/file.html"):
        (folder / path[1:]).write_bytes(_BODIES[path])


def file_of(path: str) -> Path:
    return own_folder() / path[1:]


def gate(folder: Path, token: str, step: int) -> Path:
    """The file whose presence says that the client has seen that step."""
    return folder / f"gate-{token}-{step}"


def is_open(token: str, step: int, since_s: float) -> bool | None:
    """Whether the client has seen it; None while there is still time."""
    if gate(own_folder(), token, step).exists():
        return True
    return False if time.monotonic() - since_s > GATE_S else None


def sent_by_path(folder: Path, token: str) -> Path:
    """The file whose presence says that the app gave the server a path in place of the bytes."""
    return folder / f"path-{token}"


def closed(folder: Path, token: str) -> Path:
    """The file whose presence says that the app's response has been closed."""
    return folder / f"closed-{token}"
