"""Text outside addresses: user agents and parameters."""

from __future__ import annotations

import pytest

from tests.timing import least_s
from tiktok_middleware.core.visitor.pii import scrubbed, text_reveals


@pytest.mark.parametrize(
    "agent",
    [
        "Mozilla/5.0 (Linux; Android 15; CPH2581 Build/AP3A.240617.008; wv) AppleWebKit/537.36 Mobile Safari/537.36",
        "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Mobile/22B83 trill_360101 BytedanceWebview/d8a21c6",
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        "Mozilla/5.0 (Linux; Android 10; K) Version/4.0 Chrome/136.0.7103.60 [FBAN/FB4A;FBAV/512.0.0.42.86;]",
        "okhttp/4.12.0",
        "",
    ],
)
def test_usual_user_agent_stays_as_it_is(agent: str) -> None:
    assert scrubbed(agent) == agent


@pytest.mark.parametrize(
    ("agent", "shown"),
    [
        ("Mozilla/5.0 (Shop App; bob@example.com; 1.2)", "Mozilla/5.0 (Shop App; redacted; 1.2)"),
        ("App/1.0 user=bob%40example.com", "App/1.0 redacted"),
        ("App/1.0 Ym9iLnNlY3JldEBleGFtcGxlLmNvbQ==", "App/1.0 redacted"),
        ("App/1.0 +4915123456789", "App/1.0 redacted"),
        ("App/1.0 (+49 151 23456789)", "redacted"),
        ("App/1.0 4111 1111 1111 1111", "redacted"),
    ],
)
def test_identity_in_user_agent_is_redacted(agent: str, shown: str) -> None:
    assert scrubbed(agent) == shown


@pytest.mark.parametrize(
    ("key", "text", "is_personal"),
    [
        ("", "call +49 151 23456789", True),
        ("", "see https://shop.example/?e=bob%40example.com", True),
        ("", "paid with 4111 1111 1111 1111", True),
        ("id", "4111111111111111", False),
        ("order_id", "4111111111111111", False),
        ("", "mug, 10+ pieces, @maker, 2026-11-30", False),
        ("phone", "0151 23456789", True),
        ("size", "0151 23456789", False),
        ("first_name", "Ada", True),
        ("content_name", "Ada", False),
    ],
)
def test_parameters_are_judged_by_text_and_key(key: str, text: str, is_personal: bool) -> None:
    assert text_reveals(text, key) is is_personal


@pytest.mark.parametrize(
    "unit", ["@", "a@", "a@a.", "+1", "1 ", "4-", "eyJ", ".eyJ", "%25", "YWFh", "a=", "\u0661", "&a:", "("]
)
def test_hostile_text_costs_no_more_than_its_length(unit: str) -> None:
    text = (unit * 32_768)[:32_768]
    assert least_s(lambda: (text_reveals(text), text_reveals(text, "phone")), 0.5) < 0.5
