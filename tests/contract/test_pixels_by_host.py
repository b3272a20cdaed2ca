"""TIKTOK_PIXEL_BY_HOST: each host has its own pixels, on both channels, in claims, signed events and caches."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterator, Mapping, MutableMapping
from pathlib import Path
from typing import Any

import pytest

from tests.contract.adapters import NOW, Request, asgi_messages, seen_of_messages
from tests.contract.test_event_inputs import BROWSER, Both, arrived
from tiktok_middleware import Client, Config, ConfigError
from tiktok_middleware.asgi import TikTokMiddleware as AsgiMiddleware
from tiktok_middleware.core.tracking.pixels_by_host import HostPixels, read_host_pixels

DE, FR, US = "C0000000000000000001", "C0000000000000000002", "C0000000000000000003"
HOSTS: dict[str, Any] = {
    "shop.de": {"pixels": DE, "currency": "EUR"},
    "shop.fr": {"pixels": [FR], "currency": "eur"},
    "shop.com": [US, DE],
    "shop.pl": None,
    # A browser sends a name with other letters in this form.
    "bücher.example".encode("idna").decode(): FR,
    "2001:db8::1": DE,
    "203.0.113.7": US,
}
asked: list[str] = []


def of_host(host: str) -> Any:
    asked.append(host)
    return HOSTS[host]


def broken(host: str) -> str:
    raise RuntimeError(host)


async def slow(host: str) -> str:
    return host


not_a_function = 5


class Slow:
    """An object whose call has to be awaited."""

    async def __call__(self, host: str) -> str:
        return host


slow_object = Slow()


def of_two(host: str, path: str) -> str:
    return host + path


def of_nothing() -> str:
    return DE


class BrokenMapping(Mapping[str, str]):
    """A mapping that cannot be read."""

    def __getitem__(self, key: str) -> str:
        raise RuntimeError(key)

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("keys")

    def __len__(self) -> int:
        return 1


class BrokenList(list[str]):
    """A list that cannot be read."""

    def __iter__(self) -> Iterator[str]:
        raise RuntimeError("items")


class Unnamed:
    """A key that has no text."""

    def __repr__(self) -> str:
        raise RuntimeError("no text")


ANSWERS: list[Any] = []


def unreadable(_: str) -> Any:
    return ANSWERS[0]


def make(outbox: str = "memory://", **options: Any) -> Client:
    config = Config(
        **{
            "pixel_id": f"{DE},{FR},{US}",
            "access_token": "token-de,token-fr,token-us",
            "pixel_by_host": "import:tests.contract.test_pixels_by_host:of_host",
            "api_url": "http://127.0.0.1:9/open_api/v1.3",
            "outbox": outbox,
            "sink": "import:tests.contract.test_event_inputs:make_sink",
            "secret_key": "key",
            **options,
        }
    )
    return Client(config, clock=lambda: NOW)


@pytest.fixture(autouse=True)
def _nothing_has_arrived() -> None:
    arrived.clear()
    asked.clear()


@pytest.fixture
def client() -> Iterator[Client]:
    made = make()
    yield made
    made.close(1)


@pytest.fixture(params=["asgi", "wsgi"])
def both(client: Client, request: pytest.FixtureRequest) -> Both:
    return Both(client, request.param)


def script_of(body: bytes) -> dict[str, Any]:
    """The values of the page's script; empty without a script."""
    found = re.search(rb"\}\)\(window,document,\s*(\{.*?\})\);</script>", body, re.DOTALL)
    return json.loads(found[1]) if found else {}


def purchase(tracker: Any) -> None:
    tracker.track("Purchase", order_id="1001", value=30)


@pytest.mark.parametrize(
    ("host", "pixels", "currency"),
    [
        ("shop.de", [DE], "EUR"),
        ("SHOP.DE:8443", [DE], "EUR"),
        ("shop.de.", [DE], "EUR"),
        ("Shop.De.:443", [DE], "EUR"),
        ("shop.fr", [FR], "EUR"),
        ("shop.com", [US, DE], None),
        ("xn--bcher-kva.example", [FR], None),
        ("XN--Bcher-KVA.example:8443", [FR], None),
        ("[2001:db8::1]", [DE], None),
        ("[2001:DB8::1]:8443", [DE], None),
        ("203.0.113.7:80", [US], None),
    ],
)
def test_host_gets_its_pixels_on_both_channels(both: Both, host: str, pixels: list[str], currency: str | None) -> None:
    seen, copies, _ = both.visit(purchase, host=host)
    assert script_of(seen.body)["p"] == pixels
    assert sorted(record.pixel for record in arrived) == sorted(pixels)
    assert {json.loads(record.body)["properties"].get("currency") for record in arrived} == {currency}
    assert copies[0][1].get("currency") == currency


