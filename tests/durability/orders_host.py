"""One host of the thousand orders: a shop in a process of its own, with a state folder of its own.

``/thanks`` is the page after a payment, ``/bank`` the bank's POST return that redirects to ``/receipt``, and ``/webhook``
the payment provider's request. Each tracks the order's purchase.
"""

from __future__ import annotations

import os
import socketserver
import sys
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qs
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from tests.durability.shop import make_client, note_current
from tiktok_middleware.core.events.ids import once_event_id
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.wsgi import TikTokMiddleware

PAGE = b"<!doctype html><html><head><title>Thanks</title></head><body>Thanks</body></html>"
client = make_client()


def shop(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    path, order = environ["PATH_INFO"], parse_qs(environ["QUERY_STRING"]).get("order", [""])[0]
    note_current(once_event_id("Purchase", order))
    if path == "/webhook":
        with client.tracker() as tiktok:
            tiktok.track("Purchase", order_id=order, value=5, currency="EUR")
    elif path in {"/thanks", "/bank"}:
        environ[KEY].track("Purchase", order_id=order, value=5, currency="EUR")
    if path == "/bank":
        start_response("303 See Other", [("Location", "/receipt"), ("Content-Length", "0")])
        return []
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(PAGE)))])
    return [PAGE]


class Server(socketserver.ThreadingMixIn, WSGIServer):
    daemon_threads = True
    request_queue_size = 128


class Quiet(WSGIRequestHandler):
    def log_message(self, *args: Any) -> None:
        pass


def main(port: int) -> None:
    app = TikTokMiddleware(shop, client=client)
    with make_server("127.0.0.1", port, app, server_class=Server, handler_class=Quiet) as server:
        client.start()
        os.write(1, b"ready\n")
        server.serve_forever(0.05)


if __name__ == "__main__":
    main(int(sys.argv[1]))
