"""What the core's tests share: requests of both shapes, a clock that stands still, a setup without files or threads."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from tiktok_middleware.config import Config
from tiktok_middleware.core.consent import make_reader
from tiktok_middleware.core.facts import EnvironFacts, RequestFacts, ScopeFacts
from tiktok_middleware.core.proxies import Proxies
from tiktok_middleware.core.setup import Setup, make_setup
from tiktok_middleware.core.signing import Signer
from tiktok_middleware.core.tracker import Tracker
from tiktok_middleware.notices import Log

PIXEL = "C0000000000000000001"
NOW = 1_760_000_000.0
BROWSER = Path(__file__).parents[2] / "tiktok_middleware" / "browser"

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


def scope_facts(
    url: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    peer: str | None = "203.0.113.9",
    proxies: str = "0",
    proxy_header: str = "x-forwarded-for",
    scheme: str = "https",
    mount: str = "",
) -> ScopeFacts:
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
    return ScopeFacts(raw, Proxies(proxies, proxy_header))


def environ_facts(
    url: str = "/",
    headers: Mapping[str, str] | None = None,
    *,
    method: str = "GET",
    peer: str | None = "203.0.113.9",
    proxies: str = "0",
    proxy_header: str = "x-forwarded-for",
    scheme: str = "https",
    mount: str = "",
) -> EnvironFacts:
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
    return EnvironFacts(raw, Proxies(proxies, proxy_header))


MakeFacts = Callable[..., RequestFacts]
DOORS: list[MakeFacts] = [scope_facts, environ_facts]


def setup_of(
    *,
    clock: Callable[[], float] | None = None,
    notices: Log | None = None,
    keys: tuple[str, ...] = ("key",),
    domain: str = "",
    **options: Any,
) -> Setup:
    clock = clock or Clock()
    config = Config(**{"pixel_id": PIXEL, "access_token": "token", **options})
    return make_setup(
        config,
        signer=Signer(keys, clock),
        reader=make_reader(config.consent),
        pixel_js=(BROWSER / "pixel.js").read_text("utf-8"),
        helper_js=(BROWSER / "helper.js").read_text("utf-8"),
        registrable_domain=lambda _: domain,
        clock=clock,
        random_bytes=lambda count: bytes(range(count)),
        notices=notices or Log(),
    )


def tracker_of(setup: Setup, url: str = "/", headers: Mapping[str, str] | None = None, **more: Any) -> Tracker:
    return Tracker(scope_facts(url, headers, **more), setup)


def counts(setup: Setup) -> dict[str, int]:
    assert isinstance(setup.notices, Log)
    return dict(setup.notices.counts)
