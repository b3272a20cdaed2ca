"""The matrix's app for WSGI servers, inside the middleware."""

from __future__ import annotations

from tests.servers.wsgi_app import app as bare
from tiktok_middleware.wsgi import TikTokMiddleware

app = TikTokMiddleware(bare)
