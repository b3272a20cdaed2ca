"""A shop whose order and event stand in one transaction, and a visitor of it."""

from __future__ import annotations

import inspect
import json
import re
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from typing import Any, TypeVar
from wsgiref.util import setup_testing_defaults

import msgspec

from tests.contrib import shared
from tests.contrib.shared import PAGE
from tests.postgres_world import Postgres
from tiktok_middleware import Client, Config
from tiktok_middleware.core.http.wsgi_request import EnvironRequest
from tiktok_middleware.core.tracking.current import KEY
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.wsgi import TikTokMiddleware

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
View = Callable[[Tracker], Any]


_T = TypeVar("_T")
_PATIENCE_S = 20.0


class PatientClient(Client):
    """Waits longer for the database than a response may: a busy machine must not change what these tests see."""

    def wait(self, future: Future[_T], timeout_s: float | None = None) -> _T | None:
        return super().wait(future, _PATIENCE_S if timeout_s is None else timeout_s)

    async def wait_async(self, future: Future[_T], timeout_s: float | None = None) -> _T | None:
        return await super().wait_async(future, _PATIENCE_S if timeout_s is None else timeout_s)


def shop_client(url: str, **options: Any) -> Client:
    """A client whose outbox is in the app's database, and whose server copies end in this process."""
    shared._taken.clear()
    defaults = {"pixel_id": shared.PIXEL, "access_token": "t", "consent": "implied", "secret_key": "k" * 40}
    outbox = f"{url}{'&' if '?' in url else '?'}wait=20"
    sink = "import:tests.contrib.shared:make_sink"
    return PatientClient(Config(**{**defaults, "strict": True, "outbox": outbox, "sink": sink, **options}))


class Answer:
    """What a visitor got: the settings of the page's script, its headers and the status."""

    def __init__(self, status: str, headers: list[tuple[str, str]], body: str) -> None:
        self.status = status
        self.headers = headers
        self.body = body
        found = re.search(r"\}\)\(window,document,(\{.*?\})\);</script>", body, re.DOTALL)
        self.page: dict[str, Any] = json.loads(found[1]) if found else {}

    @property
    def copies(self) -> list[list[Any]]:
        """The browser's copies in the page."""
        copies: list[list[Any]] = self.page.get("e", [])
        return copies

    @property
    def references(self) -> list[str]:
        """References of browser copies that the page asks the endpoint for."""
        references: list[str] = self.page.get("x", [])
        return references

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key.lower() == name.lower()), "")


def visit(client: Client, view: View, status: str = "200 OK", **headers: str) -> Answer:
    """Let a visitor request a page whose view gets the request's tracker; it may return or stream another body."""
    got: dict[str, Any] = {}

    def app(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        body = PAGE if inspect.isgeneratorfunction(view) else view(environ[KEY]) or PAGE
        is_page = body.startswith("<")
        kind = "text/html; charset=utf-8" if is_page else "application/json"
        more = [("Location", "/thanks")] if status.startswith("3") else []
        start_response(status, [("Content-Type", kind), *more])
        if inspect.isgeneratorfunction(view):
            return view(environ[KEY])  # type: ignore[no-any-return]
        return [body.encode()]

    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"HTTP_HOST": "shop.example", "HTTP_USER_AGENT": AGENT, "HTTP_ACCEPT": "text/html"}
    environ |= {"HTTP_SEC_FETCH_MODE": "navigate", "HTTP_SEC_FETCH_DEST": "document", **headers}

    def start_response(status: str, headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], None]:
        got.update(status=status, headers=headers)
        return lambda data: None

    answer = TikTokMiddleware(app, client=client)(environ, start_response)
    try:
        body = b"".join(answer)
    finally:
        getattr(answer, "close", lambda: None)()
    return Answer(got["status"], got["headers"], body.decode())


def fetch(client: Client, references: list[str]) -> list[list[Any]]:
    """Ask the endpoint for the browser copies under references, as the page's script does."""
    environ: dict[str, Any] = {}
    setup_testing_defaults(environ)
    environ |= {"REQUEST_METHOD": "POST", "PATH_INFO": "/_tiktok/collect", "HTTP_HOST": "shop.example"}
    environ |= {"HTTP_ORIGIN": "http://shop.example", "HTTP_USER_AGENT": AGENT, "CONTENT_TYPE": "text/plain"}
    request = EnvironRequest(environ, client.runtime.proxies)
    body = {"u": "http://shop.example/", "x": references}
    answer = client.collect(request, json.dumps(body).encode())
    copies: list[list[Any]] = msgspec.json.decode(answer.body).get("e", []) if answer.body else []
    return copies


def drafts(postgres: Postgres, url: str) -> int:
    """How many drafts the app's transactions have left behind."""
    schema = url.rpartition("schema=")[2]
    return int(postgres.execute(f"SELECT count(*) FROM {schema}.draft")[0][0])


def settled(client: Client, postgres: Postgres, url: str) -> None:
    """Let the drafts that nobody has completed come due, as after a minute."""
    schema = url.rpartition("schema=")[2]
    postgres.execute(f"UPDATE {schema}.draft SET due = 0")
    assert client.flush(30)
