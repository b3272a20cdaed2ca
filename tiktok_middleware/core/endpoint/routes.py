"""Answer requests below the endpoint: the helper and its second file (named by their hash), the pixel file, reports."""

from __future__ import annotations

from tiktok_middleware.core.endpoint.report import MAX_BODY_BYTES, refusal
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.runtime import Runtime

__all__ = ["Answer", "Wanted", "answer"]

_YEAR_S = 31_536_000
#: How long browsers keep the pixel file, in seconds: the delay until a configuration change reaches pages.
_PIXEL_FILE_S = 300


def answer(request: RequestView, runtime: Runtime) -> Answer | Wanted | None:
    """Return our response; ``Wanted`` if it depends on the request's body; None if the request is for the app."""
    path = request.path
    if runtime.endpoint not in path or not runtime.is_on or not request.method:  # a WebSocket has none
        return None
    own = request.mount + runtime.endpoint
    if path == f"{own}/collect":
        return refusal(request, runtime) or Wanted(MAX_BODY_BYTES, request)
    name = path[len(own) + 1 :] if path.startswith(f"{own}/") else ""
    if request.method not in {"GET", "HEAD"}:
        return None
    if name == "pixel.js" and not runtime.browser_reason:
        return _script(request, _pixel_file(request, runtime), f"public, max-age={_PIXEL_FILE_S}")
    kind, dash, _ = name.partition("-")
    if not dash or kind not in runtime.snippet.files or not name.endswith(".js"):
        return None
    # A page from before a deployment requests an older file: send the current one, but do not let it be cached.
    is_current = path == request.mount + runtime.snippet.file_path(kind)
    script = runtime.snippet.files[kind]
    return _script(request, script, f"public, max-age={_YEAR_S}, immutable" if is_current else "no-cache")


def _pixel_file(request: RequestView, runtime: Runtime) -> bytes:
    """Return the snippet as a script file, for pages that Python does not serve; the same for every visitor."""
    return runtime.snippet.file(
        request.mount,
        page=runtime.counts_pages or runtime.seals_pages,
        gate=runtime.gate,
        limited=runtime.limited_data_use,
        wait=not runtime.is_implied,
        collect=runtime.collect_url(request) if runtime.browser_events else "",
    )


def _script(request: RequestView, script: bytes, cache_control: str) -> Answer:
    headers = [
        ("Content-Type", "text/javascript; charset=utf-8"),
        ("Content-Length", str(len(script))),
        ("Cache-Control", cache_control),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Answer(200, headers, b"" if request.method == "HEAD" else script)
