"""Under a uWSGI that lets no thread run, each event is at TikTok before its response ends."""

from __future__ import annotations

import sys
from pathlib import Path

import httpx
import pytest

from tests.browser.servers import free_port, running
from tests.durability.rounds import environment_of
from tests.servers.sink import Sink

pytestmark = pytest.mark.servers

_SAYS = b"uWSGI runs without threads"


@pytest.mark.soak
@pytest.mark.parametrize("asks", [False, True], ids=["without threads", "with --enable-threads"])
def test_uwsgi_without_threads_sends_with_each_request(asks: bool, tmp_path: Path) -> None:
    port = free_port()
    command = [
        sys.executable.rpartition("/")[0] + "/uwsgi",
        *("--master", "--processes", "2", "--die-on-term", "--need-app", "--http-socket", f"127.0.0.1:{port}"),
        *("--module", "tests.durability.uwsgi_app", "--callable", "app", *(["--enable-threads"] if asks else [])),
    ]
    with (
        Sink().running() as tiktok,
        running("uwsgi", command, port, tmp_path, environment_of(tmp_path, tiktok.url)) as shop,
    ):
        for number in range(20):
            url = f"{shop.url}/redirect?id=evt-{number}"
            assert httpx.get(url, headers={"sec-fetch-mode": "navigate"}, timeout=20).status_code == 303
            if not asks:
                assert f"evt-{number}" in tiktok.ids, "the response has ended"
        assert tiktok.lacks({f"evt-{number}" for number in range(20)}, 20) == set()
        assert shop.log.count(_SAYS) == (0 if asks else 1), shop.log.decode()
