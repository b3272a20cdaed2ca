"""What an injection costs in pages as they are: heads of all lengths, with scripts, styles and comments."""

from __future__ import annotations

import contextlib
import io
import sys
import time
from pathlib import Path
from typing import Any

from tests.bench import pages, wsgi_adapter
from tests.bench.ours import make_client
from tests.bench.report import Table
from tests.bench.rounds import percentile
from tests.reality.documents import PACKAGES, generated, packaged
from tiktok_middleware.wsgi import TikTokMiddleware

__all__ = ["saved_pages_table"]

_WARM_UP, _TIMES = 3, 15
_GENERATED = 130
_SEED = 20261130
_SHARES = (50, 75, 90)


def saved_pages_table(folder: Path, api_url: str, *, quick: bool) -> Table:
    """Return percentiles over pages, each served some times by each variant in turns.

    Args:
        folder: for an outbox and downloads, thrown away afterwards.
        api_url: of the sink.
        quick: take documents that are made like the heads of real pages, and download none.
    """
    if quick:
        documents, what = generated(_GENERATED, _SEED), "documents made like the heads of 656 saved pages"
    else:
        documents = [page for package in PACKAGES for page in packaged(package, _new(folder / package))]
        what = "saved pages of news sites, blogs and shops"
    client = make_client(f"sqlite:///{folder}/saved.sqlite3", api_url)
    variants: dict[str, Any] = {"bare": _app, "tiktok_middleware": TikTokMiddleware(_app, client)}
    with contextlib.suppress(ModuleNotFoundError):
        variants["New Relic, insertion only"] = wsgi_adapter.WRAPPERS["newrelic"](_app)
    took: dict[str, list[float]] = {name: [] for name in variants}
    for number, document in enumerate(documents):
        for name, app in variants.items():
            took[name].append(_time(app, f"/saved/{number}", document))
    table = Table(
        f"{len(documents)} {what}, each seen before, WSGI: microseconds of the request's thread over the bare app",
        ("variant", *(f"p{share}" for share in _SHARES)),
    )
    for name in list(variants)[1:]:
        over = [one - bare for one, bare in zip(took[name], took["bare"], strict=True)]
        figures = [percentile(over, share) for share in _SHARES]
        table.add((name, *(f"{figure:.1f}" for figure in figures)), variant=name, us=figures)
    return table


def _new(folder: Path) -> Path:
    folder.mkdir()
    return folder


def _app(environ: dict[str, Any], start_response: Any) -> list[bytes]:
    body: bytes = environ["bench.body"]
    start_response("200 OK", [("Content-Type", pages.HTML), ("Content-Length", str(len(body)))])
    return [body]


def _time(app: Any, path: str, body: bytes) -> float:
    """Return the lower quintile of the times of one page, in microseconds."""
    headers = {f"HTTP_{name.upper().replace('-', '_')}": text for name, text in pages.SCENES["page"].headers.items()}
    times = []
    for _ in range(_WARM_UP + _TIMES):
        environ: dict[str, Any] = {
            "REQUEST_METHOD": "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": path,
            "QUERY_STRING": "",
            **headers,
        }
        environ |= {"SERVER_NAME": "127.0.0.1", "SERVER_PORT": "8000", "REMOTE_ADDR": "203.0.113.7"}
        environ |= {"wsgi.url_scheme": "https", "wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr}
        environ["bench.body"] = body
        begin = time.thread_time()
        iterable = app(environ, lambda status, headers, exc_info=None: len)
        for piece in iterable:
            len(piece)
        close = getattr(iterable, "close", None)
        if close is not None:
            close()
        times.append((time.thread_time() - begin) * 1e6)
    return sorted(times[_WARM_UP:])[_TIMES // 5]
