"""If pages go out and the helper is never requested, one WARNING is logged; otherwise none is."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.contract.adapters import Request, Response, through_asgi, through_wsgi
from tiktok_middleware import Client, Config

NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "accept": "text/html"}
SENTENCE = "Our script went out with 200 pages to 20 visitors"
EVENTS: Any = (("ViewContent", {"value": 1, "currency": "EUR"}),)

Through = Callable[[Client, Request, Response], Any]


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    made = client_of(f"sqlite:///{tmp_path / 'outbox.sqlite3'}")
    yield made
    made.close(1)


def client_of(outbox: str) -> Client:
    return Client(
        Config(
            pixel_id="C0000000000000000000",
            access_token="t",
            api_url="http://127.0.0.1:9/open_api/v1.3",
            outbox=outbox,
            sink="import:tests.contract.adapters:make_sink",
        )
    )


def send_pages(
    client: Client, through: Through, *, count: int, visitors: int, agent: str = "Mozilla/5.0", **response: Any
) -> None:
    for number in range(count):
        headers = {**NAVIGATION, "user-agent": f"{agent} {number % visitors}"}
        through(client, Request(headers=headers), Response(**response))


def warnings(caplog: pytest.LogCaptureFixture) -> int:
    return sum(SENTENCE in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize("through", [through_asgi, through_wsgi])
@pytest.mark.parametrize("events", [(), EVENTS])
def test_pages_without_any_request_for_the_helper_are_said_once(
    client: Client, through: Through, events: Any, caplog: pytest.LogCaptureFixture
) -> None:
    send_pages(client, through, count=199, visitors=25, events=events)
    assert warnings(caplog) == 0
    send_pages(client, through, count=300, visitors=25, events=events)
    assert warnings(caplog) == 1
    assert client.stats()["counts"]["helper_never_asked"] == 1
    assert client.runtime.page_watch is None


@pytest.mark.parametrize("path", ["helper", "collect"])
def test_one_request_for_the_helper_is_enough(client: Client, path: str, caplog: pytest.LogCaptureFixture) -> None:
    helper = Request(path=client.runtime.snippet.helper_path)
    collect = Request("POST", "/_tiktok/collect", headers={"sec-fetch-site": "same-origin"})
    send_pages(client, through_asgi, count=100, visitors=25)
    through_wsgi(client, helper if path == "helper" else collect, Response())
    send_pages(client, through_asgi, count=300, visitors=25)
    assert warnings(caplog) == 0


def test_request_that_another_process_got_is_enough(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    other = client_of(client.config.outbox)
    through_asgi(other, Request(path=other.runtime.snippet.helper_path), Response())
    send_pages(client, through_asgi, count=300, visitors=25)
    assert warnings(caplog) == 0
    other.close(1)


def test_few_visitors_crawlers_and_responses_without_script_do_not_count(
    client: Client, caplog: pytest.LogCaptureFixture
) -> None:
    send_pages(client, through_asgi, count=300, visitors=19)
    send_pages(client, through_asgi, count=300, visitors=25, agent="Mozilla/5.0 (compatible; Googlebot/2.1)")
    send_pages(client, through_asgi, count=300, visitors=25, headers=(("Content-Type", "application/json"),))
    assert warnings(caplog) == 0
