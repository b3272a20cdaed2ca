"""The matrix's app for ASGI servers, inside the middleware."""

from __future__ import annotations

from tests.servers.asgi_app import app as bare
from tiktok_middleware.asgi import TikTokMiddleware

app = TikTokMiddleware(bare)
