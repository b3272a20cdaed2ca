"""What a page's Content Security Policy allows of ours is read as browsers read it, and widened no further than asked."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tiktok_middleware.core.page.csp import (
    Blocked,
    allows_inline,
    extended,
    framework_nonce,
    pixel_hosts,
    read_policies,
)

PIXEL = "https://analytics.tiktok.com/i18n/pixel/events.js"
PAGE = "https://shop.example"
THREE = "https://analytics.tiktok.com https://analytics-ipv6.tiktokw.us https://ads.tiktok.com"
ALL_SCRIPTS = ("inline", "helper", "pixel", "pixel_parts")


def blocked(*enforced: str, page: str = PAGE) -> list[Blocked]:
    return list(read_policies(enforced).blocked(PIXEL, page))


def needs(*enforced: str, page: str = PAGE) -> set[str]:
    return {need for entry in blocked(*enforced, page=page) for need in entry.needs}


# -- the nonce


@pytest.mark.parametrize(
    ("enforced", "report_only", "nonce"),
    [
        ([], [], ""),
        ([""], [""], ""),
        (["script-src 'nonce-abc'"], [], "abc"),
        (["SCRIPT-SRC 'NONCE-aBc'"], [], "aBc"),
        (["default-src 'nonce-abc'"], [], "abc"),
        (["style-src 'nonce-abc'"], [], ""),
        (["script-src 'self'; default-src 'nonce-abc'"], [], ""),
        (["script-src 'nonce-abc'; script-src-elem 'nonce-def'"], [], "def"),
        (["script-src 'self'; script-src 'nonce-abc'"], [], ""),
        (["script-src\t'nonce-a+b/c_d-e=='"], [], "a+b/c_d-e=="),
        (["script-src 'nonce-a\"b'"], [], ""),
        (["script-src 'nonce-a=b'"], [], ""),
        (["script-src 'nonce-'"], [], ""),
        (["script-src nonce-abc"], [], ""),
        (["script-src 'nonce-abc"], [], ""),
        (["script-src x'nonce-abc'"], [], ""),
        (["script-src 'nonce-\xe9'; default-src 'nonce-abc'"], [], "abc"),
        (["script-src 'nonce-a' 'nonce-b'", "script-src 'nonce-b' 'nonce-c'"], [], "b"),
        (["script-src 'nonce-a', script-src 'nonce-a'"], [], "a"),
        (["script-src 'nonce-a'", "script-src 'nonce-b'"], [], ""),
        (["script-src 'nonce-a'", "script-src 'nonce-b'"], ["script-src 'nonce-a'"], ""),
        (["script-src 'nonce-a', img-src 'self'", "script-src 'unsafe-inline'"], [], "a"),
        ([], ["script-src 'nonce-r'"], "r"),
        (["img-src *"], ["script-src 'nonce-r'"], "r"),
        (["script-src 'nonce-a' 'nonce-b'"], ["script-src 'nonce-b'"], "b"),
        (["script-src 'nonce-a'"], ["script-src 'nonce-r'"], "a"),
        (["script-src 'nonce-a' " + "x " * 20_000], [], ""),
    ],
)
def test_the_nonce_is_the_one_that_all_policies_share(enforced: list[str], report_only: list[str], nonce: str) -> None:
    assert read_policies(enforced, report_only).nonce == nonce


def test_each_response_has_its_own_nonce_and_the_same_verdict() -> None:
    first, second = (read_policies([f"script-src 'nonce-{nonce}'"]) for nonce in ("one", "two"))
    assert (first.nonce, second.nonce) == ("one", "two")
    assert first.blocked(PIXEL, PAGE) == second.blocked(PIXEL, PAGE)
    assert first.blocked(PIXEL, PAGE)[0].directive == "script-src 'nonce-<random>'"


# -- the verdict


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("", set()),
        ("object-src 'none'; style-src 'none'; frame-src 'none'", set()),
        ("script-src 'self'", {"inline", "pixel", "pixel_parts"}),
        ("script-src 'none'", set(ALL_SCRIPTS)),
        ("script-src", set(ALL_SCRIPTS)),
        ("script-src 'none' https:", {"inline"}),
        ("script-src 'unsafe-inline' https:", set()),
        ("script-src 'unsafe-inline' *", set()),
        ("script-src 'unsafe-inline' *.tiktok.com", {"helper"}),
        ("script-src 'UNSAFE-INLINE' 'SELF' HTTPS://ANALYTICS.TIKTOK.COM", set()),
        (
            "script-src 'unsafe-inline' 'self' https://tiktok.com https://*.analytics.tiktok.com",
            {"pixel", "pixel_parts"},
        ),
        ("script-src 'unsafe-inline' 'self' http://analytics.tiktok.com", set()),
        ("script-src 'unsafe-inline' 'self' http://analytics.tiktok.com:80", set()),
        ("script-src 'unsafe-inline' 'self' https://analytics.tiktok.com:80", {"pixel", "pixel_parts"}),
        ("script-src 'unsafe-inline' 'self' wss://analytics.tiktok.com ws:", {"pixel", "pixel_parts"}),
        ("script-src 'unsafe-inline' 'self' http:", set()),
        ("script-src 'unsafe-inline' 'self' data: blob:", {"pixel", "pixel_parts"}),
        ("script-src 'unsafe-inline' 'self' analytics.tiktok.com:443", set()),
        ("script-src 'unsafe-inline' 'self' analytics.tiktok.com:*", set()),
        ("script-src 'unsafe-inline' 'self' analytics.tiktok.com:8443", {"pixel", "pixel_parts"}),
        ("script-src 'unsafe-inline' 'self' https://*:443", set()),
        ("script-src 'unsafe-inline' 'self' analytics.tiktok.com/i18n/pixel/", set()),
        ("script-src 'unsafe-inline' 'self' analytics.tiktok.com/i18n/%70ixel/", set()),
        ("script-src 'unsafe-inline' 'self' analytics.tiktok.com/i18n/pixel/events.js", {"pixel_parts"}),
        ("script-src 'unsafe-inline' 'self' analytics.tiktok.com/i18n/pixel/events.js?x", {"pixel_parts"}),
        ("script-src 'unsafe-inline' 'self' analytics.tiktok.com/i18n/pixel/static/", {"pixel", "pixel_parts"}),
        ("script-src 'unsafe-inline' 'self' analytics.tiktok.com/I18N/", {"pixel", "pixel_parts"}),
        ("script-src 'nonce-a'", {"pixel_parts"}),
        ("script-src 'nonce-a' 'strict-dynamic'", set()),
        ("script-src 'nonce-a' 'Strict-Dynamic' 'unsafe-inline' http:", set()),
        ("script-src 'strict-dynamic' 'unsafe-inline' https:", {"inline", "helper"}),
        ("script-src 'unsafe-inline' 'sha256-abc=' https:", {"inline"}),
        ("script-src 'unsafe-inline' 'sha256-' https:", set()),
        ("script-src 'unsafe-inline' 'nonce-' https:", set()),
        ("script-src-elem 'unsafe-inline' https:; script-src 'none'", set()),
        ("script-src-elem 'none'; script-src 'unsafe-inline' https:", set(ALL_SCRIPTS)),
        ("script-src-attr 'none'", set()),
        ("default-src 'none'", {*ALL_SCRIPTS, "requests", "images"}),
        ("default-src 'nonce-a' 'strict-dynamic' https:", set()),
        ("default-src 'nonce-a' 'strict-dynamic'", {"requests", "images"}),
        ("default-src 'none'; script-src 'unsafe-inline' *; connect-src https:", {"images"}),
        ("connect-src *.tiktok.com", {"requests"}),
        ("connect-src *.tiktok.com *.tiktokw.us; img-src data: *", set()),
        ("connect-src https://analytics.tiktok.com/api/v2/ *.tiktokw.us ads.tiktok.com", set()),
        ("connect-src", {"requests"}),
        ("sandbox", set(ALL_SCRIPTS)),
        ("SANDBOX allow-same-origin Allow-Scripts", set()),
        ("require-trusted-types-for 'script'", {"pixel", "pixel_parts"}),
        ("trusted-types shop", set()),
        ("img-src 'self'; img-src *", {"images"}),
        ("  ;; \t; CONNECT-SRC\thttps:\n;", set()),
        ("script-src https://shop.example/_tiktok/ 'unsafe-inline' *.tiktok.com", set()),
        ("script-src 'unsafe-inline' *.tiktok.com shop.example/static/", {"helper"}),
        ("img-src \xe9 'none'", set()),
        ("\xe9 'none'; script-src 'none' \xe9", set()),
    ],
)
def test_what_a_policy_blocks(policy: str, expected: set[str]) -> None:
    assert needs(policy) == expected


def test_one_policy_that_blocks_is_enough() -> None:
    assert needs("script-src 'unsafe-inline' https:, script-src 'self' 'unsafe-inline'") == {"pixel", "pixel_parts"}
    assert needs("script-src 'nonce-a' https:", "script-src 'nonce-b' https:") == {"inline"}
    assert len(blocked("script-src 'self'", "script-src 'self', script-src 'self'")) == 1


def test_a_policy_that_only_reports_blocks_nothing() -> None:
    assert read_policies([], ["default-src 'none'; sandbox"]).blocked(PIXEL, PAGE) == ()


def test_a_page_of_http_allows_hosts_without_scheme_in_both() -> None:
    local = "http://pixel.localhost:8000/i18n/pixel/events.js"
    policies = read_policies(["script-src 'unsafe-inline' 'self' pixel.localhost:8000"])
    assert policies.blocked(local, "http://shop.example") == ()
    assert policies.blocked(local, PAGE)[0].add == "script-src http://pixel.localhost:8000"
    assert policies.blocked(local, "")[0].needs == ("pixel", "pixel_parts")


@pytest.mark.parametrize(("page", "is_self"), [
    ("https://analytics.tiktok.com", True), ("http://analytics.tiktok.com", True), ("HTTPS://Analytics.TikTok.com:443", True),
    ("https://analytics.tiktok.com:444", False), ("http://analytics.tiktok.com:8000", False), ("https://tiktok.com", False),
    ("ftp://analytics.tiktok.com", False),
])  # fmt: skip
def test_self_is_the_pages_origin_and_what_it_can_be_upgraded_to(page: str, is_self: bool) -> None:
    assert ("pixel" not in needs("script-src 'self' 'unsafe-inline'", page=page)) is is_self


@pytest.mark.parametrize(
    ("policy", "expected"),
    [
        ("script-src 'self'", ["script-src 'nonce-<random>' https://analytics.tiktok.com"]),
        ("script-src 'self' 'nonce-a'", ["script-src https://analytics.tiktok.com"]),
        ("script-src-elem 'unsafe-inline' *.tiktok.com", ["script-src-elem 'self'"]),
        ("script-src 'strict-dynamic'", ["script-src 'nonce-<random>'"]),
        (
            "default-src 'self' 'nonce-x'",
            [
                "script-src 'self' 'nonce-<random>' https://analytics.tiktok.com",
                f"connect-src 'self' 'nonce-<random>' {THREE}".replace(" 'nonce-<random>'", ""),
                f"img-src 'self' {THREE}",
            ],
        ),
        ("default-src 'none'; script-src 'unsafe-inline' https:; img-src https:", [f"connect-src {THREE}"]),
        ("connect-src 'self' https://analytics.tiktok.com", [f"connect-src {THREE.partition(' ')[2]}"]),
        ("sandbox allow-forms", ["sandbox allow-scripts"]),
        ("require-trusted-types-for 'script'", [""]),
    ],
)
def test_the_operator_is_told_what_to_add(policy: str, expected: list[str]) -> None:
    assert [entry.add for entry in blocked(policy)] == expected


def test_the_advice_says_it_in_words() -> None:
    (lacking,) = blocked("script-src 'self' 'nonce-a'")
    assert lacking.advice == "add: script-src https://analytics.tiktok.com"
    (trusted,) = blocked("require-trusted-types-for 'script'")
    assert "Trusted Types policy named default" in trusted.advice


def test_what_is_added_unblocks() -> None:
    """Each addition, put where it says, leaves nothing blocked."""
    for policy in ("script-src 'self'", "script-src 'unsafe-inline' *.tiktok.com", "default-src 'none'", "sandbox",
                   "default-src 'self' https://cdn.example", "connect-src 'none'; img-src", "script-src-elem https:"):  # fmt: skip
        directives = {name: words for name, *words in map(str.split, policy.split(";"))}
        for entry in blocked(policy):
            name, *added = entry.add.replace("<random>", "r").split()
            directives[name] = [word for word in directives.get(name, []) if word != "'none'"] + added
        fixed = ";".join(" ".join((name, *words)) for name, words in directives.items())
        assert needs(fixed) == set(), fixed


# -- the extension


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", ""),
        ("object-src 'none'", "object-src 'none'"),
        ("script-src 'nonce-a' 'self'; style-src 'self'",
         f"script-src 'nonce-a' 'self' {THREE}; style-src 'self'"),
        ("script-src 'unsafe-inline' 'self';", f"script-src 'unsafe-inline' 'self' {THREE};"),
        ("script-src 'nonce-a' 'strict-dynamic'; connect-src 'self'; img-src https:",
         f"script-src 'nonce-a' 'strict-dynamic'; connect-src 'self' {THREE}; img-src https:"),
        ("script-src 'self'; connect-src 'self'", "script-src 'self'; connect-src 'self'"),
        ("default-src 'none'", "default-src 'none'"),
        ("sandbox; connect-src 'self'", "sandbox; connect-src 'self'"),
        ("connect-src 'none'; img-src", f"connect-src {THREE}; img-src {THREE}"),
        ("connect-src 'NONE'", f"connect-src {THREE}"),
        ("connect-src 'self'; connect-src *", f"connect-src 'self' {THREE}; connect-src *"),
        ("connect-src *.tiktok.com", "connect-src *.tiktok.com https://analytics-ipv6.tiktokw.us"),
        ("connect-src https://analytics.tiktok.com/i18n/", f"connect-src https://analytics.tiktok.com/i18n/ {THREE}"),
        ("script-src 'unsafe-inline' 'sha256-a'; img-src 'self'", "script-src 'unsafe-inline' 'sha256-a'; img-src 'self'"),
        ("default-src 'none'; script-src 'nonce-A+/=' https:; ;",
         f"default-src 'none'; script-src 'nonce-A+/=' https:; connect-src {THREE}; img-src {THREE}"),
        ("default-src 'self' 'nonce-a' data: x:",
         f"default-src 'self' 'nonce-a' data: x:; script-src 'self' 'nonce-a' data: x: {THREE}; "  # noqa: ISC004
         f"connect-src 'self' data: x: {THREE}; img-src 'self' data: x: {THREE}"),
        ("script-src-elem 'nonce-a'; script-src 'self'", f"script-src-elem 'nonce-a' {THREE}; script-src 'self'"),
        (" IMG-SRC 'self' , img-src *,connect-src 'self' 'nonce-x', script-src 'self'; img-src 'self'",
         f" img-src 'self' {THREE}, img-src *,connect-src 'self' 'nonce-x' {THREE}, script-src 'self'; img-src 'self'"),
    ],
)  # fmt: skip
def test_hosts_are_added_where_they_are_restricted(before: str, after: str) -> None:
    assert extended(before, pixel_hosts(PIXEL)) == after
    assert extended(after, pixel_hosts(PIXEL)) == after


def test_what_is_too_long_stays_as_it_is() -> None:
    long = "connect-src 'self'; report-uri /" + "x" * 40_000
    assert extended(long, pixel_hosts(PIXEL)) == long
    assert read_policies([long]).blocked(PIXEL, PAGE) == ()


def test_another_hosts_script_needs_that_host_alone() -> None:
    assert pixel_hosts("http://127.0.0.1:9000/i18n/pixel/events.js") == dict.fromkeys(
        ("script-src", "connect-src", "img-src"), ("http://127.0.0.1:9000",)
    )
    assert pixel_hosts("https://analytics.us.tiktok.com/x.js")["img-src"] == (
        "https://analytics.us.tiktok.com",
        *THREE.split(),
    )
    assert pixel_hosts("https://nottiktok.com/x.js")["img-src"] == ("https://nottiktok.com",)
    assert pixel_hosts("/relative.js") == {}


# -- frameworks


class Request:
    def __init__(self, **attributes: object) -> None:
        vars(self).update(attributes)


class Refusing:
    def __str__(self) -> str:
        raise RuntimeError("the header has left")


@pytest.mark.parametrize(
    ("request_", "nonce"),
    [
        (Request(csp_nonce="abc"), "abc"),
        (Request(_csp_nonce="abc_-"), "abc_-"),
        (Request(csp_nonce="lazy", _csp_nonce=None), "lazy"),
        (Request(csp_nonce=None), ""),
        (Request(), ""),
        (Request(csp_nonce='"><script>'), ""),
        (Request(csp_nonce=Refusing()), ""),
        (None, ""),
    ],
)
def test_a_frameworks_nonce_is_found(request_: object, nonce: str) -> None:
    assert framework_nonce(request_) == nonce


@pytest.mark.parametrize(
    ("directives", "is_open"),
    [
        ({}, True),
        ({"upgrade-insecure-requests": True, "script-src": None}, True),
        ({"script-src": ["'self'", "<CSP_NONCE_SENTINEL>"]}, False),
        ({"script-src": ["'self'", "'unsafe-inline'", "<CSP_NONCE_SENTINEL>"]}, True),
        ({"script-src": ("'strict-dynamic'", "'unsafe-inline'", "https:")}, False),
        ({"default-src": "'self' 'unsafe-inline'"}, True),
        ({"default-src": {"'unsafe-inline'"}, "script-src": ["'self'"]}, False),
    ],
)
def test_a_nonce_is_not_read_where_it_would_close_what_is_open(directives: dict[str, object], is_open: bool) -> None:
    assert allows_inline(directives) is is_open


# -- nothing raises


WORDS = st.sampled_from([
    "script-src", "script-src-elem", "default-src", "connect-src", "img-src", "sandbox", "'none'", "'self'", "'nonce-a'",
    "'nonce-b'", "'unsafe-inline'", "'strict-dynamic'", "'sha256-a='", "https:", "*", "https://*:*/", "*.tiktok.com",
    "analytics.tiktok.com:443", "a:b", "//", "[::1]:80", ";", ";", ",", " ", "\xa0", "%", "'nonce-", "allow-scripts",
])  # fmt: skip
TEXTS = st.lists(WORDS | st.text(max_size=4), max_size=14).map(" ".join)


@given(enforced=st.lists(TEXTS, max_size=3), report_only=st.lists(TEXTS, max_size=2), url=TEXTS, page=TEXTS)
def test_no_text_raises(enforced: list[str], report_only: list[str], url: str, page: str) -> None:
    policies = read_policies(enforced, report_only)
    assert policies.nonce == "" or f"'nonce-{policies.nonce}'" in ",".join([*enforced, *report_only])
    for pixel in (url, f"https://{url}", PIXEL):
        policies.blocked(pixel, page, url)
        pixel_hosts(pixel)


@given(header=TEXTS)
def test_the_extension_never_blocks_more_and_unblocks_what_it_touches(header: str) -> None:
    made = extended(header, pixel_hosts(PIXEL))
    assert needs(made) <= needs(header)
    assert extended(made, pixel_hosts(PIXEL)) == made
    assert read_policies([made]).nonce == read_policies([header]).nonce
    if "inline" not in needs(header):
        assert needs(made) <= {"helper"}


# -- a real browser


CHROMIUM = "/usr/bin/chromium"
ALL_NEEDS = {*ALL_SCRIPTS, "requests", "images"}

#: The placeholders are the page's and the pixel's host with port.
POLICIES = [
    "",
    "object-src 'none'",
    "script-src 'self'",
    "script-src 'none'; img-src 'none'",
    "script-src 'none' http://{pixel} 'unsafe-inline'",
    "default-src 'self'",
    "default-src 'self' 'nonce-abc'",
    "default-src 'nonce-abc' 'strict-dynamic'",
    "default-src 'self' 'unsafe-inline'; connect-src 'none'; connect-src *",
    "SCRIPT-SRC 'UNSAFE-INLINE' 'Self' HTTP://{pixel}",
    "script-src 'unsafe-inline' {pixel}",
    "script-src 'unsafe-inline' 'nonce-abc' 'self'",
    "script-src 'unsafe-inline' 'sha256-47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=' *",
    "script-src 'unsafe-inline' 'sha256-' *",
    "script-src 'unsafe-inline' 'nonce-' *",
    "script-src 'strict-dynamic' 'unsafe-inline' *",
    "script-src 'nonce-a' 'nonce-b'; default-src *, script-src 'nonce-b' 'strict-dynamic'",
    "script-src 'nonce-a' *, script-src 'nonce-b' *",
    "script-src-elem 'nonce-abc' 'self'; script-src 'none'",
    "script-src 'unsafe-inline' 'self' *.localhost:{port}; connect-src *.pixel.localhost:{port}; img-src localhost:{port}",
    "script-src 'unsafe-inline' 'self' pixel.localhost:*/i18n/pixel/events.js; img-src pixel.localhost/; connect-src http:",
    "script-src 'unsafe-inline' 'self' http://{pixel}/i18n/%70ixel/?x; connect-src http://{pixel}/api/v2/pixel/; img-src https:",
    "script-src 'unsafe-inline' http://{page}/_tiktok/ *.localhost:{port}; img-src ws://{pixel}; connect-src *:{port}",
    "script-src 'nonce-a=b' 'unsafe-inline' http:; img-src 'self' 'none'; connect-src\thttp://{pixel}\x0c",
    "img-src \xe9 'none'; connect-src *:*",
    "sandbox allow-scripts; script-src 'self' 'nonce-abc'",
    "sandbox allow-same-origin",
    "require-trusted-types-for 'script'; script-src 'nonce-abc' *",
]  # fmt: skip

_RAN = "Array.from(document.documentElement.classList)"
_TRY = """async ([nonce, site]) => {
  const within = (start) => new Promise((done) => { try { start(() => done(true), () => done(false)); } catch (e) { done(false); } });
  const script = (path, nonce) => within((yes, no) => {
    const s = document.createElement('script');
    s.onload = yes; s.onerror = no; s.nonce = nonce; s.src = site + path;
    document.documentElement.appendChild(s);
  });
  const ran = Array.from(document.documentElement.classList);
  if (await script('/i18n/pixel/events.js', nonce)) ran.push('pixel');
  if (await script('/i18n/pixel/config.js', '') && await script('/i18n/pixel/static/main.js', '')) ran.push('pixel_parts');
  if (await fetch(site + '/api/v2/pixel').then(() => true, () => false)) ran.push('requests');
  if (await within((yes, no) => { const i = new Image(); i.onload = yes; i.onerror = no; i.src = site + '/api/v2/pixel'; })) ran.push('images');
  return ran;
}"""
_MARK = "document.documentElement.classList.add('%s');"
_GIF = b"GIF89a\x01\x00\x01\x00\x80\x00\x00\x00\x00\x00\xff\xff\xff!\xf9\x04\x01\x00\x00\x00\x00,\x00\x00\x00\x00\x01\x00\x01\x00\x00\x02\x02D\x01\x00;"


class _Site(ThreadingHTTPServer):
    """A page with our scripts under any policy, and everything that TikTok's host serves."""

    daemon_threads = True
    policy = ""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.port = int(self.server_address[1])
        threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True).start()


