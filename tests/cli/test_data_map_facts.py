"""Each row of the data map is compared with what the code does with a real request, a real outbox or a real page."""

from __future__ import annotations

import base64
import binascii
import contextlib
import io
import json
import logging
import re
import sqlite3
import stat
import tempfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.contract.adapters import Request, Response, Seen, WsgiServer, list_app, through_wsgi
from tests.core.core_world import GOOD_TTP
from tiktok_middleware import Client, Config
from tiktok_middleware.cli.data_map import data_map
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Verdict
from tiktok_middleware.core.pixel.signed_event import SEALED_LIFE_S
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.core.visitor.snapshot import SNAPSHOT_MAX_AGE_S
from tiktok_middleware.delivery.celery import BatchMessage
from tiktok_middleware.delivery.delivery import Delivery
from tiktok_middleware.delivery.outbox.deferred import DEFERRED_LIFE_S
from tiktok_middleware.delivery.outbox.expiry import IMPORTED_TTL_S, PAIRED_TTL_S, UNPAIRED_TTL_S
from tiktok_middleware.delivery.outbox.sqlite.once_claims import ONCE_RETENTION_S
from tiktok_middleware.wsgi import TikTokMiddleware

PIXEL = "C0000000000000000000"
CLICK = "E.C.P.abcdefghijklmnopqrst"
AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"
NAVIGATION = {
    "sec-fetch-mode": "navigate",
    "sec-fetch-dest": "document",
    "accept": "text/html",
    "accept-language": "de-DE,de;q=0.9",
    "user-agent": AGENT,
    "cookie": f"_ttp={GOOD_TTP}",
    "referer": "https://search.example/?q=mugs",
}
IDENTITY = {
    "email": "ada@example.com",
    "phone": "+4915112345678",
    "external_id": "customer-4711",
    "first_name": "Ada",
    "last_name": "Lovelace",
    "zip_code": "10115",
    "city": "Berlin",
    "state": "Berlin",
    "country": "de",
}
arrived: list[Record] = []


class Sink:
    """Keeps every server copy."""

    def send(self, batch: list[Record]) -> list[Verdict]:
        arrived.extend(batch)
        return [Delivered()] * len(batch)

    def close(self) -> None:
        pass


def make_sink(_: object) -> Sink:
    return Sink()


class Visit:
    """One page of a visitor who comes from an ad, and what left with it.

    Attributes:
        seen: the response.
        page: its text.
        items: the server copies.
        cookies: attributes of each cookie that was set; ``Max-Age=0`` deletes.
    """

    def __init__(
        self,
        *,
        headers: Mapping[str, str] | None = None,
        query: str = f"ttclid={CLICK}&utm_source=tiktok&session=s3cret",
        path: str = "/shop",
        response: Response | None = None,
        events: Any = (("Purchase", {"value": 5, "currency": "EUR"}),),
        identify: Mapping[str, str] | None = None,
        **options: Any,
    ) -> None:
        arrived.clear()
        client = client_of(**options)
        made = response or Response(events=events)
        asked = {**NAVIGATION, **(headers or {})}
        if identify:
            self.seen = _identified(client, Request(path=path, query=query, headers=asked), made, identify)
        else:
            self.seen = through_wsgi(client, Request(path=path, query=query, headers=asked), made)
        client.flush(5)
        client.close(5)
        self.page = self.seen.body.decode("latin-1")
        self.records = list(arrived)
        self.items: list[dict[str, Any]] = [json.loads(record.body) for record in arrived]
        set_cookies = [value for name, value in self.seen.headers if name == "set-cookie"]
        self.cookies = {value.partition("=")[0]: value for value in set_cookies}

    @property
    def config(self) -> dict[str, Any]:
        """What the page's script is called with; empty without one."""
        found = re.search(r"window,document,(\{.*?\})\);</script>", self.page, re.DOTALL)
        return json.loads(found[1]) if found is not None else {}

    @property
    def loads_pixel(self) -> bool:
        """Whether the page loads TikTok's script by itself, without waiting for anything."""
        return PIXEL in self.config.get("p", []) and not self.config.get("w")


def _identified(client: Client, request: Request, response: Response, identity: Mapping[str, str]) -> Seen:
    inner = list_app(response)

    def app(environ: Any, start_response: Any) -> Any:
        environ[KEY].identify(**identity)
        return inner(environ, start_response)

    return WsgiServer().serve(TikTokMiddleware(app, client), request)


