"""One kept copy of a page serves visitors who said yes, no or nothing, and each is treated as what they said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, uvicorn_command
from tests.browser.test_leave import CLICK, requests_to_tiktok
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

SIGNAL = "Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})"


@pytest.fixture(scope="package", params=["implied", "cookie:choice=yes"])
def cached(request: pytest.FixtureRequest, start: Callable[..., Server]) -> Server:
    """The application of `shared_app`."""
    return start(
        "shared", lambda port: uvicorn_command("tests.browser.shared_app:app", port), TIKTOK_CONSENT=request.param
    )


def somebody(visit: MakeVisitor, shop: Server, choice: str, *, has_signal: bool = False) -> Visitor:
    headers = {"Sec-GPC": "1"} if has_signal else {}
    visitor = visit(shop, extra_http_headers=headers)
    if has_signal:
        visitor.context.add_init_script(SIGNAL)
    own = {"yes": "g", "no": "d"}[choice]
    for name, value in (("choice", choice), ("_tt_consent", own)):
        visitor.context.add_cookies([{"name": name, "value": value, "url": shop.url}])
    return visitor


def read(visitor: Visitor, path: str) -> bytes:
    """The page as it came, once all that it asks for by itself has been asked."""
    visitor.open(path, patient=False)
    visitor.page.wait_for_load_state("networkidle")
    document = next(answer for answer in visitor.answers if answer.kind == "document")
    assert document.body is not None
    return document.body


def test_tiktok_is_asked_by_those_alone_who_said_yes(cached: Server, visit: MakeVisitor) -> None:
    path = f"/products/three?ttclid={CLICK}"
    granted, denied = somebody(visit, cached, "yes"), somebody(visit, cached, "no")
    signal = somebody(visit, cached, "yes", has_signal=True)
    seen = {name: requests_to_tiktok(one) for name, one in (("yes", granted), ("no", denied), ("signal", signal))}
    copies = [read(one, path) for one in (signal, denied, granted)]
    assert len(set(copies)) == 1, "the same bytes for everybody"
    assert dict(granted.answers[0].headers)["x-cache"] == "hit"
    assert (seen["no"], seen["signal"]) == ([], [])
    assert any("events.js" in url for url in seen["yes"])
    view = granted.sandbox.the("ViewContent")
    assert (view["browser_copies"], view["server_copies"], view["differences"]) == (1, 1, [])
    assert view["server"]["user"]["ttclid"] == CLICK
    assert granted.cookie("ttclid")["value"] == CLICK
    assert "ttclid" not in denied.cookie_names | signal.cookie_names


def test_two_visitors_of_one_copy_are_two_pairs_with_two_ids(cached: Server, visit: MakeVisitor) -> None:
    first, second = somebody(visit, cached, "yes"), somebody(visit, cached, "yes")
    assert read(first, "/products/two") == read(second, "/products/two")
    views: list[dict[str, Any]] = first.sandbox.await_events("ViewContent", 2, "matched")
    assert len({one["event_id"] for one in views}) == 2
    # A report may leave before the pixel, on its first page, has set the browser's id; none is another's.
    ids = [one["server"]["user"]["ttp"] for one in views if "ttp" in one["server"]["user"]]
    assert len(set(ids)) == len(ids)
    read(first, "/products/two")
    assert len(first.sandbox.await_events("ViewContent", 3, "matched")) == 3, "who comes again looks again"


def test_the_pixels_cookie_is_kept_alive_from_a_cached_page(cached: Server, visit: MakeVisitor) -> None:
    visitor = somebody(visit, cached, "yes")
    read(visitor, "/products/ttp")
    ttp = visitor.cookie("_ttp")["value"]
    with visitor.page.expect_response("**/collect") as told:
        visitor.page.reload()
    assert told.value.status == 200
    visitor.page.wait_for_function("document.cookie.includes('_tt_fresh=')")
    assert visitor.cookie("_ttp")["value"] == ttp
    assert "p" in visitor.cookie("_tt_fresh")["value"]


def test_a_visitor_with_no_choice_yet_may_choose_on_a_kept_copy(
    start: Callable[..., Server], visit: MakeVisitor
) -> None:
    shop = start(
        "chosen", lambda port: uvicorn_command("tests.browser.shared_app:app", port), TIKTOK_CONSENT="required"
    )
    read(somebody(visit, shop, "yes"), "/products/open")
    visitor = visit(shop)
    seen = requests_to_tiktok(visitor)
    read(visitor, f"/products/open?ttclid={CLICK}")
    assert (seen, visitor.cookie_names) == ([], set())
    visitor.page.evaluate("tiktok.grantConsent()")
    views = visitor.sandbox.await_events("ViewContent", 2, "matched")
    assert [one["server"]["user"].get("ttclid") for one in views].count(CLICK) == 1
    assert {"ttclid", "_tt_consent"} <= visitor.cookie_names


def test_an_address_that_names_somebody_keeps_the_pixel_out_of_a_kept_copy(cached: Server, visit: MakeVisitor) -> None:
    read(somebody(visit, cached, "yes"), "/products/letter")
    visitor = somebody(visit, cached, "yes")
    seen = requests_to_tiktok(visitor)
    read(visitor, "/products/letter?email=ada%40example.com")
    assert seen == []
