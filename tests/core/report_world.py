"""What the tests of reports share: a page's POST, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tests.core.core_world import NOW, MakeFacts, scope_facts
from tiktok_middleware.core.collect import Judgement, Report, hear
from tiktok_middleware.core.envelope import SEALED_LIFE_S, Envelope, write_envelope
from tiktok_middleware.core.event import Claim
from tiktok_middleware.core.event_ids import timed_event_id
from tiktok_middleware.core.identity import Identity
from tiktok_middleware.core.responses import Answer
from tiktok_middleware.core.setup import Setup

PAGE = "https://shop.example/p?utm_source=x&secret=1"
SAME = {"sec-fetch-site": "same-origin", "user-agent": "Mozilla/5.0", "content-type": "text/plain"}
MINTED = timed_event_id(NOW, bytes(10))


def token_of(setup: Setup, **more: Any) -> str:
    """A template of this setup, or what ``more`` makes of it."""
    settings: dict[str, Any] = {
        "event": "ViewContent",
        "properties": {"value": 5},
        "path": "/p",
        "expires": int(NOW) + SEALED_LIFE_S,
        "identity": Identity(),
    }
    return write_envelope(Envelope(**{**settings, **more}), setup.signer, setup.config.pixels)


def heard(
    setup: Setup,
    said: Mapping[str, Any] | bytes,
    headers: Mapping[str, str] | None = None,
    *,
    make: MakeFacts = scope_facts,
    **more: Any,
) -> Report | Answer:
    """What the endpoint makes of a report."""
    facts = make("/_tiktok/collect", {**SAME, **(headers or {})}, method="POST", **more)
    return hear(facts, setup, said if isinstance(said, bytes) else msgspec.json.encode(said))


def report(
    setup: Setup,
    said: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    parcels: Sequence[bytes | None] = (),
    **more: Any,
) -> Judgement:
    """The report, which is understood, and judged."""
    found = heard(setup, said, headers, **more)
    assert isinstance(found, Report)
    return found.judged(parcels)


def answered(found: Judgement, *, browser: bool = True) -> dict[str, Any]:
    """What the page hears, once the claims are made."""
    claims = [Claim(browser and submission.browser, bool(submission.records)) for submission in found.submissions]
    said: dict[str, Any] = msgspec.json.decode(found.answer(claims).body)
    return said


def cookies(found: Judgement) -> dict[str, str]:
    """The cookies that the answer sets, by name, with the rest of their line."""
    lines = [value for name, value in found.answer(None).headers if name == "Set-Cookie"]
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


def items(found: Judgement) -> list[dict[str, Any]]:
    """The server copies."""
    return [msgspec.json.decode(record.body) for submission in found.submissions for record in submission.records]
