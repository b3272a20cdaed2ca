"""A response whose decision is replayed is the response that an Exchange would have made."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.contract.adapters import (
    HTML,
    PAGE,
    Request,
    Response,
    generator_app,
    make_client,
    through_asgi,
    through_wsgi,
)
from tests.contract.test_adapters_agree import requests, responses, same_start
from tests.strategies import examples
from tiktok_middleware import Client
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.page import body as body_module
from tiktok_middleware.core.page import head_end
from tiktok_middleware.core.page.known_heads import KnownHeads, Tags
from tiktok_middleware.core.response import exchange as exchange_module
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.page_script import page_script
from tiktok_middleware.core.runtime import BoundedCache
from tiktok_middleware.core.visitor.click_ids import is_ttclid
from tiktok_middleware.core.visitor.url_redaction import holds_identity

SETTINGS: dict[str, dict[str, Any]] = {
    "plain": {},
    "required": {"consent": "required"},
    "platform": {"consent": "cookiebot"},
    "limited": {"gpc": "limit"},
    "exclusions": {"exclude": "/shop/private*"},
    "mint": {"ttp": "mint"},
    "matched": {"page_view": "matched"},
    "extended": {"csp": "extend"},
    "proxied": {"trusted_proxies": "1"},
    "signals ignored": {"gpc": "ignore"},
    "off": {"enabled": False},
    "server only": {"snippet": "off"},
    "cookie": {"consent": "cookie:agreed=yes"},
    "bridge": {"consent": "bridge:google"},
}
COOKIES = [
    *(
        "",
        "",
        "_ttp=01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1; ttclid=E.C.P.abc; _tt_fresh=cp",
        "_tt_consent=g",
        "_tt_consent=d",
    ),
    *("CookieConsent={marketing:true}", "CookieConsent={marketing:false}", "usprivacy=1YYN", "_tt_carry=forged"),
    *("_tt_said=g.1760000000000", "ttclid=__CLICKID__", "a=b; _ttp=short", "tiktok_ttclid=E.C.P.other", "agreed=yes"),
    *(
        "_tt_consent=g; _tt_consent=d",
        "__gpp=DBABLA~BVAUAAAAAAWA.QA",
        "ttclid=E.C.P.old; _tt_fresh=cp",
        "x=" + "y" * 5000,
    ),
]
QUERIES = [
    *("ttclid=E.C.P.1", "utm_source=tiktok&ttclid=E.C.P.22&utm_medium=cpc", "ttclid=E.C.P.1&ttclid=E.C.P.2", "ttclid="),
    *("ttclid=a%20b", "xttclid=E.C.P.1", "ttclid=__CLICKID__", "email=bob%40example.com", "page=2", "ttclid=1"),
]
REFERRERS = [
    "http://shop.example/?ttclid=E.C.P.referred",
    "https://other.example/?ttclid=E.C.P.x",
    "http://shop.example/",
]
FORWARDED = [{}, {"x-forwarded-proto": "https", "x-forwarded-host": "www.shop.example"}, {"host": "sub.shop.example"}]
PATHS = ["/shop", "/shop", "/shop/private", "/shop/bob@example.com", "/shop/caf\xc3\xa9"]
HEADERS = [
    *(("ETag", '"a"'), ("Last-Modified", "Wed, 21 Oct 2026 07:28:00 GMT"), ("Cache-Control", "no-cache")),
    *(("Cache-Control", "max-age=0"), ("X-Frame-Options", "DENY"), ("Set-Cookie", "a=b"), ("Content-Length", "x")),
]
POLICY = "script-src 'self' https://analytics.tiktok.com; report-uri /csp"
NONCES = "script-src 'nonce-abc123' 'strict-dynamic'"
POLICIES = [
    *(("Content-Security-Policy", POLICY), ("Content-Security-Policy-Report-Only", POLICY)),
    *(("Content-Security-Policy", NONCES), ("content-security-policy", NONCES.replace("nonce", "Nonce"))),
    *(("Content-Security-Policy", "script-src http://shop.example"), ("Content-Security-Policy", "x" * 5000)),
]
HEADS = [
    *(b"<base href='/other/'>", b"<base target=_top>", b"<base href=/a><base href=/b>"),
    *(b'<meta http-equiv=Content-Security-Policy content="%b">' % text.encode() for text in (POLICY, NONCES, "")),
    b"<meta http-equiv=content-security-policy content=\"img-src 'self'\"><base href=https://cdn.example/>",
]
TAGGED = [PAGE.replace(b"<title>", head + b"<title>") for head in HEADS]
USUAL = [
    *(Response(headers=(HTML, policy)) for policy in POLICIES),
    *(Response(pieces=(page,), has_length=True) for page in TAGGED),
    *(Response(headers=(HTML, POLICIES[0]), pieces=(page,)) for page in TAGGED),
    Response(pieces=(TAGGED[0], PAGE), is_streamed=True),
    Response(headers=(("Content-Type", "text/html"),), pieces=(TAGGED[0],)),
    *(Response(headers=(HTML, header)) for header in HEADERS),
    *(Response(headers=(HTML, ("Cache-Control", "private"), header), has_length=True) for header in HEADERS[:2]),
    Response(headers=(("Content-Type", "text/html"),)),
    Response(headers=(("Content-Type", "application/json"),), pieces=(b"{}",), has_length=True),
    Response(status=302, headers=(("Location", "/next"),), pieces=(b"",)),
    Response(),
    Response(has_length=True),
    Response(pieces=(PAGE, PAGE), is_streamed=True),
]


class Forgetful(BoundedCache[Any, Any]):
    """Makes every page go the general way."""

    def keep(self, key: Any, answer: Any) -> None:
        pass


class NoHeads(KnownHeads):
    """Remembers no head, so that each is searched."""

    def place(self, path: object, piece: bytes) -> int:
        return -1

    def learn(self, path: object, piece: bytes, place: int, tags: Tags | None = None) -> None:
        pass


@pytest.fixture(scope="module", params=SETTINGS)
def clients(request: pytest.FixtureRequest) -> Iterator[tuple[Client, Client]]:
    both = make_client(**SETTINGS[request.param]), make_client(**SETTINGS[request.param])
    both[1].runtime.decisions = Forgetful()
    both[1].runtime.heads = NoHeads()
    yield both
    for client in both:
        client.close(0)


@st.composite
def asked(draw: st.DrawFn) -> Request:
    """A request as the adapters' own tests make it, with what only some visitors bring."""
    made = draw(requests)
    own = {
        "cookie": draw(st.sampled_from(COOKIES)),
        "referer": draw(st.sampled_from(["", "", *REFERRERS])),
        **draw(st.sampled_from(FORWARDED)),
    }
    headers = {**made.headers, **{name: value for name, value in own.items() if value}}
    query = draw(st.sampled_from([made.query, made.query, *QUERIES]))
    return replace(made, path=draw(st.sampled_from(PATHS)), query=query, headers=headers)