def test_currency_of_the_host_is_a_default_only(both: Both) -> None:
    def view(tracker: Any) -> None:
        tracker.track("AddToCart", value=5, currency="CHF")
        tracker.track("ViewContent", contents=[{"content_id": "a", "price": 4, "quantity": 2}])
        tracker.track("Search", search_string="mug")
        tracker.track("ViewContent", items=[{"item_id": "a", "price": 1, "currency": c} for c in ("EUR", "USD")])

    _, copies, _ = both.visit(view, host="shop.de")
    assert [copy[1].get("currency") for copy in copies] == ["CHF", "EUR", None, None]


def test_same_order_number_counts_once_for_each_host(both: Both) -> None:
    for host in ("shop.de", "shop.fr", "shop.de", "shop.fr"):
        both.visit(purchase, host=host)
    assert [record.pixel for record in arrived] == [DE, FR]


@pytest.mark.parametrize("kind", ["memory://", "sqlite"])
def test_claims_of_the_browser_are_apart(kind: str, tmp_path: Path) -> None:
    client = make(f"sqlite:///{tmp_path / 'outbox'}" if kind == "sqlite" else kind)
    both = Both(client, "wsgi")
    seen = [len(both.visit(purchase, host=host)[1]) for host in ("shop.de", "shop.fr", "shop.de", "shop.fr")]
    assert seen == [1, 1, 0, 0]
    client.close(5)


@pytest.mark.parametrize("host", ["shop.pl", "shop.example", "203.0.113.9", "localhost", "2001:db8::2"])
def test_host_without_a_pixel_passes_untouched(
    both: Both, client: Client, host: str, caplog: pytest.LogCaptureFixture
) -> None:
    made = []
    address = f"[{host}]" if ":" in host else host
    seen, _, items = both.visit(lambda tracker: made.append(tracker.track("Purchase", value=3)), host=address)
    assert (seen.body, items) == (b"<!doctype html><html><head><title>x</title></head><body>hello</body></html>", [])
    assert [name for name, _ in seen.headers if name in {"set-cookie", "cache-control"}] == []
    assert made[0].channels.server.reason == made[0].channels.browser.reason == "no_pixel_for_host"
    assert client.stats()["counts"]["no_pixel_for_host"] > 0
    both.visit(purchase, host=address)
    lines = [record.getMessage() for record in caplog.records if "no_pixel_for_host" in record.getMessage()]
    assert len(lines) == 1
    assert repr(host) in lines[0]


def test_function_is_asked_once_a_minute_for_each_host() -> None:
    now = [NOW]
    client = make()
    client = Client(client.config, clock=lambda: now[0])
    both = Both(client, "wsgi")
    for _ in range(3):
        both.visit(purchase, host="shop.de")
        both.visit(purchase, host="shop.example")
    assert asked == ["shop.de", "shop.example"]
    now[0] += 61
    both.visit(purchase, host="shop.de")
    assert asked == ["shop.de", "shop.example", "shop.de"]
    client.close(1)


def test_recorded_decisions_of_hosts_are_apart(both: Both) -> None:
    for _ in range(3):
        for host, pixels in (("shop.de", [DE]), ("shop.fr", [FR]), ("shop.com", [US, DE])):
            seen, _, _ = both.visit(lambda _: None, host=host)
            assert script_of(seen.body)["p"] == pixels
    assert both.client.stats()["caches"]["decisions"] >= 3


def test_signed_event_of_one_host_is_refused_on_another(client: Client) -> None:
    both = Both(client, "asgi")
    made: list[str] = []
    both.visit(lambda tracker: made.append(tracker.markup("Contact", on="click")), host="shop.de")
    found = re.search(r"data-tiktok-envelope='([^']*)'|data-tiktok-envelope=\"([^\"]*)\"", made[0])
    assert found is not None
    text = (found[1] or found[2]).replace("&quot;", '"').replace("&#34;", '"')
    token = json.loads(text)[3]
    event_id = f"{int(NOW * 1000):012x}" + "0" * 20

    def post(host: str) -> Any:
        async def app(*_: Any) -> None:
            raise AssertionError("the endpoint is ours")

        body = json.dumps({"u": f"https://{host}/page2", "r": "", "x": [], "c": [], "e": [], "m": [[token, event_id]]})

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": body.encode(), "more_body": False}

        sent: list[dict[str, Any]] = []

        async def send(message: MutableMapping[str, Any]) -> None:
            sent.append(dict(message))

        scope = {
            **asgi_scope_of(host),
            "method": "POST",
            "path": "/_tiktok/collect",
        }
        asyncio.run(AsgiMiddleware(app, client)(scope, receive, send))
        return json.loads(seen_of_messages(sent).body)

    assert [copy[0] for copy in post("shop.de")["e"]] == ["Contact"]
    assert "e" not in post("shop.fr")
    assert client.stats()["counts"]["envelope_pixels"] == 1
    client.flush(5)
    assert [record.pixel for record in arrived] == [DE]


