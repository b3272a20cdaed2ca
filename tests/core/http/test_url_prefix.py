"""Path prefixes that a request makes: whatever they hold, our own addresses stay paths of the page's own host."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import NAVIGATION, MakeRequest, environ_request, runtime_of, scope_request
from tests.core.response.test_exchange import HTML, PAGE, Story
from tiktok_middleware.core.endpoint.routes import Answer, answer
from tiktok_middleware.core.http.url_prefix import url_prefix

PREFIXES = [
    ("", ""),
    ("/", ""),
    ("/shop", "/shop"),
    ("/shop/", "/shop"),
    ("shop", "/shop"),
    ("/a/b", "/a/b"),
    ("/ü", "/%C3%BC"),
    ("/a b", "/a%20b"),
    ("//evil.example", "/evil.example"),
    ("///evil.example", "/evil.example"),
    ("//evil.example//", "/evil.example"),
    ("/\\evil.example", "/%5Cevil.example"),
    ("\\\\evil.example", "/%5C%5Cevil.example"),
    ("/\t/evil.example", "/%09/evil.example"),
    ("\t//evil.example", "/%09//evil.example"),
    ("\r\n//evil.example", "/%0D%0A//evil.example"),
    ("https://evil.example", "/https%3A//evil.example"),
    ("javascript:alert(1)", "/javascript%3Aalert%281%29"),
    ("/a?b#c", "/a%3Fb%23c"),
    ('/a"><script>', "/a%22%3E%3Cscript%3E"),
    ("//user@evil.example:80", "/user%40evil.example%3A80"),
    ("/\udcff", "/%3F"),
    ("/\x00/evil.example", "/%00/evil.example"),
    ("/ /evil.example", "/%20/evil.example"),
    ("/\x0b//evil.example", "/%0B//evil.example"),
    ("/\u2028/evil.example", "/%E2%80%A8/evil.example"),
    ("\uff0f\uff0fevil.example", "/%EF%BC%8F%EF%BC%8Fevil.example"),
    ("/%2F%2Fevil.example", "/%252F%252Fevil.example"),
    ("%2f%2fevil.example", "/%252f%252fevil.example"),
    ("/%5Cevil.example", "/%255Cevil.example"),
    ("/..//evil.example", "/..//evil.example"),
    ("/.//evil.example", "/.//evil.example"),
    ("/;//evil.example", "/%3B//evil.example"),
    ("/@evil.example", "/%40evil.example"),
    ("http:evil.example", "/http%3Aevil.example"),
    ("HTTPS:/evil.example", "/HTTPS%3A/evil.example"),
    ("/https:/evil.example", "/https%3A/evil.example"),
    ("data:text/html,x", "/data%3Atext/html%2Cx"),
    ("//[::1]:80", "/%5B%3A%3A1%5D%3A80"),
    ("/a//b", "/a//b"),
    ("/a/\\/b", "/a/%5C/b"),
    ("/&#47;evil.example", "/%26%2347%3Bevil.example"),
    ("/'onload='x", "/%27onload%3D%27x"),
]


@pytest.mark.parametrize(("mount", "prefix"), PREFIXES)
def test_a_prefix_is_a_path_with_one_leading_slash(mount: str, prefix: str) -> None:
    assert url_prefix(mount) == prefix


@pytest.mark.parametrize("mount", [mount for mount, _ in PREFIXES if mount.isascii() and "@" not in mount])
@pytest.mark.parametrize("body", [PAGE, PAGE.replace(b"<head>", b"<head><base href=/x>")])
def test_the_scripts_of_a_page_are_asked_of_its_own_host(mount: str, body: bytes) -> None:
    story = Story(mount=mount, runtime=runtime_of(browser_events="AddToCart"))
    page = story.answer(200, HTML, body).body.decode()
    addresses = re.findall(r'(?:src="|"[jn]":")([^"]*/_tiktok/[^"]*)"', page)
    assert len(addresses) == 2  # the helper, and where it reports to
    for address in addresses:
        assert re.match(r"/[^/\\\s]", address)
        assert urlsplit(urljoin("https://shop.example/page", address)).netloc == "shop.example"


@given(st.text(st.sampled_from("/\\\t\n .:@?#&%a\x00\x1f"), max_size=8))
def test_no_prefix_becomes_a_host(mount: str) -> None:
    address = url_prefix(mount) + "/_tiktok/collect"
    assert re.match(r"/[^/\\\s]", address)
    assert not re.search(r"[\x00-\x20\\\"<>]", address)


@pytest.mark.parametrize("make", [scope_request, environ_request])
@pytest.mark.parametrize("mount", ["", "/shop", "//shop", "/a/b"])
def test_the_endpoint_answers_under_the_prefix_as_it_came(make: MakeRequest, mount: str) -> None:
    runtime = runtime_of()
    found = answer(make(runtime.snippet.helper_path, NAVIGATION, mount=mount), runtime)
    assert isinstance(found, Answer)
    assert ("Cache-Control", "public, max-age=31536000, immutable") in found.headers