class _Answer(BaseHTTPRequestHandler):
    server: _Site

    def do_GET(self) -> None:
        policy, kind, body = "", "text/javascript", b""
        if self.path == "/":
            policy, kind, nonce = self.server.policy, "text/html", read_policies([self.server.policy]).nonce
            body = (
                f'<!doctype html><title>x</title><script nonce="{nonce}">{_MARK % "inline"}</script>'
                f'<script nonce="{nonce}" src="/_tiktok/helper.js"></script>'
            ).encode()
        elif self.path.startswith("/_tiktok/"):
            body = (_MARK % "helper").encode()
        elif self.path.startswith("/api/"):
            kind, body = "image/gif", _GIF
        self.send_response(200)
        headers = {"Content-Type": kind, "Content-Length": str(len(body)), "Access-Control-Allow-Origin": "*"}
        for name, value in {**headers, "Content-Security-Policy": policy}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def _sites() -> Iterator[tuple[_Site, _Site]]:
    page, pixel = _Site(), _Site()
    try:
        yield page, pixel
    finally:
        for site in (page, pixel):
            site.shutdown()
            site.server_close()


def _is_dead(policy: str) -> bool:
    """Whether nothing can be tried out in the page, since no promise in it is ever kept."""
    return "sandbox" in policy and "allow-scripts" not in policy


