"""An HTTPS proxy for names that exist only in tests: every host of a site leads to one server on the loopback address."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import subprocess
import threading
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

__all__ = ["front"]

_CHUNK = 65_536


@contextlib.contextmanager
def front(folder: Path, ports: Mapping[str, int]) -> Iterator[str]:
    """Serve a proxy that ends TLS itself; yield its host and port.

    Args:
        folder: for the certificate.
        ports: domains, and the port of the plain HTTP server that answers for all their hosts.
    """
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    made = _Front(_certificate(folder, ports), ports)
    try:
        port = asyncio.run_coroutine_threadsafe(made.start(), loop).result(10)
        yield f"127.0.0.1:{port}"
    finally:
        asyncio.run_coroutine_threadsafe(made.stop(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


class _Front:
    def __init__(self, certificate: ssl.SSLContext, ports: Mapping[str, int]) -> None:
        self._certificate, self._ports = certificate, ports
        self._secure: dict[int, int] = {}
        self._servers: list[asyncio.AbstractServer] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        return await self._listen(self._tunnel)

    async def stop(self) -> None:
        for server in self._servers:
            server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _listen(self, serve: Callable[..., Coroutine[Any, Any, None]], tls: ssl.SSLContext | None = None) -> int:
        async def accepted(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.current_task()
            assert task is not None
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
                await serve(reader, writer)
            writer.close()

        server = await asyncio.start_server(accepted, "127.0.0.1", 0, ssl=tls)
        self._servers.append(server)
        return int(server.sockets[0].getsockname()[1])

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer CONNECT, then pass TLS on to the listener of the host's server."""
        method, target, *_ = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split()
        if method != "CONNECT":
            writer.write(b"HTTP/1.1 405 Only CONNECT\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return await writer.drain()
        backend = self._ports.get(target.partition(":")[0].partition(".")[2])
        if backend is None:  # what a browser asks for by itself
            writer.write(b"HTTP/1.1 502 No such host\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            return await writer.drain()
        if backend not in self._secure:
            self._secure[backend] = await self._listen(lambda *ends: _join(backend, *ends), self._certificate)
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        return await _join(self._secure[backend], reader, writer)


async def _join(port: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Pass bytes between a connection and a port, in both directions, until one of them ends."""
    behind, before = await asyncio.open_connection("127.0.0.1", port)
    copies = [asyncio.ensure_future(_copy(reader, before)), asyncio.ensure_future(_copy(behind, writer))]
    try:
        await asyncio.wait(copies, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for copy in copies:
            copy.cancel()
        await asyncio.gather(*copies, return_exceptions=True)
        before.close()


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(_CHUNK):
        writer.write(data)
        await writer.drain()


def _certificate(folder: Path, domains: Iterable[str]) -> ssl.SSLContext:
    """Return a TLS configuration with a new certificate, which no browser trusts by itself."""
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    command += ["-days", "2", "-subj", "/CN=tests", "-keyout", str(key), "-out", str(certificate)]
    command += ["-addext", "subjectAltName=" + ",".join(f"DNS:*.{domain}" for domain in domains)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
