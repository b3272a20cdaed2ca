"""TCP proxy that can stop to forward without closing anything, as a lost network or a frozen host does."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class SwallowingProxy:
    """Forwards connections to a port of this machine.

    Attributes:
        port: where it listens.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._swallows = threading.Event()
        self._open: list[socket.socket] = [self._listener]
        self._lock = threading.Lock()
        self._is_closed = False
        threading.Thread(target=self._accept, daemon=True).start()

    def swallow(self) -> None:
        """Accept connections and bytes, and forward nothing, on old connections never again."""
        self._swallows.set()

    def forward(self) -> None:
        """Forward what comes on new connections."""
        self._swallows.clear()

    def close(self) -> None:
        with self._lock:
            self._is_closed = True
        for one in self._open:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self._keep(client)
                if not self._swallows.is_set():
                    server = socket.create_connection(("127.0.0.1", self._target))
                    self._keep(server)
                    for source, sink in ((client, server), (server, client)):
                        threading.Thread(target=self._pump, args=(source, sink), daemon=True).start()

    def _keep(self, one: socket.socket) -> None:
        """Note a socket, so that it is closed with the proxy; close it now if that has happened."""
        with self._lock:
            if not self._is_closed:
                self._open.append(one)
                return
        one.close()
        raise OSError("the proxy is closed")

    def _pump(self, source: socket.socket, sink: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._swallows.is_set():
                    return
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)


@contextmanager
def swallowing_proxy(target: int) -> Iterator[SwallowingProxy]:
    proxy = SwallowingProxy(target)
    try:
        yield proxy
    finally:
        proxy.close()
