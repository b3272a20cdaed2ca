"""Use the package as it is installed: a page gets the script, an event is recorded, no file is missing.

It runs in an environment that holds the package and its dependencies alone, so it imports nothing else.
"""

from __future__ import annotations

import importlib.metadata
import importlib.resources
import os
from collections.abc import Callable, Iterable
from typing import Any
from wsgiref.util import setup_testing_defaults

import tiktok_middleware
from tiktok_middleware.testing import record
from tiktok_middleware.wsgi import TikTokMiddleware

OPTIONS = {
    "TIKTOK_PIXEL_ID": "C0000000000000000001",
    "TIKTOK_ACCESS_TOKEN": "5f4dcc3b5aa765d61d8327deb882cf99",
    "TIKTOK_OUTBOX": "memory://",
}
PAGE = b"<!doctype html><html><head><title>Shop</title></head><body></body></html>"
FILES = (
    "py.typed",
    "browser/built/pixel.js",
    "browser/built/helper.js",
    "sandbox/static/inspector/page.html",
    "_demo/shop/templates/base.html",
)


def shop(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    environ["tiktok_middleware.tracker"].track("Purchase", value=59.9, currency="EUR", order_id="A-1")
    start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
    return [PAGE]


def main() -> None:
    root = importlib.resources.files(tiktok_middleware)
    assert "site-packages" in str(root), f"this is the checkout, not the installed package: {root}"
    missing = [name for name in FILES if not root.joinpath(*name.split("/")).is_file()]
    assert not missing, f"the package lacks {missing}"
    os.environ.update(OPTIONS)
    environ: dict[str, Any] = {"HTTP_ACCEPT": "text/html", "HTTP_USER_AGENT": "Mozilla/5.0"}
    setup_testing_defaults(environ)
    app: Any = TikTokMiddleware(shop)
    with record() as tiktok:
        body = b"".join(app(environ, lambda *_: None))
        tiktok.assert_matched("Purchase", value=59.9, currency="EUR")
    assert b'"Purchase"' in body
    assert body.startswith(PAGE[: PAGE.index(b"</head>")])
    assert body.endswith(PAGE[PAGE.index(b"</head>") :])
    print(f"tiktok-middleware {importlib.metadata.version('tiktok-middleware')} works as installed")


if __name__ == "__main__":
    main()
