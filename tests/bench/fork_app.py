"""One event a request, from a sender that was made, and used, before the server forked."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from tests.bench.senders import SENDERS

__all__ = ["app"]

_sender = SENDERS[os.environ["BENCH_SENDER"]][1](int(os.environ["BENCH_PORT"]), os.environ["BENCH_OUTBOX"])
_sender.send(0)


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """A WSGI app."""
    _sender.send(int(environ["PATH_INFO"].strip("/")))
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", "2")])
    return [b"{}"]