@settings(max_examples=examples(200))
@given(request=asked(), response=st.one_of(responses(), st.sampled_from(USUAL)))
def test_replayed_response_equals_the_response_of_an_exchange(
    clients: tuple[Client, Client], request: Request, response: Response
) -> None:
    learned, general = clients
    for through, args in ((through_asgi, ()), (through_wsgi, ()), (through_wsgi, (generator_app,))):
        same_start(general)
        expected = through(general, request, response, *args)
        for _ in ("it may learn", "and has learned"):
            same_start(learned)
            assert through(learned, request, response, *args) == expected


def forbid_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let an exchange that makes a script fail."""
    monkeypatch.setattr(exchange_module, "page_script", None)


def test_first_page_records_its_decision_and_the_next_replays_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the test above would compare the exchange with itself."""
    client = make_client()
    assert client.runtime.decisions == {}
    first = through_asgi(client, Request(), Response())
    assert len(client.runtime.decisions) == 1
    forbid_scripts(monkeypatch)
    assert through_asgi(client, Request(query="page=2"), Response()) == first
    client.close()


@pytest.mark.parametrize("through", [through_asgi, through_wsgi])
@pytest.mark.parametrize(
    "response",
    [
        *(Response(headers=(HTML, policy)) for policy in POLICIES[:2]),
        *(Response(pieces=(page,)) for page in (*TAGGED[:4], *TAGGED[5:])),
    ],
)
def test_page_with_policy_or_base_is_replayed_from_the_third_on(
    monkeypatch: pytest.MonkeyPatch, through: Callable[..., Any], response: Response
) -> None:
    """The first page records the decision, the second the script for the tags of its head."""
    client = make_client()
    first = through(client, Request(), response)
    assert through(client, Request(), response) == first
    forbid_scripts(monkeypatch)
    for _ in range(3):
        assert through(client, Request(query="page=2"), response) == first
    client.close()


