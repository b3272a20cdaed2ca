"""What a request says is read alike through both doors, and nothing in it is believed that could be made up."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import DOORS, MakeRequest, environ_request, scope_request
from tests.timing import least_s
from tiktok_middleware.core.http.asgi_request import ScopeRequest
from tiktok_middleware.core.http.cookies import set_cookie
from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.http.wsgi_request import EnvironRequest
from tiktok_middleware.core.visitor.url_redaction import server_address

both = pytest.mark.parametrize("make", DOORS)


@both
def test_the_address_is_what_the_browser_had(make: MakeRequest) -> None:
    request = make("/caf%C3%A9/50%25%20off?q=a%20b&ttclid=E.C.P.x", {"host": "Shop.Example:8443"})
    assert request.url == "https://shop.example:8443/caf%C3%A9/50%25%20off?q=a%20b&ttclid=E.C.P.x"
    assert (request.method, request.scheme, request.hostname) == ("GET", "https", "shop.example")
    assert request.query_value("ttclid") == "E.C.P.x"
    assert request.query_value("q") == "a b"
    assert request.query_value("other") == ""


@both
def test_a_mount_point_is_part_of_the_path(make: MakeRequest) -> None:
    request = make("/cart", mount="/shop/ü")
    assert request.mount == "/shop/ü"
    assert request.path == "/shop/ü/cart"
    assert request.url == "https://shop.example/shop/%C3%BC/cart"


def test_an_older_servers_path_without_its_mount_point_gets_it_back() -> None:
    request = ScopeRequest({**scope_request("/cart").raw, "root_path": "/shop"}, Proxies("0"))
    assert request.path == "/shop/cart"
    same = ScopeRequest({**scope_request("/shopping").raw, "root_path": "/shop"}, Proxies("0"))
    assert same.path == "/shop/shopping"


def test_a_wsgi_app_at_the_root_has_a_path() -> None:
    request = environ_request("")
    assert request.path == "/"
    assert request.url == "https://shop.example/"


def test_bytes_that_are_no_utf8_do_not_fail() -> None:
    assert environ_request("/%ff%fe").path == "/\ufffd\ufffd"


def test_repeated_headers_are_joined_and_cookies_by_semicolons() -> None:
    raw = scope_request("/").raw
    raw["headers"] = [(b"Cookie", b"a=1"), (b"cookie", b"b=2"), (b"X-A", b"1"), (b"x-a", b"2")]
    request = ScopeRequest(raw, Proxies("0"))
    assert dict(request.cookies) == {"a": "1", "b": "2"}
    assert request.header("x-a") == "1, 2"
    assert request.header("x-b") == ""


# -- behind proxies

CHAIN = "6.6.6.6, 198.51.100.7, 10.0.0.2"


@both
@pytest.mark.parametrize(
    ("proxies", "peer", "forwarded", "client"),
    [
        ("0", "203.0.113.9", CHAIN, "203.0.113.9"),  # nobody is trusted
        ("1", "10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("1", "10.0.0.1", "6.6.6.6, 198.51.100.7", "198.51.100.7"),  # the left end is what the visitor typed
        ("2", "10.0.0.1", CHAIN, "198.51.100.7"),
        ("2", "10.0.0.1", "198.51.100.7", "198.51.100.7"),  # fewer hops than said
        ("1", "10.0.0.1", "", "10.0.0.1"),
        ("1", None, "198.51.100.7", "198.51.100.7"),  # a Unix socket has no peer address
        ("1", "10.0.0.1", "198.51.100.7:55555", "198.51.100.7"),
        ("1", "10.0.0.1", "[2001:db8::7]:55555", "2001:db8::7"),
        ("1", "10.0.0.1", "2001:db8::7", "2001:db8::7"),
        ("1", "10.0.0.1", '"[2001:db8::7]"', "2001:db8::7"),
        ("1", "10.0.0.1", "unknown", ""),
        ("1", "10.0.0.1", "' OR 1=1", ""),
        ("10.0.0.0/8", "10.0.0.1", CHAIN, "198.51.100.7"),
        ("10.0.0.0/8", "10.0.0.1", "198.51.100.7, 6.6.6.6", "6.6.6.6"),
        ("10.0.0.0/8", "203.0.113.9", CHAIN, "203.0.113.9"),  # not one of ours: its headers are its own invention
        ("10.0.0.0/8", "10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
        ("10.0.0.0/8", "::ffff:10.0.0.1", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.0/8,2001:db8:1::/48", "2001:db8:1::1", "198.51.100.7, 10.0.0.2", "198.51.100.7"),
        ("0", "::ffff:198.51.100.7", "", "198.51.100.7"),
        ("0", "/run/app.sock", "", ""),
        ("0", None, "", ""),
    ],
)
def test_the_visitors_address_is_the_first_from_the_right_that_no_trusted_proxy_wrote(
    make: MakeRequest, proxies: str, peer: str | None, forwarded: str, client: str
) -> None:
    headers = {"x-forwarded-for": forwarded} if forwarded else {}
    assert make("/", headers, proxies=proxies, peer=peer).client == client


@both
@pytest.mark.parametrize(
    ("proxies", "proto", "host", "url"),
    [
        ("0", "http", "evil.example", "https://shop.example/"),
        ("1", "http", "www.shop.example", "http://www.shop.example/"),
        ("1", "HTTPS", "", "https://shop.example/"),
        ("1", "gopher", "a b", "https://shop.example/"),
        ("1", "https, http", "evil.example, www.shop.example", "http://www.shop.example/"),
        ("2", "ftp, https, http", "evil.example, www.shop.example, inner", "https://www.shop.example/"),
        ("2", "http", "www.shop.example", "http://www.shop.example/"),
        ("203.0.113.0/24", "http", "www.shop.example", "http://www.shop.example/"),
        ("198.51.100.0/24", "http", "www.shop.example", "https://shop.example/"),
    ],
)
def test_scheme_and_host_come_from_the_outermost_trusted_proxy(
    make: MakeRequest, proxies: str, proto: str, host: str, url: str
) -> None:
    assert make("/", {"x-forwarded-proto": proto, "x-forwarded-host": host}, proxies=proxies).url == url


@both
@pytest.mark.parametrize(
    ("proxies", "header", "written", "client"),
    [
        ("1", "forwarded", "for=198.51.100.7", "198.51.100.7"),
        ("1", "forwarded", "for=6.6.6.6, for=198.51.100.7;proto=https;by=10.0.0.1", "198.51.100.7"),
        ("2", "forwarded", "for=6.6.6.6, For=198.51.100.7, for=10.0.0.2", "198.51.100.7"),
        ("2", "forwarded", "for=6.6.6.6, for=198.51.100.7, proto=https", "198.51.100.7"),
        ("10.0.0.0/8", "forwarded", "for=6.6.6.6, for=198.51.100.7, for=10.0.0.2", "198.51.100.7"),
        ("1", "forwarded", 'proto=http; for="[2001:db8::7]:4711"', "2001:db8::7"),
        ("1", "forwarded", 'for="198.51.100.7:4711"', "198.51.100.7"),
        ("1", "forwarded", 'for="a, for=6.6.6.6", for=198.51.100.7', "198.51.100.7"),
        ("1", "forwarded", 'for=198.51.100.7, for="6.6.6.6', ""),  # nobody closes the quote
        ("1", "forwarded", "for=_hidden", ""),
        ("1", "forwarded", "for=unknown", ""),
        ("1", "forwarded", "", "10.0.0.1"),
        ("0", "forwarded", "for=198.51.100.7", "10.0.0.1"),
        ("1", "cf-connecting-ip", "198.51.100.7", "198.51.100.7"),
        ("1", "cf-connecting-ip", "2001:db8::7", "2001:db8::7"),
        ("3", "cf-connecting-ip", "198.51.100.7", "198.51.100.7"),
        ("10.0.0.0/8", "cf-connecting-ip", "198.51.100.7", "198.51.100.7"),
        ("192.168.0.0/16", "cf-connecting-ip", "198.51.100.7", "10.0.0.1"),  # its own invention
        ("1", "cf-connecting-ip", "6.6.6.6, 198.51.100.7", ""),  # said twice: somebody lies
        ("1", "cf-connecting-ip", "", "10.0.0.1"),
        ("0", "cf-connecting-ip", "198.51.100.7", "10.0.0.1"),
    ],
)
def test_the_header_that_proxies_write_into_can_be_chosen(
    make: MakeRequest, proxies: str, header: str, written: str, client: str
) -> None:
    headers = {"x-forwarded-for": "9.9.9.9", **({header: written} if written else {})}
    assert make("/", headers, proxies=proxies, proxy_header=header, peer="10.0.0.1").client == client


@both
@pytest.mark.parametrize(
    ("proxies", "written", "url"),
    [
        ("1", "for=6.6.6.6;proto=http;host=www.shop.example", "http://www.shop.example/"),
        ("1", "host=evil.example, for=6.6.6.6;proto=HTTP;host=www.shop.example", "http://www.shop.example/"),
        ("2", "host=www.shop.example;proto=http, for=6.6.6.6;host=inner", "http://www.shop.example/"),
        ("1", 'host="www.shop.example:8080"', "https://www.shop.example:8080/"),
        ("1", "for=6.6.6.6", "https://shop.example/"),
        ("0", "proto=http;host=www.shop.example", "https://shop.example/"),
    ],
)
def test_the_standards_header_tells_scheme_and_host_too(
    make: MakeRequest, proxies: str, written: str, url: str
) -> None:
    headers = {"forwarded": written, "x-forwarded-proto": "http", "x-forwarded-host": "evil.example"}
    assert make("/", headers, proxies=proxies, proxy_header="forwarded").url == url


@both
@given(st.text(st.characters(max_codepoint=255, exclude_characters="\r\n"), max_size=80))
def test_no_forwarded_header_breaks_anything(make: MakeRequest, written: str) -> None:
    request = make("/", {"forwarded": written}, proxies="2", proxy_header="forwarded")
    assert isinstance(request.client, str)
    assert request.url.startswith("http")


# -- hosts


@both
@pytest.mark.parametrize(
    ("host", "believed", "hostname"),
    [
        ("shop.example", "shop.example", "shop.example"),
        ("SHOP.example:8000", "shop.example:8000", "shop.example"),
        ("localhost", "localhost", "localhost"),
        ("192.0.2.1:80", "192.0.2.1:80", "192.0.2.1"),
        ("[2001:db8::1]:8443", "[2001:db8::1]:8443", "2001:db8::1"),
        ("my_shop.example", "my_shop.example", "my_shop.example"),
        ("shop.example.", "shop.example.", "shop.example."),
        ("xn--mnchen-3ya.example", "xn--mnchen-3ya.example", "xn--mnchen-3ya.example"),
        ("", "127.0.0.1", "127.0.0.1"),
        ('shop.example"><script>', "127.0.0.1", "127.0.0.1"),
        ("shop.example\r\nset-cookie: a=b", "127.0.0.1", "127.0.0.1"),
        ("x; Path=/; Domain=shop.example", "127.0.0.1", "127.0.0.1"),
        ("shop.example/path", "127.0.0.1", "127.0.0.1"),
        ("user@shop.example", "127.0.0.1", "127.0.0.1"),
        ("shop.example:port", "127.0.0.1", "127.0.0.1"),
        ("m\xfcnchen.example", "127.0.0.1", "127.0.0.1"),
        ("-shop.example", "127.0.0.1", "127.0.0.1"),
        ("a" * 300, "127.0.0.1", "127.0.0.1"),
    ],
)
def test_what_cannot_be_a_host_is_not_believed(make: MakeRequest, host: str, believed: str, hostname: str) -> None:
    request = make("/", {"host": host})
    assert request.host == believed
    assert request.hostname == hostname


@pytest.mark.parametrize(("name", "host"), [("::1", "[::1]"), ("/run/app.sock", "localhost"), ("", "localhost")])
def test_without_a_host_header_the_servers_own_name_is_used(name: str, host: str) -> None:
    raw = {**environ_request().raw, "SERVER_NAME": name}
    del raw["HTTP_HOST"]
    assert EnvironRequest(raw, Proxies("0")).host == host
    scope = {**scope_request().raw, "headers": [], "server": (name, None)}
    assert ScopeRequest(scope, Proxies("0")).host == host
    assert ScopeRequest({**scope, "server": None}, Proxies("0")).host == "localhost"


@given(st.text(st.characters(max_codepoint=255), max_size=60), st.sampled_from(["host", "x-forwarded-host"]))
def test_no_host_header_breaks_an_address_or_a_cookie(host: str, header: str) -> None:
    request = environ_request("/", {header: host}, proxies="1")
    assert re.fullmatch(r"https://[a-z0-9._\[\]:-]+/", request.url)
    hostname = request.hostname
    assert server_address(request.url) == request.url
    if ":" not in hostname and not hostname.endswith("."):
        assert set_cookie("ttclid", "x", max_age_s=1, domain=hostname).count(";") == 4


# -- queries


@both
def test_of_a_query_key_the_last_value_counts(make: MakeRequest) -> None:
    assert make("/?ttclid=old&a=1&ttclid=new").query_value("ttclid") == "new"
    assert make("/?ttclid=a%2Db").query_value("ttclid") == "a-b"
    assert make("/?ttclid=&b").query_value("ttclid") == ""


@both
def test_a_huge_query_is_not_searched(make: MakeRequest) -> None:
    assert make("/?" + "a=1&" * 1_000_000 + "ttclid=x").query_value("ttclid") == ""


@given(st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace").decode("latin-1")))
def test_no_query_fails(query: str) -> None:
    assert isinstance(environ_request("/?ttclid=" + query).query_value("ttclid"), str)
    assert isinstance(scope_request("/?ttclid=" + query).query_value("ttclid"), str)


@pytest.mark.parametrize("unit", ['"\\', '"', "\\", ",", ";", ' "', ';for="', 'for="\\",', "a", " ", '=",'])
@both
def test_hostile_forwarded_header_costs_no_more_than_its_length(make: MakeRequest, unit: str) -> None:
    headers = {"forwarded": (unit * 32_768)[:32_768], "host": "shop.example"}

    def read() -> None:
        request = make("/", headers, proxies="1", proxy_header="forwarded", peer="10.0.0.1")
        _ = request.client, request.scheme, request.host

    assert least_s(read, 0.05) < 0.05


@both
def test_quoted_separators_of_forwarded_header_separate_nothing(make: MakeRequest) -> None:
    written = 'for="1.1.1.1";ext="a,b;for=2.2.2.2", for=198.51.100.7;proto=https;ext="\\", for=3.3.3.3"'
    request = make("/", {"forwarded": written}, proxies="1", proxy_header="forwarded", peer="10.0.0.1")
    assert (request.client, request.scheme) == ("198.51.100.7", "https")


@both
@pytest.mark.parametrize(
    ("referrer", "page"),
    [
        ("https://shop.example/cart?step=2", "https://shop.example/cart?step=2"),
        ("https://shop.example/worker.js", "https://shop.example/"),
        ("https://shop.example/assets/worker-5f3a.mjs?v=3", "https://shop.example/"),
        ("https://shop.example/docs/node.js/", "https://shop.example/docs/node.js/"),
        ("https://shop.example/search?q=a.js", "https://shop.example/search?q=a.js"),
        ("", "https://shop.example/api/cart"),
    ],
)
def test_page_of_a_fetch_is_its_referrer_but_no_script(make: MakeRequest, referrer: str, page: str) -> None:
    headers = {"sec-fetch-mode": "cors", "sec-fetch-site": "same-origin"}
    request = make("/api/cart", {**headers, "referer": referrer} if referrer else headers)
    assert request.page_url == page


@pytest.mark.parametrize("query", [b"ttclid=E.C.P.x", "ttclid=E.C.P.x", bytearray(b"ttclid=E.C.P.x")])
def test_query_string_may_be_text_as_djangos_asynchronous_test_client_passes_it(query: object) -> None:
    scope = {"type": "http", "method": "GET", "path": "/", "query_string": query, "headers": []}
    assert ScopeRequest(scope, Proxies("0")).query_value("ttclid") == "E.C.P.x"
