"""What others do to a response, brought into a shape that can be measured; nothing of ours is in it.

Their packages are looked up by name when a worker needs them: none is needed to read or check this folder.
"""

from __future__ import annotations

from importlib import import_module
from types import SimpleNamespace
from typing import Any

__all__ = ["COOKIE", "SNIPPET", "Transaction", "grown_by", "unsized"]

#: A script of the size that pixels have.
SNIPPET = b"<script>" + b"!function(w,d,t){w.q=w.q||[];w.q.push([d,t])}(window,document,1);" * 22 + b"</script>"
COOKIE = b"_ttp=2aB3cD4eF5gH6iJ7kL8mN9oP0qR; Max-Age=34190000; Path=/; Secure; SameSite=Lax"


def grown_by(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes]:
    """The header, right for a body that holds the snippet too."""
    return (b"content-length", b"%d" % (int(pair[1]) + len(SNIPPET))) if pair[0] == b"content-length" else pair


def unsized(pair: tuple[bytes, bytes]) -> tuple[bytes, bytes] | None:
    """The header, where the length of the body is not known yet."""
    return None if pair[0] == b"content-length" else pair


class Transaction:
    """As much of New Relic's transaction as its insertion asks for."""

    enabled = True
    autorum_disabled = False
    rum_header_generated = False
    settings = SimpleNamespace(
        browser_monitoring=SimpleNamespace(content_type=["text/html"]),
        debug=SimpleNamespace(log_autorum_middleware=False),
    )

    def browser_timing_header(self, *_: object) -> str:
        """What is inserted."""
        return SNIPPET.decode()


def new_relic_asgi() -> Any:
    """Its middleware class.

    Raises:
        ImportError: the package is not installed.
    """
    return import_module("newrelic.api.asgi_application").ASGIBrowserMiddleware


def new_relic_wsgi() -> Any:
    """Its iterable class; raises as above."""
    return import_module("newrelic.api.wsgi_application")._WSGIApplicationMiddleware


def start_sentry() -> None:
    """Error reporting to nowhere; raises as above."""
    transport: Any = import_module("sentry_sdk.transport").Transport

    class Nowhere(transport):  # type: ignore[misc]  # its class is only known at run time
        def capture_envelope(self, envelope: object) -> None:
            """Keep nothing."""

    import_module("sentry_sdk").init(
        dsn="http://key@127.0.0.1:9/1", transport=Nowhere, default_integrations=False, traces_sample_rate=None
    )


def sentry_middleware(door: str) -> Any:
    """Its middleware class for ``asgi`` or ``wsgi``."""
    return getattr(import_module(f"sentry_sdk.integrations.{door}"), f"Sentry{door.title()}Middleware")
