"""Serve one ASGI or WSGI app on loopback: ``python -m tiktok_middleware._live_server shop:app 8000``."""

from __future__ import annotations

import importlib
import sys
from socketserver import ThreadingMixIn
from typing import Any
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from tiktok_middleware._app_check import protocol_of

__all__ = ["main"]


class _ThreadingServer(ThreadingMixIn, WSGIServer):
    daemon_threads = True


class _QuietHandler(WSGIRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  # the base class's name
        pass


def main(target: str, port: int) -> None:
    """Serve until the process ends.

    Args:
        target: import path of the app, such as ``shop.main:app``.
        port: port on 127.0.0.1.
    """
    module, _, name = target.partition(":")
    app: Any = importlib.import_module(module)
    for part in (name or "app").split("."):
        app = getattr(app, part)
    if protocol_of(app) == "wsgi":
        with make_server("127.0.0.1", port, app, _ThreadingServer, _QuietHandler) as server:
            server.serve_forever()
    else:
        import uvicorn  # noqa: PLC0415  # not needed for WSGI

        uvicorn.run(app, host="127.0.0.1", port=port, log_level="warning")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
