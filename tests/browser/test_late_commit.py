"""A page that asks for its browser copy before the order is committed gets it after the commit."""

from __future__ import annotations

from collections.abc import Callable

import httpx
import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command
from tests.postgres_world import Postgres

pytestmark = [pytest.mark.browser, pytest.mark.postgres]


def test_page_asks_again_until_the_order_is_committed(
    start: Callable[..., Server], visit: MakeVisitor, postgres: Postgres
) -> None:
    with postgres.schema() as url:
        shop = start(
            "late-commit",
            lambda port: uvicorn_command("tests.browser.late_commit_app:app", port),
            TIKTOK_OUTBOX=url,
            TIKTOK_CONSENT="implied",
        )
        visitor = visit(shop)
        visitor.forgiven = (f"{shop.url}/_tiktok/collect",)
        with visitor.page.expect_response(lambda response: response.status == 429, timeout=30_000):
            visitor.page.goto(f"{shop.url}/thank-you/A-1")
        assert visitor.sandbox.events("Purchase") == []
        httpx.post(f"{shop.url}/commit/A-1", timeout=10).raise_for_status()
        [purchase] = visitor.sandbox.await_events("Purchase", state="matched", timeout_s=30)
        assert (purchase["browser_copies"], purchase["server_copies"]) == (1, 1)