def client_of(**options: Any) -> Client:
    given = {
        "pixel_id": PIXEL,
        "access_token": "t",
        "secret_key": "k",
        "api_url": "http://127.0.0.1:9/open_api/v1.3",
        "outbox": "memory://",
        "sink": f"import:{__name__}:make_sink",
        **options,
    }
    return Client(Config(**given))


def lasts(visit: Visit, name: str, seconds: int) -> None:
    """Check that the response sets the cookie for this time."""
    assert f"Max-Age={seconds};" in visit.cookies[name], visit.cookies


def user(visit: Visit) -> dict[str, Any]:
    found: dict[str, Any] = visit.items[0]["user"]
    return found


# -- who receives data


def browser_receives() -> None:
    assert "https://analytics.tiktok.com/i18n/pixel/events.js" in Visit().page
    assert not Visit(snippet="off").loads_pixel


def server_receives() -> None:
    assert [record.pixel for record in Visit().records] == [PIXEL]
    assert Visit(access_token="").records == []


def endpoint_receives() -> None:
    client = client_of()
    assert through_wsgi(client, Request("POST", "/_tiktok/collect"), Response()).status == 403
    client.close(0)


# -- what each answer means

COOKIE = f"_ttp={GOOD_TTP}; ttclid={CLICK}"


def answer(consent: str = "implied", cookie: str = "", **headers: str) -> tuple[bool, str, int]:
    """Return whether the page loads the pixel, what happens to TikTok's cookies, and how many copies leave."""
    found = Visit(consent=consent, headers={"cookie": "; ".join(filter(None, [COOKIE, cookie])), **headers})
    ours = [text for name, text in found.cookies.items() if name in {"_ttp", "ttclid"}]
    deleted = [text for text in ours if "Max-Age=0" in text]
    return found.loads_pixel, "deleted" if deleted else "set" if ours else "none", len(found.items)


def granted() -> None:
    assert answer() == (True, "set", 1)
    assert Visit(limited_data_use=True).items[0]["limited_data_use"] is True


def unknown() -> None:
    assert answer("required")[0::2] == (False, 0)
    assert answer("required")[1] in {"none", "deleted"}


def refused() -> None:
    assert answer(cookie="_tt_consent=d") == (False, "deleted", 0)


def opted_out() -> None:
    assert answer(cookie="usprivacy=1YYN") == (False, "deleted", 0)


def control() -> None:
    assert answer(**{"sec-gpc": "1"}) == (False, "deleted", 0)
    limited = Visit(gpc="limit", headers={"sec-gpc": "1"})
    assert (limited.loads_pixel, limited.items[0]["limited_data_use"]) == (True, True)
    ignored = Visit(gpc="ignore", headers={"sec-gpc": "1"})
    assert (ignored.loads_pixel, ignored.items[0]["limited_data_use"]) == (True, False)


# -- events by purpose


def purposes() -> None:
    before, after = Visit(consent="required"), Visit(consent="required", headers={"cookie": "_tt_consent=g"})
    assert (before.items, len(after.items)) == ([], 1)
    assert after.loads_pixel


# -- what is shared


def name_id_time() -> None:
    found = Visit()
    item = found.items[0]
    assert item["event"] == "Purchase"
    assert item["event_id"] in found.page
    assert item["event_time"] > 1_700_000_000


def parameters() -> None:
    found = Visit()
    assert found.items[0]["properties"] == {"value": 5, "currency": "EUR"}
    assert '"value":5' in found.page


def hashed(*keys: str) -> Callable[[], None]:
    def fact() -> None:
        found = Visit(identify=IDENTITY)
        for key in keys:
            sent = user(found)[key]
            assert re.fullmatch(r"[0-9a-f]{64}", sent), key
            assert IDENTITY[key] not in json.dumps(found.items)
            assert IDENTITY[key] not in found.page.replace(PIXEL, "")
        if "email" in keys:
            assert user(found)["email"] == sha256(b"ada@example.com").hexdigest()
        assert not set(keys) & set(user(Visit())), "after identify() alone"

    return fact


def places() -> None:
    found = user(Visit(identify=IDENTITY))
    assert {found["city"], found["state"], found["country"]} == {"berlin", "de"}


def has(key: str, value: str) -> Callable[[], None]:
    def fact() -> None:
        assert user(Visit())[key] == value
        if key != "locale":
            assert key not in user(Visit(match_keys="email"))

    return fact


