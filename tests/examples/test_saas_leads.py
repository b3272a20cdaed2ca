"""The lead funnel through Chromium and the sandbox: form start, lead, and qualification by the CRM."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from tiktok_middleware.testing import Live

pytestmark = pytest.mark.browser

EMAIL = "848a771458438fc2ec420560d769fb9b9b86851ee338ec56517baabd79d3bb4f"


def test_each_step_of_the_funnel_is_one_event(tiktok_live: Live) -> None:
    site = tiktok_live.serve("tests.examples.leads_app:app", TIKTOK_CRM_ID="7654321098765432109")
    page = tiktok_live.page()
    page.goto(f"{site}/?ttclid=E.C.P.1")
    page.click("input[name=email]")
    tiktok_live.assert_matched("FormStart")
    page.fill("input[name=email]", " ALICE_abc@gmail.com ")
    page.click("button")
    lead = tiktok_live.assert_matched("Lead", description="demo")
    assert lead["server"]["user"]["email"] == EMAIL
    assert lead["server"]["user"]["ttclid"] == "E.C.P.1"

    [number] = httpx.get(f"{site}/leads-of-the-test").json()
    told = {"lead": number, "value": 12000}
    assert httpx.post(f"{site}/crm/qualified", json=told).status_code == 401
    headers = {"Authorization": "Bearer try it out"}
    for _ in range(2):
        assert httpx.post(f"{site}/crm/qualified", json=told, headers=headers).status_code == 204
    assert httpx.post(f"{site}/crm/qualified", json={**told, "lead": "x"}, headers=headers).status_code == 404
    deadline = time.monotonic() + 10
    while not tiktok_live.events("Qualified") and time.monotonic() < deadline:
        time.sleep(0.05)
    [qualified] = tiktok_live.events("Qualified")
    assert qualified["pixel"] == "7654321098765432109"
    assert (qualified["server_copies"], qualified["server"]["user"]["email"]) == (1, EMAIL)
    assert qualified["server"]["properties"]["value"] == 12000
    assert re.fullmatch(r"[\w-]+", qualified["event_id"])
