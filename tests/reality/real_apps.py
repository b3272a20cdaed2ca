"""Each real app: how it is started, what is asked of it, and what differs between two of its own runs."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.browser.servers import ROOT, gunicorn_command, uvicorn_command

__all__ = ["APPS", "RealApp"]

_CSRF = re.compile(rb'(?<=")[A-Za-z0-9]{64}(?=")')
_GZIP_TIME = re.compile(rb"(?<=^\x1f\x8b\x08\x00)[\s\S]{4}")
_UUID = re.compile(rb"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class RealApp:
    """One app.

    Attributes:
        target: the module and its application.
        is_asgi: whether uvicorn serves it; else gunicorn.
        pages: paths that answer with a page.
        others: paths that answer with something else.
        tracked: pages with a tracked event, and its name.
        posts: paths and the bodies that are posted to them as JSON.
        masks: patterns of what differs from one run of the app to the next.
        is_quick: whether it runs with all tests; else with the long ones alone.
        fills_database: whether its database is made before it is started.
    """

    name: str
    target: str
    pages: Sequence[str]
    others: Sequence[str] = ()
    tracked: Mapping[str, str] = field(default_factory=dict)
    posts: Mapping[str, str] = field(default_factory=dict)
    masks: Sequence[re.Pattern[bytes]] = ()
    is_asgi: bool = False
    is_quick: bool = False
    fills_database: bool = False

    @property
    def python(self) -> str:
        """The interpreter that the app is installed for."""
        python = ROOT / f".venv-reality-{self.name}" / "bin" / "python"
        if not python.exists():
            pytest.fail(f"{self.name} is not installed: make reality")
        return str(python)

    def command(self, port: int) -> list[str]:
        """The command line that serves the app."""
        command = uvicorn_command if self.is_asgi else _one_worker
        return [self.python, *command(f"tests.reality.apps.{self.target}:app", port)[1:]]

    def fill_database(self, file: Path, made: Path, environment: Mapping[str, str]) -> None:
        """Put the app's database, which is made once, into a file."""
        if not self.fills_database:
            return
        if not made.exists():
            code = f"import tests.reality.apps.{self.target}"
            variables = {**environment, "SHOP_DB": str(made), "BARE": "1"}
            subprocess.run([self.python, "-c", code], check=True, cwd=ROOT, env=variables, timeout=300)
        shutil.copy(made, file)


def _one_worker(target: str, port: int) -> list[str]:
    return gunicorn_command(target, port, workers=1)


_HTTPBIN = RealApp(
    "httpbin",
    "httpbin_app",
    pages=("/html", "/forms/post", "/links/5/0", "/encoding/utf8", "/response-headers?Content-Type=text/html&X=a"),
    others=(
        *("/xml", "/json", "/gzip", "/deflate", "/brotli", "/robots.txt", "/deny", "/image/png", "/image/svg"),
        *("/status/418", "/status/301", "/status/500", "/redirect/2", "/relative-redirect/1", "/redirect-to?url=/html"),
        *("/cookies/set?a=b", "/cookies", "/etag/abc", "/cache/60", "/stream/3", "/stream-bytes/99?seed=1"),
        *("/bytes/99?seed=1", "/range/99", "/drip?duration=0&numbytes=5", "/base64/SGVsbG8=", "/ip", "/user-agent"),
        *("/basic-auth/a/b", "/hidden-basic-auth/a/b", "/headers", "/anything/a%20b?c=d", "/nothing/here", "/static/x"),
        *("/response-headers?Content-Type=text/plain&ETag=a", "/response-headers?Server-Timing=a;dur=1"),
    ),
    posts={"/post": '{"a": "b"}', "/anything": "[]", "/status/201": "", "/status/400": "{}"},
    masks=(_GZIP_TIME,),
    is_quick=True,
)

APPS = (
    _HTTPBIN,
    RealApp(
        "datasette",
        "datasette_app",
        pages=(
            "/",
            "/products",
            "/products/products?name__contains=b",
            "/-/versions",
            "/nope",
        ),
        others=("/-/static/app.css", "/-/plugins.json", "/products/products.json", "/robots.txt"),
        tracked={"/products/products/7": "ViewContent"},
        masks=(re.compile(rb"[0-9.]+ ?ms|(?<=_ms\": )[0-9.]+"),),
        is_asgi=True,
    ),
    RealApp(
        "flask_admin",
        "flask_admin_app",
        pages=("/admin/", "/admin/product/", "/admin/product/?page=1&sort=1", "/admin/product/new/", "/nope"),
        others=("/admin/static/admin/css/bootstrap4/admin.css", "/admin", "/admin/product/details/?id=1"),
        posts={"/admin/product/new/": "", "/admin/product/delete/": ""},
    ),
    RealApp(
        "dash",
        "dash_app",
        pages=("/", "/any/page"),
        others=("/_dash-layout", "/_dash-dependencies", "/_favicon.ico"),
        posts={
            "/_dash-update-component": '{"output": "greeting.children", "outputs": {"id": "greeting", "property": "children"},'
            ' "inputs": [{"id": "name", "property": "value", "value": "a"}], "changedPropIds": ["name.value"]}'
        },
        masks=(re.compile(rb'(?<="end_id":")[^"]+'),),
    ),
    RealApp(
        "nicegui",
        "nicegui_app",
        pages=("/", "/nope"),
        others=("/api/products",),
        masks=(_UUID, re.compile(rb"(?<=\"client_id\": \")[^\"]*|__q__[0-9]+|[0-9]{10}\.[0-9]+")),
        is_asgi=True,
    ),
    RealApp(
        "wagtail",
        "wagtail_site",
        pages=("/", "/nope/", "/?page=2"),
        others=("/sitemap.xml", "/cms/", "/cms/login/", "/documents/1/x.txt", "/cms", "/cms/jsi18n/"),
        tracked={"/": "ViewContent"},
        masks=(_CSRF,),
        fills_database=True,
    ),
    RealApp(
        "oscar",
        "oscar_site",
        pages=("/", "/catalogue/", "/basket/", "/accounts/login/", "/catalogue/mug-2_2/", "/search/?q=mug", "/nope/"),
        others=("/checkout/", "/dashboard/", "/static/oscar/css/styles.css", "/accounts/", "/catalogue", "/media/x"),
        tracked={"/catalogue/mug-1_1/": "ViewContent"},
        posts={"/basket/add/1/": "", "/i18n/setlang/": ""},
        masks=(_CSRF,),
        fills_database=True,
    ),
)
