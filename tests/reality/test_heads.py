"""With nginx and uWSGI at their default buffers, no response fails that succeeds without the middleware."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import httpx
import pytest

from tests.browser.servers import Server, free_port, gunicorn_command, running, shop_environment
from tests.reality.proxies import nginx

pytestmark = pytest.mark.servers

NAVIGATION = {
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "accept": "text/html",
    "user-agent": "Mozilla/5.0",
}
CLICK = "E.C.P." + "x" * 500


def uwsgi_command(target: str, port: int) -> list[str]:
    program = str(Path(sys.executable).parent / "uwsgi")
    module, _, name = target.partition(":")
    options = ["--http-socket", f"127.0.0.1:{port}", "--enable-threads", "--master", "--die-on-term"]
    return [program, *options, "--module", module, "--callable", name]


@contextlib.contextmanager
def shops(command: object, folder: Path, *, behind_nginx: bool) -> Iterator[Sequence[Server]]:
    """The app without and with the middleware."""
    assert callable(command)
    with contextlib.ExitStack() as stack:
        servers = []
        for name, more in (("bare", {"BARE": "1"}), ("wrapped", {})):
            below, port = folder / name, free_port()
            below.mkdir()
            environment = {**shop_environment(below, "http://127.0.0.1:9", "C0000000000000000000"), **more}
            started = command("tests.reality.heads_app:app", port)
            server = stack.enter_context(running(name, started, port, below, environment))
            if behind_nginx:
                (below / "nginx").mkdir()
                server = stack.enter_context(nginx(server, below / "nginx"))
            servers.append(server)
        yield servers


SETUPS = ["gunicorn behind nginx", "uwsgi behind nginx", pytest.param("uwsgi", marks=pytest.mark.soak)]


@pytest.fixture(scope="module", params=SETUPS)
def both(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sequence[httpx.Client]]:
    """Clients of the app without and with the middleware."""
    command = uwsgi_command if request.param.startswith("uwsgi") else one_gunicorn
    folder = tmp_path_factory.mktemp("heads")
    with (
        shops(command, folder, behind_nginx=request.param.endswith("nginx")) as servers,
        contextlib.ExitStack() as stack,
    ):
        clients = [httpx.Client(base_url=server.url, headers=NAVIGATION, timeout=20) for server in servers]
        yield [stack.enter_context(client) for client in clients]


def one_gunicorn(target: str, port: int) -> list[str]:
    return gunicorn_command(target, port, workers=1)


def statuses(client: httpx.Client, path: str) -> list[int]:
    """The status of each answer on the way to the page; 0 where the connection was closed."""
    client.cookies.clear()
    try:
        last = client.get(path, follow_redirects=True)
    except httpx.HTTPError:
        return [0]
    return [*(answer.status_code for answer in last.history), last.status_code]


PATHS = ["/head/{}", "/session/{}", "/page/{}", f"/page/{{}}?ttclid={CLICK}"]


def compare(both: Sequence[httpx.Client], path: str, sizes: range) -> None:
    bare, wrapped = both
    succeeded = 0
    for size in sizes:
        wanted = statuses(bare, path.format(size))
        if wanted[-1] != 200:
            continue
        succeeded += 1
        assert statuses(wrapped, path.format(size)) == wanted, size
    assert succeeded >= len(sizes) * 3 // 4


@pytest.mark.parametrize("path", PATHS)
def test_no_answer_fails_that_succeeds_bare(both: Sequence[httpx.Client], path: str) -> None:
    compare(both, path, range(300, 3901, 400))


@pytest.mark.soak
@pytest.mark.parametrize("path", PATHS)
def test_no_answer_fails_in_steps_of_100_bytes(both: Sequence[httpx.Client], path: str) -> None:
    compare(both, path, range(0, 3901, 100))
