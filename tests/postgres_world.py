"""A PostgreSQL cluster of the tests' own: in a temporary folder, on a free port, run by an unprivileged user."""

from __future__ import annotations

import contextlib
import ctypes
import itertools
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg

MISSING = "the tests need PostgreSQL: install the package 'postgresql' (apt-get install postgresql)"
_SETTINGS = {
    "fsync": "off",
    "full_page_writes": "off",
    "shared_buffers": "128MB",
    "max_connections": "60",
    "listen_addresses": "127.0.0.1",
    "log_min_messages": "fatal",
    "lc_messages": "C",
    "autovacuum_naptime": "5s",
}
_PR_SET_PDEATHSIG = 1
_names = itertools.count()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def program(name: str) -> str:
    """Return the path of one of PostgreSQL's programs; of the newest version, where several are installed."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[4]))
    path = str(found[-1]) if found else shutil.which(name)
    assert path, MISSING
    return path


def unprivileged() -> str | None:
    """Return the user to run as, since PostgreSQL refuses root; None if this process may do it itself."""
    if os.getuid():
        return None
    known = {user.pw_name for user in pwd.getpwall()}
    return next(name for name in ("postgres", "nobody") if name in known)


_prctl = ctypes.CDLL(None).prctl  # looked up here: between fork and exec a lock may be held


def _end_with_parent() -> None:
    _prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


class Postgres:
    """A cluster that tests may stop, kill, freeze and start again."""

    def __init__(self, folder: Path, **settings: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.user = unprivileged()
        self._server: subprocess.Popen[bytes] | None = None
        if self.user:
            shutil.chown(folder, self.user)
        self._run("initdb", "--no-sync", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C", "-D", self._data)
        with (folder / "data" / "postgresql.conf").open("a") as file:
            lines = {**_SETTINGS, **settings, "port": str(self.port), "unix_socket_directories": str(folder)}
            file.writelines(f"{name} = '{value}'\n" for name, value in lines.items())

    @property
    def _data(self) -> str:
        return str(self.folder / "data")

    def url(self, database: str = "postgres", **parameters: str) -> str:
        query = "&".join(f"{name}={value}" for name, value in parameters.items())
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}{'?' if query else ''}{query}"

    def start(self) -> None:
        """Start the server, which ends with the thread that calls this, so that none outlives the tests."""
        command = [program("postgres"), "-D", self._data]
        with (self.folder / "log").open("ab") as log:
            self._server = subprocess.Popen(
                command,
                cwd=self.folder,
                user=self.user,
                stdout=log,
                stderr=log,
                preexec_fn=_end_with_parent,  # noqa: PLW1509
            )
        _wait_for(self.url(), self._server)

    def stop(self, how: signal.Signals = signal.SIGINT) -> None:
        """End the server: SIGINT ends sessions, SIGQUIT loses what is in memory, as a crash does."""
        if self._server is not None:
            self._server.send_signal(how)
            self._server.wait(60)
            self._server = None

    def signal_all(self, how: signal.Signals) -> None:
        """Send a signal to every process of the server, such as SIGSTOP."""
        assert self._server is not None
        self._server.send_signal(signal.SIGSTOP)  # so that it starts no process meanwhile
        pids = []
        for path in Path("/proc").glob("[0-9]*/stat"):
            try:
                parts = path.read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(parts[1]) == self._server.pid:
                pids.append(int(path.parent.name))
        for pid in [*pids, self._server.pid]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, how)

    def execute(self, sql: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        with psycopg.connect(self.url(database), autocommit=True, connect_timeout=5) as db:
            cursor = db.execute(sql.encode())
            return cursor.fetchall() if cursor.description else []

    @contextmanager
    def schema(self) -> Iterator[str]:
        """Yield the address of an outbox in a schema of its own, and remove the schema in the end."""
        name = f"test_{next(_names)}"
        yield self.url(schema=name)
        self.execute(f"SET client_min_messages = error; DROP SCHEMA IF EXISTS {name} CASCADE")

    def _run(self, name: str, *arguments: str) -> None:
        done = subprocess.run(
            [program(name), *arguments], cwd=self.folder, user=self.user, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr


@contextmanager
def pooler(postgres: Postgres, pool_size: int) -> Iterator[int]:
    """Run PgBouncer in transaction mode, and yield its port."""
    path = shutil.which("pgbouncer", path=f"{os.environ['PATH']}:/usr/sbin")
    assert path, "the tests need PgBouncer: install the package 'pgbouncer' (apt-get install pgbouncer)"
    folder = Path(tempfile.mkdtemp(prefix="tiktok-pool-"))
    user, port = unprivileged(), free_port()
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "pgbouncer.ini").write_text(f"""
[databases]
postgres = host=127.0.0.1 port={postgres.port}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = trust
auth_file = {folder}/users
pool_mode = transaction
default_pool_size = {pool_size}
""")
    if user:
        for item in (folder, *folder.iterdir()):
            shutil.chown(item, user)
    server = subprocess.Popen(
        [path, "-q", str(folder / "pgbouncer.ini")],
        cwd=folder,
        user=user,
        preexec_fn=_end_with_parent,  # noqa: PLW1509
    )
    try:
        _wait_for(f"postgresql://postgres@127.0.0.1:{port}/postgres", server)
        yield port
    finally:
        server.terminate()
        server.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg.connect(url, connect_timeout=5, prepare_threshold=None).close()
        except psycopg.OperationalError:
            assert server.poll() is None, "the server has ended"
            assert time.monotonic() < deadline, "the server does not start"
            time.sleep(0.05)
        else:
            return


@contextmanager
def new_cluster(**settings: str) -> Iterator[Postgres]:
    folder = Path(tempfile.mkdtemp(prefix="tiktok-pg-"))
    try:
        cluster = Postgres(folder, **settings)
        cluster.start()
        try:
            yield cluster
        finally:
            cluster.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)
