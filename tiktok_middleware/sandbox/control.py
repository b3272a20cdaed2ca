"""The sandbox's own endpoints, ``/sandbox/*``: recorded events and requests, and the switches."""

from __future__ import annotations

from typing import Any

import anyio
import msgspec
from starlette.requests import Request
from starlette.responses import Response

from tiktok_middleware.errors import ConfigError
from tiktok_middleware.sandbox.state import Sandbox, json_response, read_limited, sandbox_of
from tiktok_middleware.sandbox.store import Conversion

__all__ = ["events", "health", "requests", "reset", "settings"]

_POLL_S = 0.02
_WAIT_LIMIT_S = 60.0
_CHANGE_LIMIT_BYTES = 64 * 1024


async def health(request: Request) -> Response:
    """Return the sandbox's status and how many events and requests it holds."""
    sandbox = sandbox_of(request)
    return json_response({"status": "ok", "events": len(sandbox.ledger), "requests": len(sandbox.journal)})


async def events(request: Request) -> Response:
    """Return the conversions, oldest first.

    Query: ``event`` and ``event_id`` select conversions; ``limit`` returns the newest only. ``wait_for=Purchase`` waits
    up to ``timeout`` seconds (5 by default, at most 60) until ``count`` (1 by default) conversions of this event exist.
    With ``state=matched`` (or another state) only conversions in this state count. The response lists the
    conversions in both cases; its header ``sandbox-waited`` is ``yes``, or ``timeout`` if they did not arrive in time.
    """
    sandbox = sandbox_of(request)
    query = request.query_params
    try:
        limit, count = int(query.get("limit", "0")), int(query.get("count", "1"))
        timeout_s = min(float(query.get("timeout", "5")), _WAIT_LIMIT_S)
    except ValueError:
        return json_response({"error": "limit and count are whole numbers, timeout is seconds"}, 400)
    headers = {}
    if wanted := query.get("wait_for"):
        arrived = await _wait(sandbox, wanted, query.get("state"), count, timeout_s)
        headers["sandbox-waited"] = "yes" if arrived else "timeout"
    tag = f'"{sandbox.ledger.revision}-{sandbox.journal.revision}"'
    if request.headers.get("if-none-match") == tag:
        return Response(None, 304, {"etag": tag})
    found = [
        one
        for one in sandbox.ledger
        if query.get("event", one.event) == one.event and query.get("event_id", one.event_id) == one.event_id
    ]
    return json_response(found[-limit:] if limit > 0 else found, headers={"etag": tag, **headers})


async def _wait(sandbox: Sandbox, event: str, state: str | None, count: int, timeout_s: float) -> bool:
    def ready(one: Conversion) -> bool:
        return one.event == event and state in {None, one.state}

    with anyio.move_on_after(timeout_s):
        while sum(map(ready, sandbox.ledger)) < count:  # noqa: ASYNC110  an anyio.Event would tie the ledger to a loop
            await anyio.sleep(_POLL_S)
        return True
    return False


async def requests(request: Request) -> Response:
    """Return the raw requests with their answers, oldest first; ``channel`` selects, ``limit`` keeps the newest."""
    query = request.query_params
    found = [one for one in sandbox_of(request).journal if query.get("channel", one.channel) == one.channel]
    limit = query.get("limit", "")
    return json_response(found[-int(limit) :] if limit.isdecimal() and int(limit) else found)


async def settings(request: Request) -> Response:
    """Return the switches; a POST with a JSON object changes those that it names."""
    sandbox = sandbox_of(request)
    if request.method == "POST":
        if refusal := _foreign(request):
            return refusal
        changes = _object(await read_limited(request, _CHANGE_LIMIT_BYTES))
        if changes is None:
            return json_response({"error": "the body must be a JSON object of switches"}, 400)
        try:
            sandbox.settings = sandbox.settings.changed(changes)
        except ConfigError as error:
            return json_response({"error": str(error), "option": error.option, "allowed": error.allowed}, 400)
    return json_response(sandbox.settings)


async def reset(request: Request) -> Response:
    """Remove all events and requests; with ``?settings=true`` also reset the switches."""
    if refusal := _foreign(request):
        return refusal
    sandbox = sandbox_of(request)
    sandbox.ledger.clear()
    sandbox.journal.clear()
    if request.query_params.get("settings") == "true":
        sandbox.settings = request.app.state.initial
    return json_response({"status": "ok"})


def _object(raw: bytes | None) -> dict[str, Any] | None:
    try:
        return msgspec.json.decode(raw or b"", type=dict[str, Any])
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _foreign(request: Request) -> Response | None:
    # Any page in the developer's browser could post here; Sec-Fetch-Site identifies requests of other sites.
    if request.headers.get("sec-fetch-site", "none") in {"none", "same-origin"}:
        return None
    return json_response({"error": "only the inspector's own page may do this"}, 403)
