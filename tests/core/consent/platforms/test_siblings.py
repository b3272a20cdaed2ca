"""Values in other forms: what means the same is read alike, and another type, version or form never becomes a grant."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import quote, unquote

import pytest

from tests.core.consent.platforms.headers_seen import DENIED, GRANTED, SEEN, UNKNOWN
from tiktok_middleware.core.consent.platforms import reader_for
from tiktok_middleware.core.consent.state import State

MORE = [
    ("orejime:tiktok", "eu-consent={%22tiktok%22:true%2C%22stats%22:false}"),
    ("cookieconsent", "cookieconsent_status=allow"),
    ("c15t", "c15t=c.necessary:1,c.marketing:1,i.t:1764500000000,i.y:all"),
    ("cookiebanner:ads", "cookiebanner=needed%2Cads"),
    ("flask_consent:ads", '_consent={"enabled":["ads"]}'),
    ("django:ads", 'cookie_consent="ads=2026-02-03T10:00:00.000000"'),
    ("cc_cookie:ads", "cc_cookie=%7B%22level%22%3A%5B%22necessary%22%2C%22ads%22%5D%7D"),  # before version 2.8.1
    # The SDK of CookieYes encodes the whole value, and adds a mark of the site's categories.
    (
        "cookieyes",
        f"cookieyes-consent={quote('consentid:a,consent:yes,action:yes,tax:x1,necessary:yes,advertisement:yes,lastRenewedDate:1764500000000')}",
    ),
]
GRANTING = [(seen.setting, seen.header) for seen in SEEN if seen.answer is GRANTED] + MORE
REFUSING = [(seen.setting, seen.header) for seen in SEEN if seen.answer is DENIED]

SAME: dict[str, Callable[[str], str]] = {
    "hexadecimal digits in lower case": lambda value: re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), value),
    "raw": unquote,
    "blanks around": lambda value: f" {value}\t",
    "quoted by a server": lambda value: value if value[0] == '"' else f'"{_escaped(value)}"',
}
#: Cookies of CookieYes 2 are words that its own script compares as they are.
PLAIN_WORDS = "viewed_cookie_policy"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace(",", "\\054").replace(";", "\\073")


def changed(header: str, change: Callable[[str], str]) -> str:
    """Return the header with each value changed."""
    pairs = (pair.partition("=") for pair in header.split("; "))
    return "; ".join(f"{name}={change(value) if value else value}" for name, _, value in pairs)


def read(setting: str, header: str) -> State:
    return reader_for(setting, implied=UNKNOWN)(header)


@pytest.mark.parametrize("form", SAME)
@pytest.mark.parametrize(("setting", "header"), GRANTING)
def test_grant_in_another_form(form: str, setting: str, header: str) -> None:
    expected = UNKNOWN if PLAIN_WORDS in header and form == "quoted by a server" else GRANTED
    assert read(setting, changed(header, SAME[form])) is expected


@pytest.mark.parametrize("form", SAME)
@pytest.mark.parametrize(("setting", "header"), REFUSING)
def test_refusal_in_another_form_never_grants(form: str, setting: str, header: str) -> None:
    assert read(setting, changed(header, SAME[form])) is not GRANTED


@pytest.mark.parametrize(("setting", "header"), GRANTING)
def test_equal_copies_are_one(setting: str, header: str) -> None:
    assert read(setting, f"{header}; {header}") is GRANTED


@pytest.mark.parametrize("value", ['"true"', "1", '"yes"', "null", "[true]", "{}", "0", "-1", "True", "true1"])
@pytest.mark.parametrize(
    ("setting", "header"),
    [
        ("klaro:a", 'klaro={"a":%s}'),
        ("orejime:a", 'eu-consent={"a":%s}'),
        ("iubenda", '_iub_cs-12={"purposes":{"5":%s}}'),
        ("iubenda", '_iub_cs-12={"consent":%s}'),
        ("cookiefirst", 'cookiefirst-consent={"advertising":%s,"type":"category"}'),
        ("axeptio:a", 'axeptio_cookies={"$$completed":true,"a":%s}'),
        ("axeptio:a", 'axeptio_cookies={"$$completed":%s,"a":true}'),
        ("civic:a", 'CookieControl={"optionalCookies":{"a":%s},"interactedWith":true}'),
        ("borlabs:a", 'borlabs-cookie={"consents":{"marketing":%s}}'),
        ("cc_cookie:a", 'cc_cookie={"categories":%s}'),
        ("flask_consent:a", '_consent={"enabled":%s}'),
        ("shopify", '_tracking_consent={"con":{"CMP":{"m":%s}}}'),
        ("tarteaucitron", "tarteaucitron=!tiktok=%s"),
        ("cookiebot", "CookieConsent={marketing:%s,method:'explicit'}"),
        ("cookieyes", "cookieyes-consent=action:yes,advertisement:%s"),
        ("complianz", "cmplz_marketing=%s"),
        ("cookieconsent", "cookieconsent_status=%s"),
        ("django:a", "cookie_consent=a=%s"),
        ("cookiebanner:a", "cookiebanner=%s"),
    ],
)
def test_value_of_another_type_never_grants(setting: str, header: str, value: str) -> None:
    assert read(setting, header % value) is not GRANTED
