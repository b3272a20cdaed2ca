"""Responses whose headers leave a page as it is, change its caching or describe its bytes, through both adapters."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.contract.adapters import (
    HTML,
    PAGE,
    Request,
    Response,
    Seen,
    make_client,
    through_asgi,
    through_wsgi,
    without_ours,
)
from tests.core.core_world import FETCH, NAVIGATION
from tiktok_middleware import Client

BOTH = pytest.mark.parametrize("through", [through_asgi, through_wsgi])
Through = Callable[[Client, Request, Response], Seen]
CART = (("AddToCart", {"value": 9.9, "currency": "EUR"}),)
NAVIGATE = Request(headers=NAVIGATION)

FILE_ORDERS = [
    ("X-Accel-Redirect", "/protected/report.html"),
    ("x-accel-redirect", "@store"),
    ("X-Sendfile", "/srv/report.html"),
    ("X-SENDFILE", "/srv/report.html"),
    ("X-Sendfile2", "/srv/report.html 0-99"),
    ("X-LIGHTTPD-send-file", "/srv/report.html"),
    ("X-Reproxy-URL", "http://store.example/report.html"),
    ("X-Reproxy-File", "/srv/report.html"),
]


@BOTH
@pytest.mark.parametrize("header", FILE_ORDERS)
@pytest.mark.parametrize("pieces", [(), (PAGE,), (PAGE[:20], PAGE[20:])])
def test_page_that_a_proxy_replaces_keeps_its_bytes_and_the_event_goes_to_the_next_page(
    through: Through, header: tuple[str, str], pieces: tuple[bytes, ...], caplog: pytest.LogCaptureFixture
) -> None:
    client = make_client()
    caplog.clear()
    for _ in range(2):
        seen = through(client, NAVIGATE, Response(headers=(HTML, header), pieces=pieces, events=CART))
        assert seen.body == b"".join(pieces)
        assert (seen.header("set-cookie") or "").startswith("_tt_carry")
        assert seen.header(header[0].lower()) == header[1]
    plain = Response(headers=(HTML, header, ("ETag", '"a"'), ("Accept-Ranges", "bytes")), pieces=pieces)
    seen = through(client, NAVIGATE, plain)
    assert (seen.body, seen.header("etag"), seen.header("accept-ranges")) == (plain.body, '"a"', "bytes")
    assert not [name for name in client.stats()["counts"] if name.startswith("page_")]
    answered = through(client, Request(headers=FETCH), Response(headers=(HTML, header), pieces=pieces, events=CART))
    # The proxy drops our headers of an answer, but keeps cookies.
    assert answered.header("tiktok-events") is None
    assert (answered.header("set-cookie") or "").startswith("_tt_carry")


LEFT_ALONE = {
    "part of a file": (206, (HTML, ("Content-Range", "bytes 0-9/99"))),
    "download": (200, (HTML, ("Content-Disposition", "attachment; filename=x.html"))),
    "download in capitals": (200, (HTML, ("Content-Disposition", " ATTACHMENT"))),
    "no transform": (200, (HTML, ("Cache-Control", "no-transform"))),
    "no transform among others": (200, (HTML, ("Cache-Control", "max-age=0, No-Transform"))),
    "XHTML": (200, (("Content-Type", "application/xhtml+xml"),)),
    "SVG": (200, (("Content-Type", "image/svg+xml"),)),
    "XML": (200, (("Content-Type", "text/xml"),)),
    "parts": (200, (("Content-Type", "multipart/x-mixed-replace; boundary=x"),)),
    "no type": (200, ()),
    "no type and no sniffing": (200, (("X-Content-Type-Options", "nosniff"),)),
    "empty type": (200, (("Content-Type", ""),)),
    "the last of two types": (200, (HTML, ("Content-Type", "application/json"))),
    "see other": (303, (HTML, ("Location", "/x"))),
    "several choices": (300, (HTML, ("Location", "/x"))),
    "UTF-16": (200, (("Content-Type", "text/html; charset=utf-16"),)),
    "ISO-2022-JP": (200, (("Content-Type", "text/html; charset=iso-2022-jp"),)),
    "unknown coding": (200, (HTML, ("Content-Encoding", "compress"))),
}


@BOTH
@pytest.mark.parametrize("name", LEFT_ALONE)
@pytest.mark.parametrize("has_length", [True, False])
def test_response_without_a_place_for_the_script_keeps_every_byte(
    through: Through, name: str, has_length: bool
) -> None:
    status, headers = LEFT_ALONE[name]
    client, page = make_client(), Response(status=status, headers=headers, has_length=has_length)
    bare = through(make_client(enabled="false"), NAVIGATE, page)
    for _ in range(2):
        assert through(client, NAVIGATE, page) == bare


DESCRIBES_BYTES = [
    ("Content-MD5", "rL0Y20zC+Fzt72VPzMSk2A=="),
    ("Digest", "sha-256=x"),
    ("Content-Digest", "sha-256=:x:"),
    ("Repr-Digest", "sha-256=:x:"),
    ("Signature", "sig1=:x:"),
    ("Signature-Input", "sig1=()"),
    ("Accept-Ranges", "bytes"),
]
KEPT = [
    ("Want-Content-Digest", "sha-256=1"),
    ("Age", "10"),
    ("Pragma", "no-cache"),
    ("Vary", "*"),
    ("Refresh", "9; url=/x"),
    ("Trailer", "X-Sum"),
    ("Content-Disposition", "inline; filename=x.html"),
    ("Link", "</a.css>; rel=preload"),
    ("X-Content-Type-Options", "nosniff"),
    ("Content-Location", "/x.html"),
]


@BOTH
@pytest.mark.parametrize(
    ("header", "stays"), [*((one, False) for one in DESCRIBES_BYTES), *((one, True) for one in KEPT)]
)
@pytest.mark.parametrize("events", [(), CART])
def test_header_of_a_changed_page_stays_unless_it_describes_the_bytes(
    through: Through, header: tuple[str, str], stays: bool, events: tuple[tuple[str, dict[str, object]], ...]
) -> None:
    client = make_client()
    for _ in range(2):
        seen = through(client, NAVIGATE, Response(headers=(HTML, header), events=events, has_length=True))
        assert without_ours(client, seen.body) == (PAGE, 1)
        assert seen.header(header[0].lower()) == (header[1] if stays else None)
        assert seen.header("content-length") == str(len(seen.body))
        head = through(client, Request(method="HEAD", headers=NAVIGATION), Response(headers=(HTML, header)))
        assert head.header(header[0].lower()) in {header[1], None}


SESSIONS = [
    ("sessionid=" + "x" * 32 + "; HttpOnly; Path=/; SameSite=Lax", "csrftoken=" + "y" * 64 + "; Path=/"),
    ("session=eyJ" + "z" * 900 + "; HttpOnly; Path=/",),
    tuple(f"flag{number}=on; Path=/" for number in range(30)),
    ("a=1; Path=/", "a=2; Path=/shop", "a=; Max-Age=0"),
]


@BOTH
@pytest.mark.parametrize("cookies", SESSIONS)
@pytest.mark.parametrize("status", [200, 302])
def test_cookies_of_the_app_stay_each_in_a_line_of_its_own(
    through: Through, cookies: tuple[str, ...], status: int
) -> None:
    client = make_client()
    headers = (HTML, ("Location", "/x"), *(("Set-Cookie", value) for value in cookies))
    for request in (NAVIGATE, Request(headers=NAVIGATION, query="ttclid=E.C.P.abc")):
        seen = through(client, request, Response(status=status, headers=headers, events=CART))
        sent = [value for name, value in seen.headers if name == "set-cookie"]
        ours = [value for value in sent if value.startswith(("_tt", "ttclid"))]
        assert sorted(value for value in sent if value not in ours) == sorted(cookies)
        assert all("Path=/;" in f"{value};" for value in ours)
        assert len(ours) >= int(status == 302)