@pytest.mark.parametrize("through", [through_asgi, through_wsgi])
def test_pages_of_one_path_with_other_tags_each_get_their_own_script(through: Callable[..., Any]) -> None:
    client, general = make_client(), make_client()
    general.runtime.decisions, general.runtime.heads = Forgetful(), NoHeads()
    for _ in range(12):
        for page in (*TAGGED, PAGE):
            response = Response(pieces=(page,))
            assert through(client, Request(), response) == through(general, Request(), response)
    client.close()
    general.close()


@pytest.mark.parametrize("through", [through_asgi, through_wsgi])
def test_head_of_page_with_events_is_searched_twice_at_most(
    monkeypatch: pytest.MonkeyPatch, through: Callable[..., Any]
) -> None:
    """An Exchange decides such a page each time."""
    client, general = make_client(), make_client()
    general.runtime.heads = NoHeads()
    searched: list[bytes] = []
    search = head_end.first_run

    def first_run(data: bytes, *, is_charset_named: bool) -> tuple[int, bool]:
        searched.append(data)
        return search(data, is_charset_named=is_charset_named)

    response = Response(events=(("Search", {"event_time": 1_760_000_000}),))
    request = Request(path="/search", headers=NAVIGATION)
    for _ in range(5):
        same_start(client)
        same_start(general)
        expected = through(general, request, response)
        with monkeypatch.context() as patched:
            patched.setattr(body_module, "first_run", first_run)
            assert through(client, request, response) == expected
    assert len(searched) == 2
    client.close()
    general.close()


@pytest.mark.parametrize("through", [through_asgi, through_wsgi])
def test_policy_with_a_nonce_is_never_replayed(through: Callable[..., Any]) -> None:
    client = make_client()
    for number in range(4):
        policy = ("Content-Security-Policy", f"script-src 'nonce-n{number}'")
        page = through(client, Request(), Response(headers=(HTML, policy))).body
        assert f'nonce="n{number}"'.encode() in page
    client.close()


def before_each_script(monkeypatch: pytest.MonkeyPatch, use: Callable[[BrowserOutput], object]) -> None:
    """Let the decision use something else too."""

    def script(output: BrowserOutput, *args: Any, **options: Any) -> Any:
        use(output)
        return page_script(output, *args, **options)

    monkeypatch.setattr(exchange_module, "page_script", script)


@pytest.mark.parametrize(
    "read",
    [
        lambda request: request.header("accept-language"),
        lambda request: request.cookies.get("theme"),
        lambda request: request.host,
        lambda request: request.client,
        lambda request: request.header("referer"),
        lambda request: request.raw,
    ],
    ids=["header", "cookie", "host", "client", "referrer", "raw"],
)
@pytest.mark.parametrize("through", [through_asgi, through_wsgi])
def test_decision_that_reads_more_than_its_key_is_not_replayed(
    monkeypatch: pytest.MonkeyPatch, read: Callable[[RequestView], object], through: Callable[..., Any]
) -> None:
    client = make_client()
    before_each_script(monkeypatch, lambda output: read(output.request))
    for _ in range(2):
        through(client, Request(), Response())
    assert list(client.runtime.decisions.values()) == [None]
    client.close()


