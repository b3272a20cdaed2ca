"""httpbin: every kind of status, header, coding and stream."""

from __future__ import annotations

import os
from typing import Any

from httpbin import app as httpbin

from tiktok_middleware.wsgi import TikTokMiddleware

app: Any = httpbin if "BARE" in os.environ else TikTokMiddleware(httpbin)
