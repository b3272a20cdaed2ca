"""The shop behind the WSGI door."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tests.durability.shop import answer, make_client
from tiktok_middleware.core.context import KEY
from tiktok_middleware.wsgi import TikTokMiddleware

__all__ = ["app"]


def _shop(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    status, headers, pieces = answer(environ["PATH_INFO"], environ["QUERY_STRING"], environ.get(KEY))
    start_response(f"{status} {'OK' if status == 200 else 'Elsewhere'}", headers)
    return iter(pieces) if len(pieces) > 1 else pieces


app = TikTokMiddleware(_shop, client=make_client())
