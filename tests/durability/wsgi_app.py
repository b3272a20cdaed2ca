"""The shop behind the WSGI door."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults

from tests.durability.shop import answer, make_client
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.wsgi import TikTokMiddleware

__all__ = ["app", "bare"]


def bare(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    status, headers, pieces = answer(environ["PATH_INFO"], environ["QUERY_STRING"], environ.get(KEY))
    start_response(f"{status} {'OK' if status == 200 else 'Elsewhere'}", headers)
    return iter(pieces) if len(pieces) > 1 else pieces


app = TikTokMiddleware(bare, client=make_client())


def _warm_up(event_id: str) -> None:
    """One request when the app is imported, so that threads and connections are there before any fork."""
    environ: dict[str, Any] = {"PATH_INFO": "/json", "QUERY_STRING": f"id={event_id}", "HTTP_SEC_FETCH_MODE": "cors"}
    setup_testing_defaults(environ)
    list(app(environ, lambda *_: lambda _: None))


if "DURABILITY_WARM" in os.environ:
    _warm_up(f"{os.environ['DURABILITY_WARM']}-{os.getpid()}")