def address_of_the_page() -> None:
    found = Visit(url_allow="color", query=f"ttclid={CLICK}&utm_source=tiktok&session=s3cret&color=red")
    assert found.items[0]["page"]["url"] == f"http://shop.example/shop?ttclid={CLICK}&utm_source=tiktok&color=red"
    assert "utm_source" not in Visit(url_deny="utm_source").items[0]["page"]["url"]


def address_before() -> None:
    assert Visit().items[0]["page"]["referrer"] == "https://search.example/"


def script_events() -> None:
    assert not Visit().config.get("n"), "a page reports no event of its own scripts"
    assert Visit(browser_events="Search").config["n"] == "/_tiktok/collect"


def crawlers() -> None:
    assert Visit(headers={"user-agent": "Googlebot/2.1 (+http://www.google.com/bot.html)"}).items == []


# -- what the pixel does by itself


def option(name: str) -> Callable[[], None]:
    """Return the fact that an option of the pixel follows ours."""

    def fact() -> None:
        key = {"history_observer": "historyObserver", "auto_events": "autoConfig"}[name]
        options: Any = {name: True}, {name: False}
        on, off = (Visit(**one).page for one in options)
        assert on != off
        assert key in off or key in on

    return fact


def page_views() -> None:
    assert '"v":1' in Visit(page_view="browser").page
    assert '"v":1' not in Visit(page_view="off").page
    assert "Pageview" in Visit(page_view="matched").page


def excluded() -> None:
    found = Visit(exclude="/shop")
    assert not found.loads_pixel
    assert found.items == []


def identity_in_the_address() -> None:
    assert not Visit(query="email=ada%40example.com").loads_pixel
    assert not Visit(query="phone=%2B4915112345678").loads_pixel


def events_manager() -> None:
    """TikTok's own switches: no option of this package sends or reads them."""
    assert not re.search(r"autoAdvancedMatching|microdata|dataLayer", Visit().page)


# -- cookies


def cookie(name: str) -> Callable[[], None]:
    def fact() -> None:
        found = Visit()
        age = re.search(r"Max-Age=(\d+);", found.cookies[name])
        assert age is not None
        days = round(int(age[1]) / 86_400)
        [shown] = [row[1] for title, row in table() if title.startswith("Cookies (first") and row[0] == name]
        assert shown == ("1 day" if days == 1 else f"{days} days")
        assert "SameSite=Lax" in found.cookies[name]
        assert name not in Visit(consent="required", headers={"cookie": ""}).cookies

    return fact


def visit_cookie() -> None:
    found = Visit(events=(("Contact", {"once_per": "visit"}),))
    lasts(found, "_tt_visit", 1800)


def redirect_cookie() -> None:
    response = Response(status=303, headers=(("Location", "/thanks"),), pieces=(b"",), events=(("Contact", {}),))
    found = Visit(response=response)
    [name] = [name for name in found.cookies if name.startswith("_tt_carry.")]
    lasts(found, name, 3600)


def sealed_cookie() -> None:
    response = Response(status=303, headers=(("Location", "/thanks"),), pieces=(b"",), events=(("Contact", {}),))
    headers = {"sec-fetch-site": "cross-site", "cookie": "", "origin": "https://bank.example"}
    client = client_of()
    asked = Request("POST", "/return", headers={**NAVIGATION, **headers})
    found = through_wsgi(client, asked, response)
    client.close(0)
    [value] = [value for name, value in found.headers if name == "set-cookie" and value.startswith("_tt_carry_sealed=")]
    assert "Max-Age=3600;" in value


def choice(name: str) -> Callable[[], None]:
    def fact() -> None:
        client = client_of(consent="onetrust")

        def app(environ: Any, start_response: Any) -> Any:
            environ[KEY].revoke_consent()
            start_response("200 OK", [("Content-Type", "text/html")])
            return [b"<!doctype html><title>x</title>"]

        found = WsgiServer().serve(TikTokMiddleware(app, client), Request(headers=NAVIGATION))
        client.close(0)
        [value] = [value for key, value in found.headers if key == "set-cookie" and value.startswith(f"{name}=")]
        assert f"Max-Age={180 * 86_400};" in value

    return fact


def pixels_own() -> None:
    """TikTok's script sets these; it runs nowhere where the page does not load it."""
    assert not Visit(snippet="off").loads_pixel
    assert not Visit(headers={"cookie": "_tt_consent=d"}).loads_pixel


# -- what is kept


