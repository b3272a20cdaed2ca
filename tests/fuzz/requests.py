"""A request as nobody should send it, through both doors: nothing of ours fails, and both answer alike."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import cycle, product
from typing import NamedTuple

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
from tests.core.consent.platforms.headers_seen import SEEN
from tests.watch import Watch
from tiktok_middleware import Client
from tiktok_middleware._log import observed_by
from tiktok_middleware.core.consent.consent import make_reader
from tiktok_middleware.core.consent.state import State
from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.runtime import Runtime

#: The headers that are read, and one that is not; in an input each is named by one letter.
NAMES = (
    "cookie", "host", "x-forwarded-for", "x-forwarded-proto", "x-forwarded-host", "forwarded", "accept", "user-agent",
    "referer", "origin", "sec-fetch-dest", "sec-fetch-mode", "sec-fetch-site", "sec-purpose", "purpose", "x-moz", "sec-gpc",
    "if-none-match", "if-modified-since", "hx-request", "hx-boosted", "hx-current-url", "turbo-frame", "x-requested-with",
    "x-nobody-reads",
)  # fmt: skip
_LETTERS = {chr(ord("a") + number): name for number, name in enumerate(NAMES)}

_CONSENTS = ("implied", "required", "cookie:choice=yes", *sorted({seen.setting for seen in SEEN}))
_PROXIES = ("0", "2", "10.0.0.0/8,203.0.113.0/24")
_EVENT = ("ViewContent", {"value": 24.5, "currency": "EUR"})
_RESPONSES = (
    Response(events=(_EVENT,), has_length=True),
    Response(headers=(HTML, ("ETag", '"abc"'), ("Cache-Control", "public, max-age=60"))),
    Response(headers=(("Content-Type", "application/json"),), pieces=(b"{}",), events=(_EVENT,)),
    Response(status=302, headers=(("Location", "/thanks"),), pieces=(b"",), events=(_EVENT,), has_length=True),
    Response(events=(_EVENT,), late_events=(_EVENT,), pieces=(PAGE[:20], PAGE[20:]), is_streamed=True),
)

WORDS = [
    b"ttclid=", b"E.C.P.abc", b"_ttp=", b"01K0ABCDEFGHJKMNPQRSTVWXYZ", b"_tt_fresh=cp", b"_tt_carry=", b"_tt_consent=", b"/_tiktok/",
    b"/_tiktok/helper-", b".js", b"%", b"%00", b"%ff", b"%40", b"bob%40example.com", b"%u0041", b"\\u0041", b";", b"; ", b"=", b",", b'"', b"'",
    b"{", b"}", b"[", b"]", b":", b"true", b"false", b"null", b"1e999", b"-1", b"NaN", b"[[[[[[[[", b'{"a":', b"W/", b'W/"abc', b"*", b"~", b".",
    b"document", b"iframe", b"navigate", b"cors", b"same-origin", b"prefetch", b"text/html", b"127.0.0.1", b"10.0.0.1", b"[::1]:80", b"::ffff:10.0.0.1",
    b"https", b"shop.example", b"xn--", b"\xff", b"\xc3\xa9", b"\x00", b"\r", b"\xe2\x80\xa8", b"euconsent-v2=", b"OptanonConsent=", b"CookieConsent=",
    b"usprivacy=", b"1YYY", b"gpp=", b"DBABLA~", b"BVQVAAAAAY", b"eyJ", b"==", b"cmplz_marketing=", b"didomi_token=", b"groups=", b"klaro=",
]  # fmt: skip


class _World:
    """The doors' two clients, and every configuration that an input may ask for."""

    def __init__(self) -> None:
        self.clients = make_client(), make_client()
        self.setups = [_setups(client) for client in self.clients]

    def clients_for(self, choice: int) -> tuple[Client, Client]:
        for client, setups in zip(self.clients, self.setups, strict=True):
            client.runtime = setups[choice % len(setups)]
            client.runtime.random_bytes.calls = 0  # type: ignore[attr-defined]
        return self.clients


def _setups(client: Client) -> list[Runtime]:
    """One for each kind of consent and of proxies."""
    readers = [
        make_reader(setting, implied=implied) for setting, implied in product(_CONSENTS, (State.UNKNOWN, State.GRANTED))
    ]
    found = product(readers, map(Proxies, _PROXIES))
    return [replace(client.runtime, reader=reader, proxies=proxies) for reader, proxies in found]


_worlds: list[_World] = []


class Case(NamedTuple):
    """One input, read: which configuration and which response, and the request."""

    runtime: int
    response: Response
    request: Request

    @classmethod
    def read(cls, data: bytes) -> Case:
        """Two bytes that choose, a line with method, path and query, and a line for each header."""
        choices, rest = data[:2].ljust(2, b"\0"), data[2:]
        first, *lines = rest.decode("latin-1").split("\n")
        method = ("GET", "GET", "POST", "HEAD")[choices[1] >> 6]
        path, _, query = first.partition("?")
        headers = {_LETTERS[line[0]]: line[1:].strip(" \t") for line in lines if line[:1] in _LETTERS}
        request = Request(method, "/" + path.lstrip("/"), query, headers)
        return cls(choices[0], _RESPONSES[choices[1] % len(_RESPONSES)], request)


def seeds() -> Iterator[bytes]:
    """Every consent platform's cookies, and every header with a word or two."""
    numbers = cycle(range(256))
    letters = {name: letter.encode() for letter, name in _LETTERS.items()}
    for seen in SEEN:
        setting = _CONSENTS.index(seen.setting) * 2 * len(_PROXIES)
        yield bytes([setting % 256, next(numbers)]) + b"shop?ttclid=E.C.P.abc\na" + seen.header.encode("latin-1")
    for name, (one, other) in zip(cycle(NAMES), zip(WORDS, reversed(WORDS), strict=True), strict=False):
        line = b"\n" + letters[name] + one + other
        yield bytes([next(numbers), next(numbers)]) + b"p/" + one + b"?q=" + other + line + b"\nadocument=1; " + other


def check(data: bytes) -> None:
    """Raises where a promise is broken.

    Raises:
        AssertionError: nothing of ours fails, even in silence; both doors give the same answer; outside our script
            the body is the app's; no header of ours could be taken for two.
    """
    if not _worlds:
        _worlds.append(_World())
    world = _worlds[0]
    case = Case.read(data)
    asgi, wsgi = world.clients_for(case.runtime)
    watch = Watch()
    with observed_by(watch):
        seen = through_asgi(asgi, case.request, case.response)
        other = through_wsgi(wsgi, case.request, case.response)
    if watch.errors:
        raise AssertionError("an error of ours was swallowed") from watch.errors[0]
    assert seen == other
    if case.request.path.startswith("/_tiktok/") and seen.body != case.response.body:
        return
    _check_answer(asgi, case.response, seen)


def _check_answer(client: Client, response: Response, seen: Seen) -> None:
    rest, count = without_ours(client, seen.body)
    assert rest == response.body
    assert count <= 1 + bool(response.late_events)
    assert seen.status == response.status
    assert not _forbidden(seen.headers), seen.headers
    assert sum(len(name) + len(value) for name, value in seen.headers) < 2048


# What a header may not hold: it would end it, or a browser would not take it.
_CONTROL = re.compile(r"[\x00-\x08\x0a-\x1f\x7f]")


def _forbidden(headers: Sequence[tuple[str, str]]) -> list[tuple[str, str]]:
    return [(name, value) for name, value in headers if _CONTROL.search(value) or not name.isascii()]