@pytest.mark.parametrize("name", ["clock", "random_bytes"])
def test_decision_that_uses_time_or_chance_is_not_replayed(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    client = make_client()
    before_each_script(monkeypatch, lambda output: getattr(output.runtime, name)(*([] if name == "clock" else [1])))
    through_asgi(client, Request(), Response())
    assert list(client.runtime.decisions.values()) == [None]
    client.close()


CLICK_IDS = st.from_regex(r"[A-Za-z0-9._~-]{1,200}", fullmatch=True)


@settings(max_examples=examples(300))
@given(click=CLICK_IDS, rest=st.sampled_from(["", "&utm_source=tiktok", "&page=2", "&email=bob%40example.com"]))
def test_click_id_never_decides_whether_a_target_holds_identity(click: str, rest: str) -> None:
    """The usual path judges targets without their click id."""
    assert holds_identity(f"/shop?ttclid={click}{rest}") == holds_identity(f"/shop?{rest.lstrip('&')}".rstrip("?"))


@settings(max_examples=examples(300))
@given(click=CLICK_IDS)
def test_click_id_with_a_dot_is_valid(click: str) -> None:
    """The usual path does not look further into such an id."""
    assert is_ttclid(f"{click[:100]}.{click[100:]}")


def visitor(number: int) -> tuple[Request, dict[str, str]]:
    """One of many visitors, and what only this one may get."""
    host = f"shop{number % 7}.example"
    query = f"ttclid=E.C.P.v{number}x" if number % 3 else f"page={number % 5}"
    cookies = {0: "", 1: f"session=s{number}", 2: f"_ttp=01K0ABCDEFGHJKMNPQRST{number:08d}"}[number % 4 % 3]
    consent = "; _tt_consent=d" if number % 11 == 0 else ""
    headers = {"host": host, "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    if cookies or consent:
        headers["cookie"] = (cookies + consent).removeprefix("; ")
    return Request(path=f"/p{number % 13}", query=query, headers=headers), {"host": host, "number": str(number)}


def mixed_up(client: Client, count: int) -> list[str]:
    """Which of many interleaved visitors got what is another's, or not their own."""
    found = []
    cookie = re.compile(r"(ttclid|_ttp)=([^;]*);.*?(?:Domain=([^;]*);|$)")
    for number in range(count):
        request, own = visitor(number)
        through = through_asgi if number % 2 else through_wsgi
        seen = through(client, request, Response(has_length=True))
        is_refused = number % 11 == 0
        wanted = set()
        if "ttclid" in request.query and not is_refused:
            wanted.add(("ttclid", f"E.C.P.v{number}x", own["host"]))
        if "_ttp" in request.headers.get("cookie", "") and not is_refused:
            wanted.add(("_ttp", f"01K0ABCDEFGHJKMNPQRST{number:08d}", own["host"]))
        got = {
            (match[1], match[2], match[3] or "")
            for name, value in seen.headers
            if name == "set-cookie" and "Max-Age=0" not in value and (match := cookie.match(value))
        }
        script = b"analytics.tiktok.com" in seen.body
        if got != wanted or script is is_refused or int(seen.header("content-length") or 0) != len(seen.body):
            found.append(f"{number}: {got} for {wanted}, script {script}")
    return found


def test_interleaved_visitors_get_their_own_cookies_and_pages() -> None:
    client = make_client()
    assert mixed_up(client, examples(3000)) == []
    client.close()


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_150_000_interleaved_visitors_get_their_own_cookies_and_pages() -> None:
    client = make_client()
    assert mixed_up(client, 150_000) == []
    client.close()


def test_memory_of_the_usual_path_is_bounded_and_shown() -> None:
    client = make_client()
    for number in range(examples(600)):
        page = b"<!doctype html><html><head><title>%d</title>%b</head><body>" % (number, b"<meta name=x>" * 300)
        request = Request(path=f"/{number}", query=f"q={number}", headers={"accept": f"text/html;q=0.{number}"})
        for _ in range(3):
            through_asgi(client, request, Response(pieces=(page,)))
    shown = client.stats()["caches"]
    assert shown["decisions"] <= 512
    assert shown["targets"] <= 512
    assert 0 < shown["heads_bytes"] <= 4_194_304
    client.close()


class CountingSigner:
    """A signer that counts what it signs, by purpose."""

    def __init__(self, signer: Any) -> None:
        self._signer = signer
        self.purposes: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._signer, name)

    def dump(self, values: Any, *, purpose: str, **options: Any) -> str:
        self.purposes.append(purpose)
        signed: str = self._signer.dump(values, purpose=purpose, **options)
        return signed


NAVIGATION = {"accept": "text/html", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
SEARCH: Any = ("Search", {})


@pytest.mark.parametrize("through", [through_asgi, through_wsgi])
@pytest.mark.parametrize(
    ("settings", "response", "count"),
    [
        ({"consent": "required"}, Response(events=(SEARCH, ("Lead", {}))), 2),
        ({}, Response(headers=(HTML, ("Cache-Control", "public, s-maxage=60")), events=(SEARCH,)), 1),
        ({}, Response(status=302, headers=(("Location", "/next"),), pieces=(b"",), events=(SEARCH,)), 1),
    ],
    ids=["before consent", "shared", "redirect"],
)
def test_each_event_is_signed_once(
    through: Callable[..., Any], settings: dict[str, Any], response: Response, count: int
) -> None:
    """Not once to be measured and once to be sent."""
    client = make_client(**settings)
    client.runtime.signer = signer = CountingSigner(client.runtime.signer)  # type: ignore[assignment]
    through(client, Request(headers=NAVIGATION), response)
    assert len(signer.purposes) == count, signer.purposes
    client.close()
