"""What a page, or anybody, may post to our endpoint, through both doors: nothing of ours fails, and both answer alike."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from itertools import cycle

from tests.contract.adapters import Request, make_client, seen_of_messages
from tests.contract.test_reports import SAME, by_asgi, by_wsgi
from tests.core.endpoint.report_world import MINTED, token_of
from tests.watch import Watch
from tiktok_middleware import Client
from tiktok_middleware._log import observed_by
from tiktok_middleware._rate_limit import RateLimit
from tiktok_middleware.core.visitor.user_data import Identity

WORDS = [
    b"{", b"}", b"[", b"]", b",", b":", b'"', b"null", b"true", b"1e999", b"-1", b'\\"', b"\\u0000", b"\\ud800", b"\xff", b"\xc3\xa9", b"\x00",
    b'"u":"http://shop.example/?ttclid=E.C.P.x"', b'"u":"http://[', b'"u":"//"', b'"u":"http://other.example/"', b'"r":""', b'"w":"g"', b'"w":"d"',
    b'"b":"g"', b'"b":"d"', b'"c":[["', b'","', b'"]]', b'"e":[["Search",{"search_string":"x"},"', b'"e":[["Purchase",{"value":1,"currency":"EUR"},"',
    b'"x":["', b'{"value":NaN}', b'{"contents":[{"content_id":"a"}]}', b"[[[[[[[[[[", b'{"a":{"a":{"a":{"a":{"a":{"a":', MINTED.encode(),
]  # fmt: skip

#: Where the request comes from, and with what; chosen by the first byte.
_HEADERS: tuple[dict[str, str], ...] = (
    SAME,
    {**SAME, "cookie": "_ttp=01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1; _tt_fresh=p"},
    {**SAME, "sec-gpc": "1"},
    {**SAME, "cookie": "_tt_consent=d; ttclid=E.C.P.x"},
    {"origin": "http://shop.example", "content-type": "application/json"},
    {"origin": "http://other.example"},
)
_STATUSES = {200, 400, 403, 405, 413, 429}
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")

_worlds: list[tuple[Client, Client]] = []


def _clients() -> tuple[Client, Client]:
    """One for each door, and nobody has asked yet."""
    if not _worlds:
        _worlds.append((make_client(browser_events="Search"), make_client(browser_events="Search")))
    for client in _worlds[0]:
        client._throttle = RateLimit()
        client.runtime.random_bytes.calls = 0  # type: ignore[attr-defined]
    return _worlds[0]


def seeds() -> Iterator[bytes]:
    """Reports of every kind, as pages send them and otherwise."""
    runtime = _clients()[0].runtime
    tokens = [token_of(runtime), token_of(runtime, event="Purchase", properties={}), token_of(runtime, expires=1)]
    tokens += [token_of(runtime, event_id=MINTED), token_of(runtime, identity=Identity(email=("a" * 64,)))]
    numbers = cycle(range(len(_HEADERS)))
    said: list[object] = [
        {}, [], None, "", {"u": "http://shop.example/?ttclid=E.C.P.x", "r": "http://shop.example/"}, {"w": "g"}, {"w": "d"},
        {"b": "g"}, {"c": [["", ""]]}, {"c": [["x.y", MINTED]]}, {"e": [["Search", {"search_string": "x"}, MINTED]]},
        {"e": [["Search", {}, "x"]]}, {"e": [["Nothing", {}, MINTED]]}, {"x": ["a", "b"]}, {"u": "http://shop.example/bob@example.com"},
        *({"u": "http://shop.example/p", "c": [[token, MINTED], [token, ""]]} for token in tokens),
    ]  # fmt: skip
    for one in said:
        for _ in _HEADERS:
            yield bytes([next(numbers)]) + json.dumps(one).encode()
    for word, other in zip(WORDS, reversed(WORDS), strict=True):
        for body in (b"{" + word + b"}", b"{" + word + b"," + other + b"}", word * 3, word + other):
            yield bytes([next(numbers)]) + body


def check(data: bytes) -> None:
    """Raises where a promise is broken.

    Raises:
        AssertionError: nothing of ours fails, even in silence; both doors give the same answer, one that the endpoint
            knows; no header of ours could be taken for two.
    """
    chosen, body = data[:1] or b"\0", data[1:]
    request = Request("POST", "/_tiktok/collect", headers=_HEADERS[chosen[0] % len(_HEADERS)])
    asgi, wsgi = _clients()
    watch = Watch()
    with observed_by(watch):
        seen = seen_of_messages(by_asgi(asgi, request, [body[:5], body[5:]]))
        other = by_wsgi(wsgi, request, body)
    if watch.errors:
        raise AssertionError("an error of ours was swallowed") from watch.errors[0]
    assert seen == other
    assert seen.status in _STATUSES
    assert seen.status != 200 or isinstance(json.loads(seen.body)["load"], bool)
    assert not [value for _, value in seen.headers if _CONTROL.search(value)]
