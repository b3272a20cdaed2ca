"""The recorder sees what leaves on both channels, and lets nothing leave."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.adapters import Request, Response, Seen, through_asgi, through_wsgi
from tests.core.core_world import PIXEL
from tiktok_middleware import Client, Config
from tiktok_middleware.testing import Recorder, record

pytest_plugins = ["pytester"]

Door = Callable[[Client, Request, Response], Seen]
DOORS: list[Door] = [through_asgi, through_wsgi]
VISIT = Request(headers={"sec-fetch-mode": "navigate", "sec-fetch-dest": "document", "user-agent": "Mozilla/5.0"})
ORDER: dict[str, Any] = {"order_id": "A-1", "value": 59.9, "currency": "EUR"}
BOUGHT = Response(events=(("Purchase", ORDER),))


@pytest.fixture
def client() -> Client:
    # TikTok's own host: a recording that leaks would try to reach it.
    return Client(Config(pixel_id=PIXEL, access_token="t", outbox="memory://"))


def test_an_event_of_a_page_is_one_pair_and_none_leaves(client: Client) -> None:
    for door in DOORS:
        with record() as tiktok:
            door(client, VISIT, BOUGHT)
        copy = tiktok.assert_matched("Purchase", value=59.9, order_id="A-1")
        assert copy.pixels == (PIXEL,)
        assert copy.page["url"] == "http://shop.example/shop"
        assert set(copy.user) >= {"user_agent"}
    assert client.stats()["submitted"] == 0


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize(
    "response",
    [
        Response(status=303, headers=(("Location", "/thanks"),), pieces=(b"",), events=BOUGHT.events),
        Response(headers=(("Content-Type", "application/json"),), pieces=(b"{}",), events=BOUGHT.events),
    ],
)
def test_every_way_to_the_browser_is_heard(client: Client, door: Door, response: Response) -> None:
    headers = {**VISIT.headers, "sec-fetch-dest": "empty", "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin"}
    request = VISIT if response.status == 303 else Request("POST", headers=headers)
    with record() as tiktok:
        door(client, request, response)
    tiktok.assert_matched("Purchase")


def test_what_is_counted_once_is_recorded_once(client: Client) -> None:
    with record() as tiktok:
        for _ in range(3):
            through_wsgi(client, VISIT, BOUGHT)
        with client.tracker() as job:
            job.track("Purchase", **ORDER)
    assert (len(tiktok.browser), len(tiktok.server)) == (1, 1)


def test_a_job_has_no_browser_and_that_is_no_match(client: Client) -> None:
    with record() as tiktok:
        with client.tracker() as job:
            job.track("Purchase", **ORDER)
        with pytest.raises(AssertionError, match=r"browser 0 time\(s\) and to the server 1 time\(s\)"):
            tiktok.assert_matched("Purchase")
        tiktok.clear()
        tiktok.assert_nothing()


def test_it_says_what_is_wrong(client: Client) -> None:
    with record() as tiktok:
        tiktok.assert_nothing()
        through_asgi(client, VISIT, BOUGHT)
    with pytest.raises(
        AssertionError, match=r"Lead went to the browser 0 time\(s\).*browser: Purchase \S+; server: Pur"
    ):
        tiktok.assert_matched("Lead")
    with pytest.raises(AssertionError, match=r"says \{'value': 59.9\} instead of \{ *'value': 1 *\}"):
        tiktok.assert_matched("Purchase", value=1)
    with pytest.raises(AssertionError, match="Purchase"):
        tiktok.assert_nothing()
    other = Recorder()
    other.browser, other.server = tiktok.browser, [type(tiktok.server[0])("Purchase", "another", ORDER)]
    with pytest.raises(AssertionError, match="differ"):
        other.assert_matched("Purchase")


def test_after_a_recording_events_go_to_the_clients_own_delivery() -> None:
    own = Recorder()
    client = Client(Config(pixel_id=PIXEL, access_token="t"), delivery=own)
    with contextlib.suppress(ZeroDivisionError), record() as tiktok:
        through_wsgi(client, VISIT, BOUGHT)
        raise ZeroDivisionError
    tiktok.assert_matched("Purchase")
    own.assert_nothing()
    through_wsgi(client, VISIT, BOUGHT)
    own.assert_matched("Purchase")


def test_recordings_nest_and_the_innermost_hears(client: Client) -> None:
    with record() as outer:
        with record() as inner:
            through_asgi(client, VISIT, BOUGHT)
        inner.assert_matched("Purchase")
        outer.assert_nothing()
        through_asgi(client, VISIT, BOUGHT)
        outer.assert_matched("Purchase")


def test_a_recorder_keeps_a_large_browser_copy_until_the_page_asks_for_it() -> None:
    own = Recorder()
    client = Client(Config(pixel_id=PIXEL, access_token="t"), delivery=own)
    ids = (hashlib.sha256(bytes([index])).hexdigest() for index in range(60))  # hashes do not compress
    contents = [{"content_id": content_id, "price": 1.0, "quantity": 1} for content_id in ids]
    large = Response(
        status=303, headers=(("Location", "/thanks"),), pieces=(b"",),
        events=(("Purchase", {**ORDER, "contents": contents}),),
    )  # fmt: skip
    through_wsgi(client, VISIT, large)
    ((ref, body),) = own._deferred.items()
    assert own.take(ref).result(0) == body
    assert own.take(ref).result(0) is None
    own.assert_matched("Purchase", order_id="A-1")


def test_a_client_uses_the_clock_and_the_random_bytes_it_is_given() -> None:
    def ids() -> list[str]:
        own = Recorder()
        client = Client(
            Config(pixel_id=PIXEL, access_token="t"), delivery=own, clock=lambda: 1_760_000_000.0, random_bytes=bytes
        )
        with client.tracker() as job:
            job.track("Contact")
        return [copy.event_id for copy in own.server]

    assert ids() == ids() != []


@pytest.mark.slow
def test_the_fixture_is_a_plugin_of_pytest(pytester: pytest.Pytester) -> None:
    pytester.makepyfile(
        """
        from tiktok_middleware import Client, Config

        def test_it(tiktok):
            client = Client(Config(pixel_id="C0000000000000000001", access_token="t", outbox="memory://"))
            with client.tracker() as job:
                job.track("Contact")
            assert [copy.event for copy in tiktok.server] == ["Contact"]
        """
    )
    plugin = () if "tiktok" in _installed() else ("-p", "tiktok_middleware.testing")
    pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider", *plugin).assert_outcomes(passed=1)


def _installed() -> set[str]:
    from importlib.metadata import entry_points

    return {point.name for point in entry_points(group="pytest11")}


def test_the_plugin_is_announced() -> None:
    from pathlib import Path

    lines = (Path(__file__).parents[1] / "pyproject.toml").read_text("utf-8").splitlines()
    assert 'tiktok = "tiktok_middleware.testing"' in lines
