"""What our own path prefix answers: the helper script, named by its content, and reports. It knows no protocol."""

from __future__ import annotations

from tiktok_middleware.core.collect import MAX_BODY_BYTES, refusal
from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.responses import Answer, Wanted
from tiktok_middleware.core.setup import Setup

__all__ = ["Answer", "Wanted", "answer"]

_YEAR_S = 31_536_000


def answer(facts: RequestFacts, setup: Setup) -> Answer | Wanted | None:
    """Our response, or that it depends on the request's body; None where the request is the app's."""
    path = facts.path
    if setup.endpoint not in path or not setup.is_on or not facts.method:  # a socket has none
        return None
    if path == setup.collect_url(facts):
        return refusal(facts, setup) or Wanted(MAX_BODY_BYTES, facts)
    prefix = f"{facts.mount}{setup.endpoint}/helper-"
    if not (path.startswith(prefix) and path.endswith(".js")) or facts.method not in {"GET", "HEAD"}:
        return None
    # A page from before a deployment asks for a helper that is gone: today's serves it, but must not be kept as it.
    is_current = path == setup.helper_url(facts)
    script = setup.snippet.helper
    headers = [
        ("Content-Type", "text/javascript; charset=utf-8"),
        ("Content-Length", str(len(script))),
        ("Cache-Control", f"public, max-age={_YEAR_S}, immutable" if is_current else "no-cache"),
        ("X-Content-Type-Options", "nosniff"),
    ]
    return Answer(200, headers, b"" if facts.method == "HEAD" else script)
