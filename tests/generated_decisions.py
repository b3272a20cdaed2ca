"""The table of decisions in docs/architecture.md, generated from `policy.plan`."""

from __future__ import annotations

from typing import NamedTuple

from tests.core.core_world import FETCH, NAVIGATION, NOW, scope_request
from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.response.policy import plan

__all__ = ["BEGIN", "END", "with_decisions"]

BEGIN = "<!-- decisions: python -m tests.generated_docs -->"
END = "<!-- end of decisions -->"


class _Case(NamedTuple):
    response: str
    status: int
    headers: dict[str, str]
    request: str = "navigation"


_PAGE = {"content-type": "text/html; charset=utf-8"}
_REQUESTS: dict[str, dict[str, str]] = {
    "navigation": NAVIGATION,
    "frame": {"sec-fetch-mode": "navigate", "sec-fetch-dest": "iframe"},
    "fetch": FETCH,
    "fetch of another origin": {**FETCH, "sec-fetch-site": "cross-site", "origin": "https://other.example"},
    "htmx": {**FETCH, "hx-request": "true"},
    "fetched ahead": {**NAVIGATION, "sec-purpose": "prefetch"},
    "POST of another site": {**NAVIGATION, "sec-fetch-site": "cross-site", "origin": "https://bank.example"},
}
_CASES = [
    _Case("page", 200, _PAGE),
    _Case("page", 200, _PAGE, "frame"),
    _Case("page", 200, _PAGE, "htmx"),
    _Case("page", 200, _PAGE, "fetched ahead"),
    _Case("page", 200, _PAGE, "POST of another site"),
    _Case("page, `public, max-age=60`", 200, {**_PAGE, "cache-control": "public, max-age=60"}),
    _Case("page, gzip", 200, {**_PAGE, "content-encoding": "gzip"}),
    _Case("page, unknown coding", 200, {**_PAGE, "content-encoding": "exi"}),
    _Case("page, UTF-16", 200, {"content-type": "text/html; charset=utf-16"}),
    _Case("page, `no-transform`", 200, {**_PAGE, "cache-control": "no-transform"}),
    _Case("XHTML", 200, {"content-type": "application/xhtml+xml"}),
    _Case("redirect", 302, {}),
    _Case("redirect", 302, {}, "fetch"),
    _Case("download", 200, {"content-type": "application/pdf"}),
    _Case("JSON", 200, {"content-type": "application/json"}, "fetch"),
    _Case("JSON", 200, {"content-type": "application/json"}, "fetch of another origin"),
    _Case("event stream", 200, {"content-type": "text/event-stream"}, "fetch"),
    _Case("part of a file", 206, {"content-type": "video/mp4"}),
    _Case("unchanged page", 304, _PAGE),
]


def _row(case: _Case) -> str:
    request = scope_request("/", _REQUESTS[case.request], method="POST" if case.request.startswith("POST") else "GET")
    made = plan(
        case.status,
        Head.read([(name.encode(), value.encode()) for name, value in case.headers.items()]),
        request,
        now_s=NOW,
    )
    reasons = ", ".join(f"`{reason}`" for reason in made.reasons)
    columns = (made.place.value, made.audience.value, made.codec.value, made.timing.value)
    return f"| {case.status} {case.response} | {case.request} | {' | '.join(columns)} | {reasons} |"


def with_decisions(page: str) -> str:
    """Return ``page`` with the table of today's code between its two marks."""
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    head = ["| Response | Request | Place | Audience | Codec | Timing | Reasons |", "|---|---|---|---|---|---|---|"]
    return "\n".join([before + BEGIN, "", *head, *map(_row, _CASES), "", END]) + after
