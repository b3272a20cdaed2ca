"""One client per process: keys, domains and delivery put together, and its lifetime."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import anyio
import pytest

from tests.core.core_world import FETCH, NAVIGATION, NOW, PIXEL, Clock, scope_request
from tests.transactions.asgi_visit import visit
from tiktok_middleware import _wiring
from tiktok_middleware._wiring import registrable_domain
from tiktok_middleware.client import Client
from tiktok_middleware.config import Config
from tiktok_middleware.core.events.event import Claim
from tiktok_middleware.core.http.own_response import Answer
from tiktok_middleware.core.response.actions import PASS
from tiktok_middleware.core.response.exchange import Commit
from tiktok_middleware.delivery.outbox.location import outbox_url
from tiktok_middleware.errors import ConfigError, TokenError
from tiktok_middleware.testing import Recorder

QUIET = {"outbox": "memory://", "environment": "development", "api_url": "http://127.0.0.1:9/v"}


@pytest.fixture
def clients() -> Iterator[list[Client]]:
    made: list[Client] = []
    yield made
    for client in made:
        client.close(0)


class Reaching(Recorder):
    """A delivery whose outbox is reached by a call of the test."""

    def __init__(self, reach: Callable[[], tuple[Future[None], float]]) -> None:
        super().__init__()
        self.reach_drafts = reach


def client_of(clients: list[Client], *, delivery: Recorder | None = None, **options: Any) -> Client:
    keys = options.pop("secret_keys", ())
    config = Config(**{"pixel_id": PIXEL, **QUIET, **options})
    client = Client(config, secret_keys=keys, clock=Clock(), delivery=delivery)
    clients.append(client)
    return client


# -- cookie domains


@pytest.mark.parametrize(
    ("host", "domain"),
    [
        ("shop.example.com", "example.com"),
        ("example.com", "example.com"),
        ("a.b.c.example.com", "example.com"),
        ("www.shop.co.uk", "shop.co.uk"),
        ("co.uk", ""),
        ("uk", ""),
        ("me.github.io", "me.github.io"),
        ("github.io", ""),
        ("www.xn--mnchen-3ya.de", "xn--mnchen-3ya.de"),
        ("my_shop.example.com", "example.com"),
        ("localhost", ""),
        ("shop.localhost", "shop.localhost"),
        ("127.0.0.1", ""),
        ("192.168.10.20", ""),
        ("2001:db8::1", ""),
        ("::1", ""),
        ("", ""),
        ("shop.example.com.", ""),
        ("a..com", ""),
        ("x.-a.com", ""),
    ],
)
def test_cookies_are_for_the_domain_that_one_owner_holds(host: str, domain: str) -> None:
    assert registrable_domain(host) == domain


@pytest.mark.parametrize(
    ("setting", "host", "domain"),
    [
        ("auto", "www.shop.co.uk", "shop.co.uk"),
        ("host", "www.shop.co.uk", ""),
        ("shop.co.uk", "www.shop.co.uk", "shop.co.uk"),
        ("shop.co.uk", "shop.co.uk", "shop.co.uk"),
        ("shop.co.uk", "othershop.co.uk", ""),
        ("www.shop.co.uk", "shop.co.uk", ""),
    ],
)
def test_the_setting_decides_the_domain(clients: list[Client], setting: str, host: str, domain: str) -> None:
    assert client_of(clients, cookie_domain=setting).runtime.cookie_domain(host) == domain


# -- keys


def reads(reader: Client, writer: Client) -> bool:
    try:
        return bool(
            reader.runtime.signer.load(writer.runtime.signer.dump(1, purpose="carry"), purpose="carry", max_age_s=9)
        )
    except TokenError:
        return False


def test_two_processes_of_one_configuration_read_each_other(clients: list[Client]) -> None:
    for options in ({"access_token": "t"}, {}, {"secret_key": "k"}, {"secret_keys": ["framework"]}):
        assert reads(client_of(clients, **options), client_of(clients, **options))


def test_keys_rotate_ours_and_the_frameworks(clients: list[Client]) -> None:
    old, both = client_of(clients, secret_key="old"), client_of(clients, secret_key="new,old")
    assert reads(both, old)
    assert not reads(old, both)
    old, both = client_of(clients, secret_keys=["old"]), client_of(clients, secret_keys=["new", "old"])
    assert reads(both, old)
    assert not reads(old, both)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"access_token": "t"}, {"access_token": "u"}),
        ({}, {"pixel_id": "C0000000000000000002"}),
        ({"secret_key": "k"}, {"secret_keys": ["k"]}),  # a framework's key signs only in another form
        ({"secret_key": "t"}, {"access_token": "t"}),
        ({"access_token": "t", "secret_keys": ["f"]}, {"access_token": "t"}),
    ],
)
def test_other_secrets_sign_otherwise(clients: list[Client], one: dict[str, Any], other: dict[str, Any]) -> None:
    assert not reads(client_of(clients, **one), client_of(clients, **other))


def test_without_a_pixel_every_response_passes_untouched(clients: list[Client]) -> None:
    client = Client.from_env({})
    clients.append(client)
    client.start()
    exchange = client.exchange(scope_request("/?ttclid=E.C.P.x", NAVIGATION))
    assert exchange.response_started(200, [(b"content-type", b"text/html")]) is PASS


@pytest.mark.parametrize(
    ("sink", "says"),
    [
        ("import:no_such_module:make", "a factory that can be imported"),
        ("import:os:nothing", "a factory that can be imported"),
        ("import:os:sep", "a factory: a function that makes a sink"),
    ],
)
def test_a_sink_that_is_not_there_stops_the_start(clients: list[Client], sink: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        client_of(clients, sink=sink)


# -- the outbox


@pytest.mark.parametrize("variable", ["XDG_STATE_HOME", "HOME"])
def test_the_outbox_is_named_by_the_pixels_in_the_users_state_directory(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, variable: str
) -> None:
    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(tmp_path))
    folder = tmp_path if variable == "XDG_STATE_HOME" else tmp_path / ".local" / "state"
    found = outbox_url(Config(pixel_id="A,../B"))
    assert found == f"sqlite:///{folder}/tiktok-middleware/A,___B.sqlite3"
    assert outbox_url(Config(pixel_id="A", outbox="sqlite:///x.db")) == "sqlite:///x.db"


def test_a_user_without_a_home_keeps_events_in_memory(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    for name in ("XDG_STATE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(Path, "home", homeless)
    assert outbox_url(Config(pixel_id="A")) == "memory://"
    assert "TIKTOK_OUTBOX" in caplog.text


# -- at work


def committed(client: Client, **properties: Any) -> Commit:
    exchange = client.exchange(scope_request("/pay", NAVIGATION))
    exchange.tracker.track("Purchase", {"value": 5, "currency": "EUR", **properties})
    step = exchange.response_started(302, [(b"location", b"/thanks")])
    assert isinstance(step, Commit)
    return step


def test_an_event_is_stored_and_counted(clients: list[Client]) -> None:
    client = client_of(clients, access_token="t")
    assert client.wait(client.submit(committed(client))) is not None
    stats = client.stats()
    assert (stats["submitted"], stats["accepted"]) == (1, 1)
    assert stats["counts"]["tracked"] == 1


def test_a_purchase_is_won_once(clients: list[Client]) -> None:
    client = client_of(clients, access_token="t", browser_in_test="yes")
    first = client.wait(client.submit(committed(client, order_id="A-1")))
    again = client.wait(client.submit(committed(client, order_id="A-1")))
    assert first == [Claim(browser=True, server=True)]
    assert again == [Claim(browser=False, server=False)]


def test_an_event_tracked_after_the_response_is_submitted(clients: list[Client]) -> None:
    client = client_of(clients, access_token="t")
    exchange = client.exchange(scope_request("/", FETCH))
    exchange.response_started(200, [(b"content-type", b"application/json")])
    assert exchange.finish(client.take_late) is None
    exchange.tracker.track("Contact")
    assert client.stats()["submitted"] == 1
    exchange.tracker.revoke_consent()
    exchange.tracker.track("Contact")
    assert client.stats()["submitted"] == 1


def test_a_slow_disk_holds_no_response_up(clients: list[Client]) -> None:
    client = client_of(clients)
    never: Future[list[Claim]] = Future()
    assert client.wait(never) is None

    async def wait() -> list[Claim] | None:
        return await client.wait_async(never)

    for backend in ("asyncio", "trio"):
        assert anyio.run(wait, backend=backend) is None
    broken: Future[list[Claim]] = Future()
    broken.set_exception(OSError("disk"))
    assert client.wait(broken) is None
    assert anyio.run(client.wait_async, broken) is None
    assert client.stats()["counts"]["undurable"] == 5


def test_the_answer_of_a_disk_is_awaited_on_any_loop(clients: list[Client]) -> None:
    client = client_of(clients)
    for backend in ("asyncio", "trio"):
        pending: Future[list[Claim]] = Future()

        claims: list[list[Claim] | None] = []

        async def wait(pending: Future[list[Claim]] = pending, claims: list[list[Claim] | None] = claims) -> None:
            async with anyio.create_task_group() as group:
                group.start_soon(anyio.to_thread.run_sync, pending.set_result, [])
                found = await client.wait_async(pending, 20.0)
                claims.append(found)

        anyio.run(wait, backend=backend)
        assert claims == [[]]
    assert client.stats()["counts"] == {}


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_requests_that_begin_together_all_wait_for_the_database(clients: list[Client], backend: str) -> None:
    known: Future[None] = Future()
    client = client_of(clients, consent="implied", delivery=Reaching(lambda: (known, 60.0)))
    seen: list[bool] = []

    async def view(_: object) -> None:
        seen.append(known.done())

    async def requests() -> None:
        async with anyio.create_task_group() as group:
            for _ in range(3):
                group.start_soon(visit, client, view)
            await anyio.wait_all_tasks_blocked()
            assert seen == []
            known.set_result(None)

    anyio.run(requests, backend=backend)
    assert seen == [True, True, True]
    assert client.is_prepared


def test_request_that_is_cancelled_leaves_the_wait_to_the_next_one(clients: list[Client]) -> None:
    client = client_of(clients, delivery=Reaching(lambda: (Future(), 60.0)))

    async def cancelled() -> None:
        async with anyio.create_task_group() as group:
            group.start_soon(client.prepare)
            await anyio.wait_all_tasks_blocked()
            group.cancel_scope.cancel()

    anyio.run(cancelled)
    assert not client.is_prepared


@pytest.mark.swallows
def test_database_that_cannot_be_looked_for_is_looked_for_once(clients: list[Client]) -> None:
    def unreachable() -> tuple[Future[None], float]:
        raise OSError

    client = client_of(clients, delivery=Reaching(unreachable))
    anyio.run(client.prepare)
    assert client.is_prepared


def test_our_own_path_is_answered(clients: list[Client]) -> None:
    client = client_of(clients)
    assert client.own_response(scope_request("/").raw) is None
    found = client.own_response(scope_request(client.runtime.snippet.helper_path).raw)
    assert isinstance(found, Answer)
    assert found.status == 200


@pytest.mark.swallows
def test_a_mistake_in_our_own_path_leaves_the_request_to_the_app(
    clients: list[Client],
) -> None:
    client = client_of(clients)
    helper_path = client.runtime.snippet.helper_path
    client.runtime = replace(client.runtime, snippet=cast("Any", None))
    assert client.own_response(scope_request(helper_path).raw) is None


def test_a_client_is_closed_twice_without_harm(clients: list[Client]) -> None:
    client = client_of(clients)
    assert client.flush(1) is True
    assert client.close(1) is True
    assert client.close(1) is True


def test_a_debug_framework_makes_a_strict_client(clients: list[Client]) -> None:
    client = Client.from_env({"TIKTOK_PIXEL_ID": PIXEL, "TIKTOK_OUTBOX": "memory://"}, is_debug=True, gpc="limit")
    clients.append(client)
    assert (client.config.strict, client.config.environment, client.config.gpc) == (True, "development", "limit")
    assert client.runtime.clock() > NOW


def test_first_cookie_waits_for_no_list(clients: list[Client]) -> None:
    """The list of public suffixes takes 25 ms to read, which the event loop of the first landing would wait for."""
    client_of(clients)
    assert _wiring._suffix_list.cache_info().currsize == 1
