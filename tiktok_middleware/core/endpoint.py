"""What our own path prefix answers: the helper script, named by its content. It knows no protocol."""

from __future__ import annotations

from typing import NamedTuple

from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.setup import Setup

__all__ = ["Answer", "answer"]

_YEAR_S = 31_536_000


class Answer(NamedTuple):
    """A whole response of ours."""

    status: int
    headers: list[tuple[str, str]]
    body: bytes


def answer(facts: RequestFacts, setup: Setup) -> Answer | None:
    """Our response, or None where the request is the app's."""
    path = facts.path
    if setup.config.endpoint not in path or not setup.config.is_on:
        return None
    prefix = f"{facts.mount}{setup.config.endpoint}/helper-"
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