def stored(**options: Any) -> Iterator[Path]:
    """Yield an outbox file in which an event of a visitor waits."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        path = Path(folder) / "outbox.sqlite3"
        client = client_of(outbox=f"sqlite:///{path}", sink="direct", **options)
        with client.tracker(
            consent=True, email="ada@example.com", url="https://shop.example/?email=ada@example.com"
        ) as job:
            job.track("Purchase", order_id="A-1", value=5, currency="EUR")
        client.close(5)  # its threads have closed the file
        yield path


def columns(path: Path, table: str) -> set[str]:
    db = sqlite3.connect(path)
    found = {row[1] for row in db.execute(f"PRAGMA table_info({table})")}
    db.close()
    return found


def waiting() -> None:
    assert (PAIRED_TTL_S, UNPAIRED_TTL_S, IMPORTED_TTL_S) == (47 * 3600, 7 * 86_400, 28 * 86_400)
    for path in stored():
        files = list(path.parent.glob(f"{path.name}*"))
        assert {stat.S_IMODE(file.stat().st_mode) for file in files if file.suffix != ".helper"} == {0o600}
        held = b"".join(file.read_bytes() for file in files)
        assert sha256(b"ada@example.com").hexdigest().encode() in held
        assert b"ada@example.com" not in held


def dead_letters() -> None:
    delivery = client_of(dead_letter_days=11).delivery
    assert isinstance(delivery, Delivery)
    assert "dead_s=950400" in repr(delivery._options)


def ledger() -> None:
    known = {"environment", "pixel", "source", "event", "event_id", "order_id", "value", "currency", "channels"}
    for path in stored():
        assert columns(path, "ledger") == known | {"id", "reason", "request_id", "event_time", "at"}


def counted() -> None:
    assert ONCE_RETENTION_S == 400 * 86_400
    for path in stored():
        assert columns(path, "once") == {"event_id", "channel", "at"}


def deferred() -> None:
    assert DEFERRED_LIFE_S == 86_400
    for path in stored():
        assert columns(path, "parcels") == {"ref", "body", "at"}


def envelopes() -> None:
    found = Visit(consent="required", identify=IDENTITY)
    tokens = [entry[3] for entry in found.config["s"]]
    assert tokens
    hashed_email = sha256(b"ada@example.com").hexdigest()
    for text in (found.page, *map(_readable, tokens)):
        assert "ada@example.com" not in text
    assert any(hashed_email in _readable(token) for token in tokens)
    assert SEALED_LIFE_S == 86_400


def snapshots() -> None:
    assert SNAPSHOT_MAX_AGE_S == 400 * 86_400
    taken: list[str] = []
    client = client_of()

    def app(environ: Any, start_response: Any) -> Any:
        environ[KEY].identify(**IDENTITY)
        taken.append(environ[KEY].snapshot())
        start_response("200 OK", [("Content-Type", "text/plain")])
        return [b"x"]

    for cookie in (COOKIE, f"{COOKIE}; _tt_consent=d"):
        WsgiServer().serve(TikTokMiddleware(app, client), Request(headers={**NAVIGATION, "cookie": cookie}))
    client.close(0)
    agreed, not_agreed = map(_readable, taken)
    assert CLICK in agreed
    assert "203.0.113.9" in agreed
    assert "ada@example.com" not in agreed
    assert CLICK not in not_agreed
    assert "203.0.113.9" not in not_agreed


def _readable(token: str) -> str:
    """Return every part of a signed token as text, unpacked where it is packed."""
    texts = [token]
    for part in re.split(r"[.]", token):
        with contextlib.suppress(zlib.error, binascii.Error):
            raw = base64.urlsafe_b64decode(part.encode() + b"=" * (-len(part) % 4))
            texts.append(raw.decode("latin-1"))
            texts.append(zlib.decompress(raw).decode("latin-1"))
    return "\n".join(texts)


def broker_messages() -> None:
    record = Record(PIXEL, "web", "Contact", "id-1", 1, b'{"user":{"email":"%s"}}' % (b"f" * 64))
    message = msgspec.json.encode(BatchMessage.of([record])).decode()
    assert "access_token" not in message
    assert "f" * 64 in message


def log_lines() -> None:
    """Log a visitor's whole story at DEBUG, and find nothing of the visitor or the token in it."""
    heard = io.StringIO()
    handler, logger = logging.StreamHandler(heard), logging.getLogger("tiktok_middleware")
    before = logger.level
    logger.addHandler(handler)
    logger.setLevel("DEBUG")
    try:
        Visit(identify=IDENTITY, query="email=ada%40example.com", access_token="5f4dcc3b5aa765d61d8327deb882cf99")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
    for value in ("ada@example.com", "ada%40example.com", "+4915112345678", "5f4dcc3b5aa7", GOOD_TTP, "203.0.113.9"):
        assert value not in heard.getvalue()