def asgi_scope_of(host: str) -> dict[str, Any]:
    headers = {**BROWSER, "host": host, "sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"}
    return {
        "type": "http",
        "http_version": "1.1",
        "scheme": "https",
        "root_path": "",
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "client": ("203.0.113.9", 50000),
        "server": ("127.0.0.1", 8000),
    }


@pytest.mark.parametrize("max_chars", [None, 500, 200])
def test_webhook_counts_for_the_host_of_the_snapshot(client: Client, max_chars: int | None) -> None:
    both = Both(client, "wsgi")
    kept: list[str] = []
    both.visit(
        lambda tracker: kept.append(tracker.snapshot(max_chars)),
        host="shop.fr",
        cookie="ttclid=E.C.P." + "a" * 80,
    )
    with client.tracker(kept[0]) as tiktok:
        tiktok.track("Purchase", order_id="77", value=5)
    client.flush(5)
    assert [record.pixel for record in arrived] == [FR]
    assert json.loads(arrived[0].body)["properties"]["currency"] == "EUR"


def test_webhook_without_a_snapshot_counts_for_the_host_of_its_url(client: Client) -> None:
    with client.tracker(url="https://shop.com/thanks", consent=True) as tiktok:
        tiktok.track("Purchase", order_id="78", value=5)
    with client.tracker(consent=True) as tiktok:
        event = tiktok.track("Purchase", order_id="79", value=5)
    client.flush(5)
    assert sorted(record.pixel for record in arrived) == [DE, US]
    assert asked == ["shop.com", ""]
    assert event.channels.server.reason == "no_pixel_for_host"


def test_offline_events_need_no_host() -> None:
    client = make(offline_id="7000000000000000001", offline_token="token")
    with client.tracker(source="offline", consent=True) as tiktok:
        tiktok.track("Purchase", order_id="80", value=5, currency="EUR")
    client.flush(5)
    assert [record.pixel for record in arrived] == ["7000000000000000001"]
    client.close(1)


