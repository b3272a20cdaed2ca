"""What our own path prefix answers: the helper script, named by its content, and reports. It knows no protocol."""

from __future__ import annotations

from tiktok_middleware.core.endpoint.report import MAX_BODY_BYTES, refusal
from tiktok_middleware.core.http.own_response import Answer, Wanted
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.runtime import Runtime

__all__ = ["Answer", "Wanted", "answer"]

_YEAR_S = 31_536_000


def answer(request: RequestView, runtime: Runtime) -> Answer | Wanted | None:
    """Our response, or that it depends on the request's body; None where the request is the app's."""
    path = request.path
    if runtime.endpoint not in path or not runtime.is_on or not request.method:  # a socket has none
        return None
    if path == runtime.collect_url(request):
        return refusal(request, runtime) or Wanted(MAX_BODY_BYTES, request)
    prefix = f"{request.mount}{runtime.endpoint}/helper-"
    if not (path.startswith(prefix) and path.endswith(".js")) or request.method not in {"GET", "HEAD"}:
        return None
    # A page from before a deployment asks for a helper that is gone: today's serves it, but must not be kept as it.
    is_current = path == runtime.helper_url(request)
    script = runtime.snippet.helper
    headers = [
        ("Content-Type", "text/javascript; charset=utf-8"),
        ("Content-Length", str(len(script))),
        ("Cache-Control", f"public, max-age={_YEAR_S}, immutable" if is_current else "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Answer(200, headers, b"" if request.method == "HEAD" else script)
