"""What is asked and what is answered in every measurement: one browser, one visitor, bodies of known size.

It knows no middleware.
"""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from itertools import cycle
from typing import NamedTuple

__all__ = [
    "BODIES",
    "CHUNK_BYTES",
    "HTML",
    "JSON",
    "PAUSE_S",
    "SCENES",
    "STREAMS",
    "Scene",
    "big_stream",
    "halves",
    "varying",
]

JSON = "application/json"
HTML = "text/html; charset=utf-8"
CHUNK_BYTES = 4096
#: How long the second half of a page lets one wait.
PAUSE_S = 0.1

_HEAD = (
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    "<title>Morning mug, 350 ml - Teaware - The Corner Shop</title>\n"
    '<meta name="description" content="A mug that keeps its handle cool: stoneware, glazed by hand.">\n'
    '<link rel="canonical" href="https://shop.example.com/mugs/morning">\n'
    '<script>document.documentElement.className = "js"</script>\n'
    + "".join(f'<link rel="stylesheet" href="/static/css/part{number}.3f9ac2.css">\n' for number in range(6))
    + "".join(
        f'<meta property="og:{name}" content="{content}">\n'
        for name, content in (
            ("title", "Morning mug, 350 ml"),
            ("type", "product"),
            ("url", "https://shop.example.com/mugs/morning"),
            ("image", "https://shop.example.com/media/mugs/morning-1200.jpg"),
            ("site_name", "The Corner Shop"),
            ("locale", "en_GB"),
        )
    )
    + '<link rel="icon" href="/static/icon.svg" type="image/svg+xml">\n'
    '<link rel="preload" href="/static/fonts/text.woff2" as="font" type="font/woff2" crossorigin>\n'
    '<script src="/static/js/shop.51b0e7.js" defer></script>\n'
    "</head>\n<body>\n"
)
_TAIL = "</body>\n</html>\n"
_ROW = '<div class="row"><a href="/mugs/%06d">Mug %06d &ndash; caf\u00e9</a><span>12.50</span></div>\n'


def _page(size_bytes: int) -> bytes:
    """A document of exactly this size."""
    begin, end = _HEAD.encode(), _TAIL.encode()
    rows = bytearray()
    room = size_bytes - len(begin) - len(end)
    while len(row := (_ROW % (len(rows), len(rows))).encode()) <= room - len(rows):
        rows += row
    return begin + bytes(rows) + b" " * (room - len(rows)) + end


_STREAM = _page(50 * CHUNK_BYTES)

#: Bodies that are there at once, with their type, by path.
BODIES: dict[str, tuple[str, bytes]] = {
    "/api": (JSON, json.dumps({"items": [{"id": n, "name": "abcdefgh", "ok": True} for n in range(23)]}).encode()),
    "/page": (HTML, _page(20 * 1024)),
    "/long": (HTML, _page(200 * 1024)),
}
#: Bodies that come in pieces.
STREAMS: dict[str, list[bytes]] = {
    "/stream": [_STREAM[at : at + CHUNK_BYTES] for at in range(0, len(_STREAM), CHUNK_BYTES)]
}


def _varying(number: int) -> bytes:
    """A page whose head holds tokens of its own: a counter, a CSRF token and a nonce in two places."""
    page = BODIES["/page"][1]
    nonce = b64encode(sha256(b"nonce %d" % number).digest()[:16])
    token = sha256(b"token %d" % number).hexdigest().encode()
    page = page.replace(b"<script", b'<script nonce="%b"' % nonce)
    meta = b'<meta name="csrf-token" content="%b">\n' % token
    return page.replace(b"<title>Morning mug", meta + b"<title>Visit %d: Morning mug" % number, 1)


#: Pages of one path, of which each request gets another one.
VARYING_PAGES = 997


def varying() -> Iterator[bytes]:
    """The pages of ``/varying``, one a request."""
    return cycle([_varying(number) for number in range(VARYING_PAGES)])


