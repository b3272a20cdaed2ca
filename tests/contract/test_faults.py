"""Each part of ours fails in turn: the response is the app's own to the byte, and the failure is told once and counted."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.contract.adapters import (
    HTML,
    PAGE,
    Request,
    Response,
    generator_app,
    make_client,
    through_asgi,
    through_wsgi,
    without_ours,
)
from tiktok_middleware import Client
from tiktok_middleware import _asgi_response as asgi_module
from tiktok_middleware import _wsgi_response as wsgi_module
from tiktok_middleware.core.http.asgi_request import ScopeRequest
from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.http.wsgi_request import EnvironRequest
from tiktok_middleware.core.page.head_end import Injector
from tiktok_middleware.core.pixel.snippet import Snippet
from tiktok_middleware.core.response import exchange as exchange_module
from tiktok_middleware.core.response import page_csp as page_policy_module
from tiktok_middleware.core.response import response_events as response_events_module
from tiktok_middleware.core.response import routed_event as choice_module
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.exchange import Exchange
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.delivery.delivery import Delivery

pytestmark = pytest.mark.swallows

LANDING = Request(query="ttclid=E.C.P.x", headers={"sec-fetch-mode": "navigate", "cookie": "a=b"})
EVENT = (("ViewContent", {"value": 1.0, "currency": "EUR"}),)
PIECES = tuple(PAGE[at : at + 7] for at in range(0, len(PAGE), 7))

POLICY = ("Content-Security-Policy", "script-src 'nonce-abc'")
RESPONSES = {
    "page": Response(headers=(HTML, ("ETag", '"a"'), POLICY), events=EVENT, has_length=True),
    "stream": Response(pieces=PIECES, events=EVENT, is_streamed=True),
    "late": Response(pieces=(PAGE[:60], PAGE[60:]), late_events=EVENT, is_streamed=True),
    "error": Response(status=500, events=EVENT),
    "unknown until the end": Response(pieces=(b" ", b"<!-- ", b"x"), events=EVENT, is_streamed=True),
    "fragment": Response(pieces=(b"<p>", b"x</p>"), events=EVENT, is_streamed=True),
    "redirect": Response(
        status=303, headers=(("Location", "/thanks"), ("Content-Length", "0")), pieces=(b"",), events=EVENT
    ),
    "json": Response(headers=(("Content-Type", "application/json"),), pieces=(b"{}",), events=EVENT, has_length=True),
    "empty": Response(pieces=(b"",), events=EVENT, is_streamed=True),
}


class OurError(Exception):
    """One of ours."""


def fail(*_: object, **__: object) -> Any:
    raise OurError


FAULTS: dict[str, tuple[Any, str, Any]] = {
    "look_up": (asgi_module, "look_up", fail),
    "look_up of WSGI": (wsgi_module, "look_up", fail),
    "replay": (asgi_module, "replay", fail),
    "replay of WSGI": (wsgi_module, "replay", fail),
    "exchange": (asgi_module, "Exchange", fail),
    "exchange.resumed": (Exchange, "resumed", fail),
    "exchange.passing": (Exchange, "passing", fail),
    "plan": (exchange_module, "plan", fail),
    "head": (Head, "read", fail),
    "handout": (exchange_module, "BrowserOutput", fail),
    "handout.choose": (response_events_module, "choose", fail),
    "handout.headers": (BrowserOutput, "headers", fail),
    "handout.script": (exchange_module, "page_script", fail),
    "handout.late_script": (exchange_module, "late_script", fail),
    "handout.may_write_snippet": (BrowserOutput, "may_write_snippet", property(fail)),
    "make_entry": (choice_module, "make_entry", fail),
    "with_changes": (exchange_module, "with_changes", fail),
    "policies": (page_policy_module, "read_policies", fail),
    "body": (exchange_module, "open_body", fail),
    "injector.feed": (Injector, "feed", fail),
    "snippet.page": (Snippet, "page", fail),
    "snippet.late": (Snippet, "late", fail),
    "tracker.consent": (RequestState, "consent", property(fail)),
    "tracker.visitor": (RequestState, "visitor", property(fail)),
    "tracker.discard": (RequestState, "discard", fail),
    "delivery.submit": (Delivery, "submit", fail),
    "client.submit": (Client, "submit", fail),
    "client.wait": (Client, "wait", fail),
    "client.wait_async": (Client, "wait_async", fail),
    **{
        f"{request.__name__}.{name}": (
            request,
            name,
            fail if name in {"header", "values", "__init__"} else property(fail),
        )
        for request in (ScopeRequest, EnvironRequest)
        for name in (
            "header",
            "method",
            "values",
            "__init__",
            "peer",
            "kept",
            "scheme",
            "host",
            "hostname",
            "url",
            "client",
        )
    },
}


@contextmanager
def faulty(monkeypatch: pytest.MonkeyPatch, fault: str) -> Iterator[None]:
    """One part of ours fails until the end of the block."""
    with monkeypatch.context() as patch:
        patch.setattr(*FAULTS[fault])
        yield


@pytest.fixture
def client() -> Iterator[Client]:
    made = make_client()
    yield made
    made.close()


@pytest.mark.parametrize("through", [through_asgi, through_wsgi])
@pytest.mark.parametrize("response", RESPONSES.values(), ids=RESPONSES)
@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_ours_leaves_the_response_as_the_app_sent_it(
    *,
    client: Client,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    swallowed: list[BaseException],
    through: Callable[..., Any],
    response: Response,
    fault: str,
) -> None:
    bare = through(None, LANDING, response)
    with faulty(monkeypatch, fault), caplog.at_level(logging.ERROR, "tiktok_middleware"):
        seen = through(client, LANDING, response)
    assert seen.status == bare.status
    if not swallowed:
        return  # this part has nothing to do with this response
    assert all(isinstance(error, OurError) for error in swallowed)
    assert client.stats()["counts"]["failures"] == len(swallowed)
    lines = [record for record in caplog.records if record.levelno == logging.ERROR]
    assert 1 <= len(lines) <= len(swallowed)
    if fault in LATER or response.late_events:
        assert without_ours(client, seen.body)[0] == bare.body
    elif fault in IN_THE_PAGE and response.is_streamed:
        # The head had left before, with the visitor's cookies; the bytes are still the app's.
        assert seen.body == bare.body
        assert set(bare.headers) <= set(seen.headers)
    else:
        assert seen == bare


# These fail when the snippet is already in the page, as all does that fails over what is tracked there.
LATER = {"handout.late_script", "snippet.late"}
# These fail where the script is made, which for a streamed page is after its head has left.
IN_THE_PAGE = {"handout.script", "snippet.page", "ScopeRequest.__init__", "EnvironRequest.__init__"}


def test_every_fault_is_met_by_some_response(
    client: Client, monkeypatch: pytest.MonkeyPatch, swallowed: list[BaseException]
) -> None:
    """A fault that no response meets would prove nothing."""
    unmet = []
    for fault in FAULTS:
        before = len(swallowed)
        for response in RESPONSES.values():
            with faulty(monkeypatch, fault):
                through_asgi(client, LANDING, response)
                client.runtime.cookie_attributes.clear()  # else one adapter reads for both
                through_wsgi(client, LANDING, response, generator_app)
                client.runtime.cookie_attributes.clear()
        if len(swallowed) == before:
            unmet.append(fault)
    assert unmet == []
