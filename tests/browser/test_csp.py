"""Under a policy of nonces and 'strict-dynamic' our scripts run in a real browser, and TikTok's that they load."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command

pytestmark = pytest.mark.browser


def _gunicorn(port: int) -> list[str]:
    options = ["--no-control-socket", "--graceful-timeout", "3", "--bind", f"127.0.0.1:{port}"]
    return [sys.executable, "-m", "gunicorn", *options, "tests.browser.csp_app:wsgi_application"]


@pytest.fixture(scope="module", params=["asgi", "wsgi"])
def site(request: pytest.FixtureRequest, start: Callable[..., Server]) -> Server:
    is_asgi = request.param == "asgi"
    return start(
        f"policy-{request.param}",
        lambda port: uvicorn_command("tests.browser.csp_app:asgi_application", port) if is_asgi else _gunicorn(port),
    )


def test_our_scripts_run_where_only_a_nonce_lets_them(site: Server, visit: MakeVisitor) -> None:
    visitor = visit(site)
    visitor.open("/?ttclid=E.C.P.test-click")
    (policy,) = visitor.answers[-1].all("content-security-policy")
    assert "'nonce-" in policy
    assert "'strict-dynamic'" in policy
    event = visitor.sandbox.the("ViewContent")
    assert (event["browser_copies"], event["server_copies"]) == (1, 1)

    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    visitor.page.evaluate("fetch('/answer')")
    assert visitor.sandbox.the("Search")["browser_copies"] == 1

    visitor.page.click("h1")
    assert visitor.page.evaluate("window.wasClicked") is None, "the policy is enforced, or nothing is proved"
    [refusal] = visitor.errors
    assert "inline event handler" in refusal, "nothing else was kept from running"
    visitor.errors.clear()
