"""What the tests of reports share: a page's POST, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tests.core.core_world import NOW, MakeRequest, scope_request
from tiktok_middleware.core.endpoint.report import Report, ReportOutcome, hear
from tiktok_middleware.core.events.event import Claim
from tiktok_middleware.core.events.ids import timed_event_id
from tiktok_middleware.core.http.own_response import Answer
from tiktok_middleware.core.pixel.signed_event import SEALED_LIFE_S, SignedEvent, write_signed_event
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.visitor.user_data import Identity

PAGE = "https://shop.example/p?utm_source=x&secret=1"
SAME = {"sec-fetch-site": "same-origin", "user-agent": "Mozilla/5.0", "content-type": "text/plain"}
MINTED = timed_event_id(NOW, bytes(10))


def token_of(runtime: Runtime, **more: Any) -> str:
    """A template of this setup, or what ``more`` makes of it."""
    settings: dict[str, Any] = {
        "event": "ViewContent",
        "properties": {"value": 5},
        "path": "/p",
        "expires": int(NOW) + SEALED_LIFE_S,
        "identity": Identity(),
    }
    return write_signed_event(SignedEvent(**{**settings, **more}), runtime.signer, runtime.config.pixels)


def heard(
    runtime: Runtime,
    said: Mapping[str, Any] | bytes,
    headers: Mapping[str, str] | None = None,
    *,
    make: MakeRequest = scope_request,
    **more: Any,
) -> Report | Answer:
    """What the endpoint makes of a report."""
    request = make("/_tiktok/collect", {**SAME, **(headers or {})}, method="POST", **more)
    return hear(request, runtime, said if isinstance(said, bytes) else msgspec.json.encode(said))


def report(
    runtime: Runtime,
    said: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
    *,
    deferreds: Sequence[bytes | None] = (),
    **more: Any,
) -> ReportOutcome:
    """The report, which is understood, and judged."""
    found = heard(runtime, said, headers, **more)
    assert isinstance(found, Report)
    return found.judged(deferreds)


def answered(found: ReportOutcome, *, browser: bool = True) -> dict[str, Any]:
    """What the page hears, once the claims are made."""
    claims = [Claim(browser and submission.browser, bool(submission.records)) for submission in found.submissions]
    said: dict[str, Any] = msgspec.json.decode(found.answer(claims).body)
    return said


def cookies(found: ReportOutcome) -> dict[str, str]:
    """The cookies that the answer sets, by name, with the rest of their line."""
    lines = [value for name, value in found.answer(None).headers if name == "Set-Cookie"]
    return {line.partition("=")[0]: line.partition("=")[2] for line in lines}


def items(found: ReportOutcome) -> list[dict[str, Any]]:
    """The server copies."""
    return [msgspec.json.decode(record.body) for submission in found.submissions for record in submission.records]
