"""Tracing libraries of the app add no header to posts to TikTok, and httpx writes no line about them."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from tests.delivery.delivery_world import PIXEL, record, running_api
from tiktok_middleware.core.events_api.answers import Delivered
from tiktok_middleware.delivery.sender.events_api import EventsApi

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[3]

OURS = {
    *("host", "accept", "accept-encoding", "connection", "user-agent"),
    *("content-type", "content-length", "access-token"),
}

SENTRY = """
import sentry_sdk
sentry_sdk.init("http://key@127.0.0.1:9/1", traces_sample_rate=1.0, send_default_pii=True)
context = sentry_sdk.start_transaction(name="checkout", op="http.server")
"""
OPENTELEMETRY = """
from opentelemetry import trace
from opentelemetry.instrumentation.httpx import HTTPXClientInstrumentor
from opentelemetry.sdk.trace import TracerProvider
trace.set_tracer_provider(TracerProvider())
HTTPXClientInstrumentor().instrument()
context = trace.get_tracer("shop").start_as_current_span("checkout")
"""
ELASTIC = """
import contextlib, elasticapm
client = elasticapm.Client(service_name="shop", server_url="http://127.0.0.1:9", central_config=False)
elasticapm.instrument()
client.begin_transaction("request")
context = contextlib.nullcontext()
"""
PROGRAM = """
import sys
sys.path.insert(0, {root!r})
{library}
import httpx
from tests.delivery.delivery_world import PIXEL, submissions
from tiktok_middleware.delivery.delivery import DeliveryOptions, open_delivery
import time
url = sys.argv[1]
with context:
    if {by_app}:
        httpx.post(url + "/app", content=b"x")
    delivery = open_delivery(DeliveryOptions(outbox="memory://", api_url=url, tokens={{PIXEL: "tok"}}))
    delivery.submit(submissions(3, "n", event_time=time.time()))
    assert delivery.flush(20)
    delivery.close(5)
print("sent")
"""


@pytest.mark.parametrize(
    ("library", "adds"),
    [
        (SENTRY, {"sentry-trace", "baggage"}),
        (OPENTELEMETRY, {"traceparent"}),
        (ELASTIC, {"traceparent", "elastic-apm-traceparent", "tracestate"}),
    ],
    ids=["sentry-sdk", "opentelemetry", "elastic-apm"],
)
def test_tracing_library_adds_its_headers_to_the_apps_request_and_not_to_ours(library: str, adds: set[str]) -> None:
    with running_api() as api:
        code = textwrap.dedent(PROGRAM).format(root=str(ROOT), library=library, by_app=True)
        done = subprocess.run(
            [sys.executable, "-c", code, api.url], cwd=ROOT, capture_output=True, text=True, timeout=60, check=False
        )
        assert "sent" in done.stdout, done.stderr
        by_app, *ours = api.requests
        assert adds <= set(map(str.lower, by_app.headers)), "the library is at work in this process"
        assert ours
        for request in ours:
            assert set(map(str.lower, request.headers)) <= OURS


def test_httpx_logs_no_line_about_our_posts_and_still_one_about_the_apps(caplog: pytest.LogCaptureFixture) -> None:
    import httpx

    with running_api() as api, caplog.at_level(logging.DEBUG):
        sink = EventsApi(api.url, {PIXEL: "tok"})
        try:
            assert sink.send([record("e-1")]) == [Delivered()]
        finally:
            sink.close()
        assert [record for record in caplog.records if record.name.startswith(("httpx", "httpcore"))] == []
        httpx.post(f"{api.url}/app", content=b"x")
        assert any(record.name == "httpx" for record in caplog.records)