FACTS: dict[tuple[str, str], Callable[[], None]] = {
    ("Who", "browser"): browser_receives,
    ("Who", "server"): server_receives,
    ("Who", "this site's own endpoint"): endpoint_receives,
    ("What each", "granted"): granted,
    ("What each", "unknown"): unknown,
    ("What each", "refused"): refused,
    ("What each", "opted out by GPP or usprivacy"): opted_out,
    ("What each", "Global Privacy Control"): control,
    ("Events by purpose", "*"): purposes,
    ("What is shared", "event name, id, time"): name_id_time,
    ("What is shared", "parameters such as value, currency, contents"): parameters,
    ("What is shared", "e-mail address, phone number, external id"): hashed("email", "phone", "external_id"),
    ("What is shared", "first name, last name, zip code"): hashed("first_name", "last_name", "zip_code"),
    ("What is shared", "city, state, country"): places,
    ("What is shared", "click id (ttclid)"): has("ttclid", CLICK),
    ("What is shared", "browser id (_ttp)"): has("ttp", GOOD_TTP),
    ("What is shared", "IP address"): has("ip", "203.0.113.9"),
    ("What is shared", "user agent"): has("user_agent", AGENT),
    ("What is shared", "the browser's first language"): has("locale", "de-DE"),
    ("What is shared", "address of the page"): address_of_the_page,
    ("What is shared", "address of the page before"): address_before,
    ("What is shared", "events that a page's own script sends"): script_events,
    ("What is shared", "that a visitor is a crawler"): crawlers,
    ("What the pixel", "page views"): page_views,
    ("What the pixel", "page views on route changes"): option("history_observer"),
    ("What the pixel", "clicks, page metadata (automatic events)"): option("auto_events"),
    ("What the pixel", "e-mail and phone from forms (automatic advanced matching)"): events_manager,
    ("What the pixel", "microdata"): events_manager,
    ("What the pixel", "all of it on some paths"): excluded,
    ("What the pixel", "pages whose own address"): identity_in_the_address,
    ("Cookies (first", "ttclid"): cookie("ttclid"),
    ("Cookies (first", "_ttp"): cookie("_ttp"),
    ("Cookies (first", "_tt_fresh"): cookie("_tt_fresh"),
    ("Cookies (first", "_tt_visit"): visit_cookie,
    ("Cookies (first", "_tt_carry.*"): redirect_cookie,
    ("Cookies (first", "_tt_carry_sealed"): sealed_cookie,
    ("Cookies (first", "_tt_consent"): choice("_tt_consent"),
    ("Cookies (first", "_tt_said"): choice("_tt_said"),
    ("Cookies that TikTok", "*"): pixels_own,
    ("What is kept", "events that wait"): waiting,
    ("What is kept", "dead letters"): dead_letters,
    ("What is kept", "the ledger of delivered events"): ledger,
    ("What is kept", "which ids are counted"): counted,
    ("What is kept", "copies too large for a header"): deferred,
    ("What is kept", "events that wait for a browser's word (envelopes)"): envelopes,
    ("What is kept", "snapshot() of a visitor"): snapshots,
    ("What is kept", "messages to Celery"): broker_messages,
    ("What is kept", "log lines"): log_lines,
}


def table() -> Iterator[tuple[str, tuple[str, ...]]]:
    config = Config(pixel_id=PIXEL, access_token="t", sink="celery", celery_broker="memory://")
    for section in data_map(config).sections:
        for row in section.rows:
            yield section.title, row


def rows() -> Iterator[tuple[str, str]]:
    for title, row in table():
        yield title, row[0]


#: Rows whose text is too long to repeat here, by their first words.
BEGINNINGS = ("microdata", "pages whose own address")


def is_about(fact: tuple[str, str], title: str, first: str) -> bool:
    part, name = fact
    if not title.startswith(part):
        return False
    return first.startswith(name) if name in BEGINNINGS else name in {"*", first}


@pytest.mark.parametrize("row", [*rows()], ids=" - ".join)
def test_every_row_has_its_fact(row: tuple[str, str]) -> None:
    assert sum(is_about(fact, *row) for fact in FACTS) == 1


@pytest.mark.parametrize("fact", FACTS, ids=" - ".join)
def test_row_says_what_the_code_does(fact: tuple[str, str]) -> None:
    assert any(is_about(fact, *row) for row in rows())
    FACTS[fact]()
