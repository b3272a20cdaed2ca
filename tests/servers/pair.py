"""One server with the middleware and its bare twin, each a process of its own."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.browser.servers import TOKEN, Server, free_port, plain_environment, running
from tests.servers.catalogue import Entry
from tests.servers.contents import write_files
from tests.servers.sink import Sink
from tests.servers.visitor import Visitor

__all__ = ["Pair", "running_pair"]

_TROUBLE = re.compile(r"error|exception|traceback|critical|fatal|warning|tiktok|never awaited", re.IGNORECASE)


@dataclass(frozen=True)
class Pair:
    """The two, each with its visitor.

    Attributes:
        folder: where the apps' files, gates and outbox are.
        sink: takes the server events.
    """

    entry: Entry
    bare: Visitor
    ours: Visitor
    folder: Path
    sink: Sink


@contextmanager
def running_pair(entry: Entry, folder: Path) -> Iterator[Pair]:
    """Both servers until the block ends; then their logs must tell of the same troubles, or of none."""
    write_files(folder)
    with ExitStack() as stack:
        sink = stack.enter_context(Sink().running())
        bare = stack.enter_context(_server(entry, "app", folder, sink))
        ours = stack.enter_context(_server(entry, "wrapped", folder, sink))
        visitors = [
            Visitor(server.url, http2=entry.has_http2, keeps=entry.keeps_connections, folder=folder)
            for server in (bare, ours)
        ]
        yield Pair(entry, visitors[0], visitors[1], folder, sink)
        for visitor in visitors:
            visitor.http.close()
    new = _troubles(ours) - _troubles(bare)
    assert not new, f"{entry.name} logs what its bare twin does not: {new}\n{ours.log.decode(errors='replace')[-6000:]}"


@contextmanager
def _server(entry: Entry, kind: str, folder: Path, sink: Sink) -> Iterator[Server]:
    port, place = free_port(), folder / kind
    place.mkdir()
    environment = {**plain_environment(place), "MATRIX_FOLDER": str(folder)}
    if kind == "wrapped":
        environment |= {
            "TIKTOK_PIXEL_ID": "C0000000000000000000",
            "TIKTOK_ACCESS_TOKEN": TOKEN,
            "TIKTOK_CONSENT": "implied",
            "TIKTOK_API_URL": f"{sink.url}/open_api/v1.3",
            "TIKTOK_OUTBOX": f"sqlite:///{place}/outbox.sqlite3",
        }
    command = entry.command(f"tests.servers.{entry.door}_{kind}:app", port)
    with running(f"{entry.name} {kind}", command, port, place, environment) as server:
        yield server


def _troubles(server: Server) -> set[str]:
    """The log's lines that speak of trouble, without what differs from run to run."""
    lines = server.log.decode(errors="replace").replace("_wrapped", "_app").splitlines()
    found = {re.sub(r"0x[0-9a-f]+|\d+", "#", line) for line in lines if _TROUBLE.search(line)}
    return {line for line in found if " /_tiktok/" not in line}