class Observed:
    """What Chromium did with a policy, and what we say of it."""

    def __init__(self, policy: str, urls: tuple[str, str], ran: set[str]) -> None:
        self.policy = policy
        self.ran = ran
        entries = read_policies([policy]).blocked(*urls)
        testable = {"inline", "helper"} if _is_dead(policy) else ALL_NEEDS
        self.expected = testable - {need for entry in entries for need in entry.needs}


@pytest.fixture(scope="module")
def observed() -> list[tuple[Observed, Observed]]:
    """Each policy as it is and extended; all are visited at once, since a running Playwright holds up other loops."""
    from playwright.sync_api import sync_playwright

    if not Path(CHROMIUM).exists():
        pytest.fail(f"{CHROMIUM} is missing and the browser tests need it: apt-get install chromium", pytrace=False)
    with _sites() as (page_site, pixel_site), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        tab = browser.new_page()
        origin, site = f"http://127.0.0.1:{page_site.port}", f"http://pixel.localhost:{pixel_site.port}"
        urls = (f"{site}/i18n/pixel/events.js", origin)
        hosts = pixel_hosts(urls[0])

        def visit(policy: str) -> Observed:
            page_site.policy = policy
            tab.goto(origin, wait_until="load")
            if _is_dead(policy):
                return Observed(policy, urls, set(tab.evaluate(_RAN)))
            return Observed(policy, urls, set(tab.evaluate(_TRY, [read_policies([policy]).nonce, site])))

        places = {"page": origin[7:], "pixel": site[7:], "port": pixel_site.port}
        policies = [policy.format(**places) for policy in POLICIES]
        seen = [(visit(policy), visit(extended(policy, hosts))) for policy in policies]
        browser.close()
    return seen


@pytest.mark.browser
@pytest.mark.parametrize("index", range(len(POLICIES)), ids=POLICIES)
def test_chromium_runs_what_the_verdict_lets_run(observed: list[tuple[Observed, Observed]], index: int) -> None:
    for seen in observed[index]:
        assert seen.ran == seen.expected, seen.policy


@pytest.mark.browser
@pytest.mark.parametrize("index", range(len(POLICIES)), ids=POLICIES)
def test_chromium_runs_all_under_the_extended_policy(observed: list[tuple[Observed, Observed]], index: int) -> None:
    """Unless our inline script cannot run, or page and pixel can do nothing about it; then it is as it was."""
    before, after = observed[index]
    if "inline" not in before.ran:
        assert after.ran == before.ran
    elif "trusted-types" in before.policy:
        assert after.ran == {"inline", "helper", "requests", "images"}
    else:
        assert after.ran | {"helper"} == ALL_NEEDS
        assert ("helper" in after.ran) is ("helper" in before.ran)
