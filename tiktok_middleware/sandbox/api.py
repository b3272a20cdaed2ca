"""The Events API: ``POST /open_api/v1.3/event/track/``."""

from __future__ import annotations

import secrets
import time
from typing import Any

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tiktok_middleware.core.visitor.in_app import in_app
from tiktok_middleware.sandbox.check import check_item, check_root
from tiktok_middleware.sandbox.journal import Entry
from tiktok_middleware.sandbox.matching import Copy, Note
from tiktok_middleware.sandbox.rules import Problem
from tiktok_middleware.sandbox.state import Dropped, Sandbox, decoded, entry, json_response, read_limited, sandbox_of

__all__ = ["track"]

BODY_LIMIT_BYTES = 1024 * 1024
"""Largest accepted body. TikTok documents no limit; the middleware promises to stay below this one."""

_HANG_S = 60

_FAULTS: dict[str, tuple[int, int, str]] = {
    "40100": (200, 40100, "Request rate exceeded."),
    "40100_http401": (401, 40100, "Request rate exceeded."),
    "40105": (401, 40105, "Access token is incorrect or has been revoked."),
    "40001": (200, 40001, "No permission to operate pixel code."),
    "50000": (200, 50000, "System error."),
}
_PROXY_PAGE = "<html><head><title>{0}</title></head><body><center><h1>{0}</h1></center><hr>nginx</body></html>"
_PROXY_FAULTS = {
    "500": (500, "500 Internal Server Error"),
    "503": (503, "503 Service Temporarily Unavailable"),
    "html": (502, "502 Bad Gateway"),
    "429": (429, "429 Too Many Requests"),
}


async def track(request: Request) -> Response:
    """Return TikTok's answer to a batch of events, or the fault that ``api_mode`` selects."""
    sandbox = sandbox_of(request)
    body = await read_limited(request, BODY_LIMIT_BYTES)
    mode = sandbox.api_mode()
    if sandbox.settings.api_delay_ms:
        await anyio.sleep(sandbox.settings.api_delay_ms / 1000)
    if mode == "hang":
        response = await _hang(request)
    elif mode in {"ok", "lost_answer"}:
        response = _answer(*_judge(request, sandbox, body))
    else:
        response = _fault(mode)
    if mode == "lost_answer":
        response = _fault("500")
    message = "" if mode == "ok" else f"switched to {mode}"
    sandbox.journal.write(_line(request, body or b"", response, message))
    return response


def _line(request: Request, body: bytes, response: Response, message: str) -> Entry:
    answer = decoded(bytes(response.body)) if response.body else None
    code, said = (answer.get("code"), answer.get("message")) if isinstance(answer, dict) else (None, None)
    status = 0 if isinstance(response, Dropped) else response.status_code
    return entry(request, "server", body, status=status, code=code, message=message or said or "")


def _answer(status: int, code: int, message: str) -> Response:
    request_id = time.strftime("%Y%m%d%H%M%S", time.gmtime()) + secrets.token_hex(9).upper()
    return json_response({"code": code, "message": message, "request_id": request_id, "data": {}}, status)


def _fault(mode: str) -> Response:
    if mode in _FAULTS:
        return _answer(*_FAULTS[mode])
    if mode in _PROXY_FAULTS:
        status, title = _PROXY_FAULTS[mode]
        headers = {"retry-after": "1"} if mode == "429" else {}
        return Response(_PROXY_PAGE.format(title), status, headers, "text/html")
    if mode == "garbage":
        return Response("{oops", 200, {}, "application/json")
    return Dropped()


async def _hang(request: Request) -> Response:
    with anyio.move_on_after(_HANG_S):
        while not await request.is_disconnected():  # noqa: ASYNC110  Starlette has no event for it
            await anyio.sleep(0.05)
    return Dropped()


def _judge(request: Request, sandbox: Sandbox, raw: bytes | None) -> tuple[int, int, str]:
    """Check the request and store its events; return HTTP status, TikTok's code and its message."""
    settings = sandbox.settings
    token = request.headers.get("access-token", "")
    if not token:
        return 401, 40104, "Access token is empty, please add it to the Access-Token header."
    if settings.tokens and token not in settings.tokens:
        return 401, 40105, "Access token is incorrect or has been revoked."
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        return 200, 40002, "Content-Type: Must be application/json."
    if raw is None:
        return 200, 40002, f"body: Larger than {BODY_LIMIT_BYTES} bytes."
    try:
        body = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return 200, 40002, "body: Not valid JSON."
    root = list(check_root(body))
    if refusal := next((one for one in root if one.refuses), None):
        return 200, 40002, f"{refusal.path}: {refusal.reason}"
    if settings.pixels and body["event_source_id"] not in settings.pixels:
        return 200, 40001, f"No permission to operate pixel code {body['event_source_id']}."
    return _store(sandbox, body, root, len(raw))


def _store(sandbox: Sandbox, body: dict[str, Any], root: list[Problem], size: int) -> tuple[int, int, str]:
    now = sandbox.clock()
    copies = []
    for index, item in enumerate(body["data"]):
        problems = list(check_item(item, source=body["event_source"], now=now))
        if refusal := next((one for one in problems if one.refuses), None):
            path = f"Batch.{index}.{refusal.path}".rstrip(".")
            return 200, 40002, f"{path}: {refusal.reason}"
        copies.append(_copy(body, item, [*root, *problems], now, size // len(body["data"])))
    for copy in copies:
        sandbox.ledger.take(copy)
    return 200, 0, "OK"


def _copy(body: dict[str, Any], item: dict[str, Any], problems: list[Problem], now: float, size: int) -> Copy:
    properties = dict(item.get("properties", {}))
    return Copy(
        channel="server",
        at=now,
        pixel=body["event_source_id"],
        source=body["event_source"],
        event=item["event"],
        event_id=item.get("event_id", ""),
        event_time=item["event_time"],
        properties=properties,
        user=item.get("user", {}),
        page=item.get("page") or {},
        limited_data_use=item.get("limited_data_use", False),
        test_event_code=body.get("test_event_code", ""),
        in_app=in_app(item.get("user", {}).get("user_agent", "")),
        notes=tuple(Note("server", "warning", one.path, one.reason) for one in problems),
        size=size,
    )
