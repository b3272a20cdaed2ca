"""Serve ``events.js``, and receive the events that it reports."""

from __future__ import annotations

import functools
import secrets
from collections.abc import Iterator
from importlib import resources
from typing import Any

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from tiktok_middleware.core.visitor.in_app import in_app
from tiktok_middleware.sandbox.check import check_name, check_pixel
from tiktok_middleware.sandbox.check_properties import check_properties
from tiktok_middleware.sandbox.check_user import absolute
from tiktok_middleware.sandbox.matching import Copy, Note
from tiktok_middleware.sandbox.rules import Problem
from tiktok_middleware.sandbox.settings import SLOW_MS, Settings
from tiktok_middleware.sandbox.state import Dropped, Sandbox, entry, json_response, read_limited, sandbox_of

__all__ = ["collect", "events_js"]

REPORT_LIMIT_BYTES = 256 * 1024
_PARTS = ("sha256.js", "cookies.js", "identity.js", "events.js")


@functools.cache
def _script() -> str:
    folder = resources.files("tiktok_middleware.sandbox").joinpath("static").joinpath("pixel")
    parts = "\n".join(folder.joinpath(part).read_text("utf-8") for part in _PARTS)
    # One function around all parts: they define no globals in the page, and the page sees no exception.
    return "(function () {\n'use strict';\ntry {\n" + parts + "\n} catch (error) { /* kept from the page */ }\n})();\n"


def _delay_s(settings: Settings) -> float:
    if settings.pixel_mode == "slow":
        return max(SLOW_MS, settings.pixel_delay_ms or 0) / 1000
    if settings.pixel_delay_ms is None:
        return (200 + secrets.randbelow(500)) / 1000
    return settings.pixel_delay_ms / 1000


def _cors(request: Request) -> dict[str, str]:
    return {
        "access-control-allow-origin": request.headers.get("origin", "*"),
        "access-control-allow-methods": "POST, OPTIONS",
        "access-control-allow-headers": "content-type",
        "cross-origin-resource-policy": "cross-origin",
        "timing-allow-origin": "*",
        "vary": "origin",
        "cache-control": "no-store",
    }


async def events_js(request: Request) -> Response:
    """Return the script, after the delay or with the failure that the switches select."""
    sandbox = sandbox_of(request)
    settings = sandbox.settings
    await anyio.sleep(_delay_s(settings))
    if settings.pixel_mode == "blocked":
        sandbox.journal.write(entry(request, "script", b"", status=0, message="connection closed"))
        return Dropped()
    if settings.pixel_mode == "failing":
        sandbox.journal.write(entry(request, "script", b"", status=500, message="switched to failing"))
        return PlainTextResponse("Internal Server Error", 500, _cors(request))
    sandbox.journal.write(entry(request, "script", b"", status=200, message="events.js"))
    return Response(_script(), 200, _cors(request), "application/javascript")


async def collect(request: Request) -> Response:
    """Receive one event from ``events.js``; its type is text, so that the browser sends no preflight."""
    sandbox = sandbox_of(request)
    if request.method == "OPTIONS":
        return Response(None, 204, _cors(request))
    raw = await read_limited(request, REPORT_LIMIT_BYTES)
    if sandbox.settings.pixel_mode == "blocked":
        return Dropped()
    status, code, message = _receive(sandbox, raw)
    sandbox.journal.write(entry(request, "browser", raw or b"", status=status, code=code, message=message))
    return json_response({"code": code, "message": message}, status, _cors(request))


def _receive(sandbox: Sandbox, raw: bytes | None) -> tuple[int, int, str]:
    if sandbox.settings.pixel_mode == "failing":
        return 500, 50000, "switched to failing"
    if raw is None:
        return 413, 40002, f"larger than {REPORT_LIMIT_BYTES} bytes"
    try:
        report = msgspec.json.decode(raw, type=_Report)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return 400, 40002, str(error)
    sandbox.ledger.take(_copy(report, sandbox, len(raw)))
    return 200, 0, "OK"


class _Pixel(msgspec.Struct):
    code: str
    options: dict[str, Any] = {}
    missing_methods: list[str] = []


class _Context(msgspec.Struct):
    pixel: _Pixel
    page: dict[str, Any] = {}
    user: dict[str, Any] = {}
    ttp: str | None = None
    ttclid: str | None = None
    userAgent: str = ""  # noqa: N815  the pixel's own name for it


class _Report(msgspec.Struct):
    """Body of ``/api/v2/pixel``: the fields that the sandbox reads."""

    event: str
    context: _Context
    event_id: str = ""
    timestamp: float = 0.0
    properties: dict[str, Any] = {}
    limited_data_use: bool = False
    signal_diagnostic_labels: dict[str, Any] = {}


_SERVER_NAMES = {"phone_number": "phone"}


def _copy(report: _Report, sandbox: Sandbox, size: int) -> Copy:
    context = report.context
    user = {_SERVER_NAMES.get(key, key): value for key, value in context.user.items()}
    known = {"ttclid": context.ttclid, "ttp": context.ttp, "user_agent": context.userAgent}
    user |= {key: value for key, value in known.items() if value}
    properties = {key: value for key, value in report.properties.items() if key != "limited_data_use"}
    problems = _problems(report, sandbox.settings)
    return Copy(
        channel="browser",
        at=sandbox.clock(),
        pixel=context.pixel.code,
        source="web",
        event=report.event,
        event_id=report.event_id,
        event_time=int(report.timestamp / 1000),
        properties=properties,
        user=user,
        page=context.page,
        limited_data_use=report.limited_data_use,
        in_app=in_app(context.userAgent),
        options=context.pixel.options,
        notes=tuple(Note("browser", "error" if one.refuses else "warning", one.path, one.reason) for one in problems),
        size=size,
    )


def _problems(report: _Report, settings: Settings) -> Iterator[Problem]:
    """Return the problems that TikTok's Pixel Helper or a review would report; the pixel accepts them all."""
    code = report.context.pixel.code
    if settings.pixels and code not in settings.pixels:
        yield Problem("pixel", "Is not a known pixel code.")
    yield from check_pixel("pixel", code)
    yield from check_name("event", report.event)
    yield from check_properties("properties", report.properties, server=False)
    if not report.event_id and report.event != "Pageview":
        yield Problem("event_id", "Missing: TikTok cannot match it with the server's copy.", refuses=False)
    for problem in absolute("page.url", report.context.page.get("url")):
        yield Problem(problem.path, problem.reason)
    if missing := report.context.pixel.missing_methods:
        yield Problem("ttq", "The stub lacks the methods " + ", ".join(missing) + ".", refuses=False)
    for key, label in report.signal_diagnostic_labels.items():
        if isinstance(label, dict) and label.get("label") in {"raw", "invalid"}:
            yield Problem(f"identify.{key}", _LABELS[label["label"]])


_LABELS = {
    "raw": "Was given raw to the page; hand out SHA-256 hashes only.",
    "invalid": "Is empty, the hash of an empty value, or malformed.",
}