@pytest.mark.parametrize("path", ["/_tiktok/pixel.js"])
def test_pixel_file_holds_the_pixels_of_its_host(client: Client, path: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the endpoint is ours")

    for host, pixels in (("shop.de", [DE]), ("shop.com", [US, DE])):
        seen = seen_of_messages(asgi_messages(AsgiMiddleware(app, client), Request("GET", path, "", {"host": host})))
        assert re.search(rb'"p":(\[.*?\])', seen.body)[1] == json.dumps(pixels, separators=(",", ":")).encode()  # type: ignore[index]


@pytest.mark.swallows
def test_function_that_raises_costs_no_page(caplog: pytest.LogCaptureFixture) -> None:
    client = make(pixel_by_host="import:tests.contract.test_pixels_by_host:broken")
    seen, _, _ = Both(client, "wsgi").visit(purchase, host="shop.de")
    assert script_of(seen.body) == {}
    assert "pixel_by_host failed" in caplog.text
    client.close(1)


@pytest.mark.swallows
@pytest.mark.parametrize("answer", [BrokenMapping(), BrokenList([DE]), {Unnamed(): 1}], ids=["mapping", "list", "key"])
def test_answer_that_cannot_be_read_costs_no_page_and_no_tracker(answer: Any, caplog: pytest.LogCaptureFixture) -> None:
    ANSWERS[:] = [answer]
    client = make(pixel_by_host="import:tests.contract.test_pixels_by_host:unreadable")
    made: list[Any] = []
    for adapter in ("asgi", "wsgi"):
        seen, _, _ = Both(client, adapter).visit(lambda tracker: made.append(tracker.track("Contact")), host="shop.de")
        assert script_of(seen.body) == {}
    assert [event.channels.server.reason for event in made] == ["no_pixel_for_host"] * 2
    assert "pixel_by_host failed" in caplog.text
    client.close(1)


@pytest.mark.parametrize(
    "host", ["shop.de, evil.example", "user@shop.de", "shop.de/path", "shop.de\\x", "..", "-", "%73hop.de", "a" * 300]
)
def test_host_that_is_no_name_counts_as_the_servers_own(both: Both, host: str) -> None:
    seen, _, _ = both.visit(purchase, host=host)
    assert (seen.status, script_of(seen.body)) == (200, {})
    assert all(re.fullmatch(r"[a-z0-9.:]*", one) for one in asked)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("raise RuntimeError('no settings')", "raised RuntimeError: no settings"),
        ("x = (", "raised SyntaxError"),
        ("import no_such_module", "No module named 'no_such_module'"),
        ("1 / 0", "raised ZeroDivisionError"),
    ],
)
def test_module_that_cannot_be_imported_is_named(
    code: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"pixels_{abs(hash(code))}"
    (tmp_path / f"{name}.py").write_text(code)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ConfigError, match=re.escape(message)) as caught:
        make(pixel_by_host=f"import:{name}:of_host")
    assert caught.value.option == "TIKTOK_PIXEL_BY_HOST"


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("shop.de=C1", "TIKTOK_PIXEL_BY_HOST is 'shop.de=C1'; allowed: import:package.module:function"),
        ("import:no.such:f", "TIKTOK_PIXEL_BY_HOST is 'import:no.such:f'; allowed: a function that can be imported"),
        ("import:tests.contract.test_pixels_by_host:missing", "a function that can be imported"),
        ("import:tests.contract.test_pixels_by_host:not_a_function", "a function that takes a host name"),
        ("import:tests.contract.test_pixels_by_host:slow", "without async"),
        ("import:tests.contract.test_pixels_by_host:slow_object", "without async"),
        ("import:tests.contract.test_pixels_by_host:of_two", "missing a required argument: 'path'"),
        ("import:tests.contract.test_pixels_by_host:of_nothing", "too many positional arguments"),
        ("import:tests.contract.test_pixels_by_host:HOSTS.nothing", "that can be imported"),
        ("import:", "import:package.module:function"),
        ("import:shop.pixels", "import:package.module:function"),
        ("import:../pixels:of_host", "import:package.module:function"),
    ],
)
def test_unusable_function_stops_the_start(setting: str, message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        make(pixel_by_host=setting)


@pytest.mark.parametrize(
    ("answer", "found", "problem"),
    [
        (None, (), ""),
        ("", (), ""),
        ([], (), ""),
        (DE, (DE,), ""),
        (f"{DE}, {FR}", (DE, FR), ""),
        ((FR, DE, FR), (FR, DE), ""),
        ({"pixels": None}, (), ""),
        ("C9", (), "pixel id 'C9' is left out; allowed: one of the ids in TIKTOK_PIXEL_ID"),
        ([DE, "C9"], (DE,), "pixel id 'C9' is left out"),
        ([DE, 5], (DE,), "a pixel id is of type int"),
        (5, (), "the function's answer is of type int"),
        (f" {DE} ", (DE,), ""),
        ([f" {DE}", f"{FR}\n"], (DE, FR), ""),
        ({FR}, (FR,), ""),
        ({"pixels": DE, "currency": None}, (DE,), ""),
        (True, (), "the function's answer is of type bool"),
        (iter([DE]), (), "the function's answer is of type list_iterator"),
        ({"pixels": {DE: 1}}, (), "the function's answer is of type dict"),
        ([[DE]], (), "a pixel id is of type list"),
        ([None], (), "a pixel id is of type NoneType"),
        ([""], (), "pixel id '' is left out"),
        (DE.lower(), (), "pixel id 'c0000000000000000001' is left out"),
        ("x" * 10_000, (), f"pixel id '{'x' * 50}' is left out"),
        ({1: 2}, (), "the mapping has the key 1; allowed: pixels, currency"),
        ({"pixels": DE, "currency": "EUR\0"}, (DE,), "the currency is 'EUR\\x00'"),
        ({"pixels": DE, "currency": "\u20acUR"}, (DE,), "the currency is"),
        (b"C1", (), "the function's answer is of type bytes"),
        ({"pixel": DE}, (), "the mapping has the key 'pixel'; allowed: pixels, currency"),
        ({"pixels": DE, "currency": "Euro"}, (DE,), "the currency is 'Euro'; allowed: a code of three letters"),
        ({"pixels": DE, "currency": 978}, (DE,), "the currency is of type int"),
    ],
)
def test_answers_of_the_function(answer: Any, found: tuple[str, ...], problem: str) -> None:
    read, problems = read_host_pixels(answer, (DE, FR))
    assert read == HostPixels(found, "")
    assert (problems[0] if problems else "").startswith(problem)
    assert bool(problems) == bool(problem)


def test_one_token_serves_all_pixels() -> None:
    config = make(access_token="one").config
    assert config.with_pixels((FR,)).token_by_pixel == {FR: "one"}
    assert make().config.with_pixels((US, DE)).token_by_pixel == {US: "token-us", DE: "token-de"}
