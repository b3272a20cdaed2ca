"""Identities planted in everything that a request brings: none is found on the wire, on disk, in logs or in HTML."""

from __future__ import annotations

import asyncio
import base64
import logging
import random
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.adapters import Request as Wanted
from tests.contract.adapters import asgi_scope
from tests.identities import ENCODINGS, Person, full_width, people
from tiktok_middleware import Client, Config
from tiktok_middleware.asgi import TikTokMiddleware
from tiktok_middleware.core.events.event import Record
from tiktok_middleware.core.events_api.answers import Delivered, Rejected, Verdict
from tiktok_middleware.core.tracking.current import KEY

pytestmark = pytest.mark.slow

PAGE = b"<!doctype html><html><head><title>x</title></head><body>hello</body></html>"
SENT: list[bytes] = []


class Sink:
    """Takes most events, and quotes the others in its reason, as TikTok may."""

    def send(self, batch: Sequence[Record]) -> list[Verdict]:
        SENT.extend(record.body for record in batch)
        return [Rejected("40002: no\nforged") if record.event == "Search" else Delivered() for record in batch]

    def close(self) -> None:
        pass


def make_sink(_: object) -> Sink:
    return Sink()


def needles(person: Person) -> tuple[set[bytes], set[bytes]]:
    """Return how software may spell the person's values: in lower case, and in base64, where case counts."""
    lower, coded = set(), set()
    digits = re.sub(r"\D", "", person.phone)
    for value in (person.email, person.phone, digits, person.card):
        for spelt in (
            value,
            quote(value, safe=""),
            full_width(value),
            value.replace(" ", "+"),
            value.replace("@", "%2540"),
        ):
            lower.add(spelt.lower().encode())
        for before in range(3):
            run = base64.b64encode(b"\0" * before + value.encode())
            coded.add(run[-(-before * 8 // 6) : (before + len(value.encode())) * 8 // 6])
    return lower, coded


def found_in(data: bytes, persons: Sequence[Person]) -> list[bytes]:
    lowered, found = data.lower(), []
    for person in persons:
        lower, coded = needles(person)
        found += [needle for needle in lower if needle in lowered] + [needle for needle in coded if needle in data]
    return found[:5]


class Planter:
    """Makes requests with identities in random places."""

    def __init__(self, persons: Sequence[Person], seed: int) -> None:
        self._persons = persons
        self._dice = random.Random(seed)

    def value(self) -> str:
        person, encode = self._dice.choice(self._persons), self._dice.choice(list(ENCODINGS.values()))
        return encode(self._dice.choice((person.email, person.phone, person.card)))

    def address(self) -> str:
        value = self.value()
        return self._dice.choice(
            (
                f"/u/{value}/orders",
                f"/?utm_content={value}&utm_source=tiktok",
                f"/?ttclid={value}&q=1",
                f"/?next=%2Fx%3Fe%3D{value}",
                f"/search?q=mug&email={value}",
                "/products/1?utm_campaign=TK+-+2026-11-30",
            )
        )

    def request(self) -> Wanted:
        dice = self._dice
        path, _, query = self.address().partition("?")
        headers = {
            "user-agent": dice.choice(("Mozilla/5.0", f"Mozilla/5.0 (App; {self.value()}; 1)", f"App {self.value()}")),
            "sec-fetch-mode": "navigate",
            "sec-fetch-dest": "document",
            "cookie": dice.choice(
                ("", f"_ttp={self.value()}", f"ttclid={self.value()}; _tt_carry={self.value()}", f"x={self.value()}")
            ),
            "referer": f"http://shop.example{self.address()}",
        }
        return Wanted("GET", path, query, {name: value for name, value in headers.items() if value.isascii()})

    def properties(self) -> dict[str, Any]:
        value = self.value()
        return self._dice.choice(
            (
                {"description": f"for {value}", "value": 1, "currency": "EUR"},
                {"note": value, value: "x"},
                {"query": f"https://shop.example/?e={value}"},
                {"contents": [{"content_id": "1", "content_name": value}]},
                {"plan": {"note": [value]}},
            )
        )


def _planted(count: int, folder: Path, caplog: pytest.LogCaptureFixture) -> dict[str, list[bytes]]:
    """Serve so many requests; the identities that were found, by place."""
    persons = list(people(30, seed=11))
    planter = Planter(persons, seed=count)
    SENT.clear()
    client = Client(
        Config(
            pixel_id="C0000000000000000001",
            access_token="t" * 32,
            outbox=f"sqlite:///{folder / 'outbox.sqlite3'}",
            sink="import:tests.privacy.test_planted:make_sink",
            secret_key="k" * 32,
        )
    )
    answers: list[bytes] = []

    async def app(scope: Any, _receive: Any, send: Any) -> None:
        tiktok = scope[KEY]
        tiktok.track(planter._dice.choice(("Search", "Contact")), planter.properties())  # its dice
        answers.append(tiktok.snapshot().encode())
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]})
        await send({"type": "http.response.body", "body": PAGE})

    async def send(message: Any) -> None:
        answers.append(message.get("body", b"") + b" ".join(b"=".join(pair) for pair in message.get("headers", ())))

    async def receive() -> Any:
        return {"type": "http.disconnect"}

    async def serve() -> None:
        middleware = TikTokMiddleware(app, client)
        for _ in range(count):
            await middleware(asgi_scope(planter.request()), receive, send)

    with caplog.at_level(logging.DEBUG, "tiktok_middleware"):
        asyncio.run(serve())
        assert client.flush(120)
    places = {
        "wire": b"\n".join(SENT),
        "html, headers and snapshots": b"\n".join(answers),
        "log": caplog.text.encode("utf-8", "replace"),
    }
    disk = b"".join(path.read_bytes() for path in folder.iterdir())
    client.close(5)
    assert len(SENT) >= count * 0.9
    assert any(b"redacted" in body for body in SENT), "something was planted"
    return {place: found_in(data, persons) for place, data in {**places, "disk": disk}.items()}


def test_planted_identities_are_found_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert {place: found for place, found in _planted(3_000, tmp_path, caplog).items() if found} == {}


@pytest.mark.soak
def test_planted_identities_are_found_nowhere_in_100_000_requests(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    assert {place: found for place, found in _planted(100_000, tmp_path, caplog).items() if found} == {}