def halves(*, head_in_second: bool) -> tuple[bytes, bytes]:
    """A page in two pieces; the end of its head comes in the first or only in the second."""
    page = _page(8192)
    cut = 700 if head_in_second else 4096
    return page[:cut], page[cut:]


def big_stream(megabytes: int) -> Iterator[bytes]:
    """A document of that many MB in pieces of 64 KB, each made when it is asked for."""
    piece_bytes = 65_536
    count = megabytes * 1024 * 1024 // piece_bytes
    yield _page(piece_bytes)[: -len(_TAIL)]
    filler = (_ROW % (7, 7)).encode() * (piece_bytes // 80)
    for number in range(count - 2):
        yield (b"<!--%08d-->" % number + filler)[:piece_bytes]
    yield _TAIL.encode()


_USER_AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36"
)
_CLICK = "E.C.P.CuoBq3fQ2RHacdkfKfofPmlyuStIIHJ4Af1tKYxF9zz2c2PLx1Oaw15oHpcfl5AHm0ZzYQ"
_SESSION = "session=9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822c; csrftoken=Zm9vYmFyYmF6cXV4MDEyMzQ1Njc4OQ"
_KNOWN = f"{_SESSION}; _ttp=2aB3cD4eF5gH6iJ7kL8mN9oP0qR; ttclid={_CLICK}; _tt_fresh=cp"
_NAVIGATION = {
    "accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8",
    "sec-fetch-dest": "document",
    "sec-fetch-mode": "navigate",
    "sec-fetch-site": "same-origin",
    "sec-fetch-user": "?1",
    "upgrade-insecure-requests": "1",
}
_FETCH = {"accept": "*/*", "sec-fetch-dest": "empty", "sec-fetch-mode": "cors", "sec-fetch-site": "same-origin"}


class Scene(NamedTuple):
    """One request, and what its answer is.

    Attributes:
        title: for the table.
        path: what is asked.
        headers: names in lower case.
        query: raw.
        is_page: whether the answer is a page that a script belongs into.
    """

    title: str
    path: str
    headers: dict[str, str]
    query: str = ""
    is_page: bool = True


def _headers(kind: dict[str, str], cookie: str) -> dict[str, str]:
    """As Chrome sends them, a proxy in between."""
    return {
        "host": "shop.example.com",
        "sec-ch-ua": '"Chromium";v="141", "Not?A_Brand";v="8"',
        "sec-ch-ua-mobile": "?0",
        "sec-ch-ua-platform": '"Windows"',
        "user-agent": _USER_AGENT,
        **kind,
        "referer": "https://shop.example.com/mugs",
        "accept-encoding": "gzip, deflate, br, zstd",
        "accept-language": "en-GB,en;q=0.9",
        "cookie": cookie,
    }


_PAGE_HEADERS = _headers(_NAVIGATION, _KNOWN)

SCENES: dict[str, Scene] = {
    "json": Scene("JSON, 1 KB", "/api", _headers(_FETCH, _KNOWN), is_page=False),
    "page": Scene("HTML, 20 KB", "/page", _PAGE_HEADERS),
    "landing": Scene(
        "HTML, 20 KB, first visit from an ad (cookies are set)",
        "/page",
        _headers(_NAVIGATION, _SESSION),
        f"utm_source=tiktok&utm_medium=paid&ttclid={_CLICK}",
    ),
    "varying": Scene("HTML, 20 KB, a head that differs on every request", "/varying", _PAGE_HEADERS),
    "long": Scene("HTML, 200 KB", "/long", _PAGE_HEADERS),
    "stream": Scene("HTML stream, 50 x 4 KB", "/stream", _PAGE_HEADERS),
    "tracked": Scene("HTML, 20 KB, one tracked event", "/tracked", _PAGE_HEADERS),
    "early": Scene("two pieces, head in the first", "/early", _PAGE_HEADERS),
    "later": Scene("two pieces, head ends in the second", "/later", _PAGE_HEADERS),
    "big": Scene("HTML stream, 50 MB", "/big", _PAGE_HEADERS),
}
BODIES["/tracked"] = BODIES["/page"]
