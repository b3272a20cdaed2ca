"""A guest buys in django-oscar's shop, from the product to the thank-you page; each event arrives on both channels."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.servers import Server
from tests.browser.visitor import Sandbox
from tests.reality.real_apps import APPS

pytestmark = [pytest.mark.browser, pytest.mark.soak]

ADDRESS = {
    "first_name": "Ada",
    "last_name": "Low",
    "line1": "Main Street 1",
    "line4": "Bremen",
    "postcode": "28195",
}


@pytest.mark.timeout(480)
def test_a_guests_checkout_is_matched(
    browser: Browser, start: Callable[..., Server], sandbox_server: Server, tmp_path: Path
) -> None:
    (oscar,) = [app for app in APPS if app.name == "oscar"]
    file = tmp_path / "orders.sqlite3"
    oscar.fill_database(file, tmp_path / "made.sqlite3", dict(os.environ))
    shop = start("oscar", oscar.command, orders=file)
    sandbox = Sandbox(sandbox_server.url, shop.pixel)
    page = browser.new_page()
    page.set_default_timeout(60_000)
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(f"{shop.url}/catalogue/mug-1_1/?ttclid=E.C.P.oscar")
    page.click("form#add_to_basket_form button[type=submit]")
    page.wait_for_url("**/catalogue/**")
    sandbox.await_events("AddToCart", state="matched", timeout_s=30)
    page.goto(f"{shop.url}/checkout/")
    page.fill("#id_username", "ada@example.com")
    page.check("input[name=options][value=anonymous]")
    page.click("form[method=post] button[type=submit]:visible >> nth=-1")
    page.wait_for_url("**/checkout/shipping-address/")
    for name, value in ADDRESS.items():
        page.fill(f"#id_{name}", value)
    page.click("#new_shipping_address button[type=submit]")
    page.wait_for_url("**/checkout/p**")
    while "thank-you" not in page.url:
        with page.expect_navigation():
            page.click(".content form button[type=submit], #place_order_form button[type=submit], #view_preview")
    for event in ("ViewContent", "AddToCart", "InitiateCheckout", "Purchase"):
        sandbox.await_events(event, state="matched", timeout_s=30)
    (purchase,) = sandbox.events("Purchase")
    assert purchase["state"] == "matched"
    assert errors == []
    page.close()
    sandbox.close()
