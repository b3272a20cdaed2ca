"""State of one sandbox, and functions that all its endpoints share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from tiktok_middleware.sandbox.journal import Entry, Journal
from tiktok_middleware.sandbox.settings import Settings
from tiktok_middleware.sandbox.store import Ledger

__all__ = ["Dropped", "Sandbox", "decoded", "entry", "json_response", "read_limited", "sandbox_of"]


@dataclass
class Sandbox:
    """State of one sandbox: settings, conversions and raw requests."""

    settings: Settings
    ledger: Ledger
    clock: Callable[[], float]
    journal: Journal = field(default_factory=Journal)

    def api_mode(self) -> str:
        """Return the mode for the current Events API request, and count down ``api_mode_times``."""
        settings = self.settings
        if settings.api_mode == "ok" or settings.api_mode_times is None:
            return settings.api_mode
        left = settings.api_mode_times - 1
        changes = {"api_mode_times": left} if left else {"api_mode": "ok", "api_mode_times": None}
        self.settings = settings.changed(changes)
        return settings.api_mode


class Dropped(Response):
    """No answer: the head declares a byte that is never sent, so that the server closes the connection."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002  ASGI's signature
        """Send the head and return without a body."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1")]})


def sandbox_of(request: Request) -> Sandbox:
    """Return the sandbox that received a request."""
    sandbox: Sandbox = request.app.state.sandbox
    return sandbox


async def read_limited(request: Request, limit_bytes: int) -> bytes | None:
    """Return the body, or None if it is longer than the limit; reading stops at the limit."""
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > limit_bytes:
            return None
    return bytes(body)


def decoded(body: bytes) -> Any:
    """Return JSON as Python objects, or the text if it is not JSON."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return body.decode("utf-8", "replace")


def json_response(value: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return a JSON response that must not be cached."""
    return Response(
        msgspec.json.encode(value),
        status,
        {"cache-control": "no-store", **(headers or {})},
        "application/json",
    )


def entry(
    request: Request, channel: str, body: bytes, *, status: int, code: int | None = None, message: str = ""
) -> Entry:
    """Return the journal entry for a request and its answer; access tokens are masked."""
    headers = {name: value for name, value in request.headers.items() if name != "cookie"}
    if token := headers.get("access-token"):
        headers["access-token"] = (token[:4] if len(token) >= 16 else "") + "…"
    query = f"?{request.url.query}" if request.url.query else ""
    return Entry(
        at=sandbox_of(request).clock(),
        channel=channel,
        method=request.method,
        path=request.url.path + query,
        headers=headers,
        body=decoded(body) if body else None,
        status=status,
        code=code,
        message=message,
        size=len(body),
    )
