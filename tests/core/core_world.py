"""What the core's tests share: requests of both shapes, a clock that stands still, a setup without files or threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from tiktok_middleware._log import NoticeLog
from tiktok_middleware._wiring import MORE_FILES
from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.consent import make_reader
from tiktok_middleware.core.http.asgi_request import ScopeRequest
from tiktok_middleware.core.http.proxies import Proxies
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.wsgi_request import EnvironRequest
from tiktok_middleware.core.response.exchange import Exchange
from tiktok_middleware.core.runtime import Runtime, make_runtime
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.tracker import Tracker

PIXEL = "C0000000000000000001"
NOW = 1_760_000_000.0
BROWSER = Path(__file__).parents[2] / "tiktok_middleware" / "browser" / "built"

GOOD_TTP = "01K0ABCDEFGHJKMNPQRSTVWXYZ_.tt.1"
NAVIGATION = {"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
FETCH = {"sec-fetch-mode": "cors", "sec-fetch-dest": "empty", "sec-fetch-site": "same-origin"}


def carrying(cookies: Mapping[str, str]) -> str:
    """The Cookie header with which a browser brings back what a response left for the next page."""
    return "; ".join(f"{name}={value}" for name, value in cookies.items() if name.startswith("_tt_carry"))


class Clock:
    def __init__(self, now: float = NOW) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


def scope_request(
    url: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    peer: str | None = "203.0.113.9",
    proxies: str = "0",
    proxy_header: str = "x-forwarded-for",
    scheme: str = "https",
    mount: str = "",
) -> ScopeRequest:
    path, _, query = url.partition("?")
    raw = {
        "type": "http",
        "method": method,
        "scheme": scheme,
        "path": mount + unquote_to_bytes(path).decode("utf-8", "replace"),
        "root_path": mount,
        "query_string": query.encode("latin-1"),
        "server": ("127.0.0.1", 8000),
        "client": (peer, 50000) if peer is not None else None,
        "headers": [
            (name.encode("latin-1"), value.encode("latin-1"))
            for name, value in {"host": "shop.example", **(headers or {})}.items()
        ],
    }
    return ScopeRequest(raw, Proxies(proxies, proxy_header))


def environ_request(
    url: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    peer: str | None = "203.0.113.9",
    proxies: str = "0",
    proxy_header: str = "x-forwarded-for",
    scheme: str = "https",
    mount: str = "",
) -> EnvironRequest:
    path, _, query = url.partition("?")
    raw: dict[str, Any] = {
        "REQUEST_METHOD": method,
        "SCRIPT_NAME": mount.encode().decode("latin-1"),
        "PATH_INFO": unquote_to_bytes(path).decode("latin-1"),
        "QUERY_STRING": query,
        "SERVER_NAME": "127.0.0.1",
        "SERVER_PORT": "8000",
        "wsgi.url_scheme": scheme,
    }
    if peer is not None:
        raw["REMOTE_ADDR"] = peer
    for name, value in {"host": "shop.example", **(headers or {})}.items():
        raw["HTTP_" + name.upper().replace("-", "_")] = value
    return EnvironRequest(raw, Proxies(proxies, proxy_header))


MakeRequest = Callable[..., RequestView]
DOORS: list[MakeRequest] = [scope_request, environ_request]


def runtime_of(
    *,
    clock: Callable[[], float] | None = None,
    notices: NoticeLog | None = None,
    keys: tuple[str, ...] = ("key",),
    domain: str = "",
    **options: Any,
) -> Runtime:
    clock = clock or Clock()
    config = Config(**{"pixel_id": PIXEL, "access_token": "token", **options})
    return make_runtime(
        config,
        signer=Signer(keys, clock),
        reader=make_reader(config.consent),
        pixel_js=(BROWSER / "pixel.js").read_text("utf-8"),
        stub_js=(BROWSER / "stub.js").read_text("utf-8"),
        more_js={name: (BROWSER / f"{name}.js").read_text("utf-8") for name in MORE_FILES},
        helper_js=(BROWSER / "helper.js").read_text("utf-8"),
        registrable_domain=lambda _: domain,
        clock=clock,
        random_bytes=lambda count: bytes(range(count)),
        notices=notices or NoticeLog(),
    )


def exchange_of(request: RequestView, runtime: Runtime) -> Exchange:
    return Exchange(Tracker(RequestState(request, runtime)))


def tracker_of(runtime: Runtime, url: str = "/", headers: Mapping[str, str] | None = None, **more: Any) -> Tracker:
    return Tracker(RequestState(scope_request(url, headers, **more), runtime))


def counts(runtime: Runtime) -> dict[str, int]:
    assert isinstance(runtime.notices, NoticeLog)
    return dict(runtime.notices.counts)
