"""Bridges: what a consent platform's own script in the page says reaches the endpoint, once per change and not before a choice."""

from __future__ import annotations

import gzip
from typing import Any

import pytest

from tests.browser_scripts.page_world import page, run, snippet
from tests.core.core_world import BROWSER
from tiktok_middleware._wiring import helper_file
from tiktok_middleware.core.consent.bridge_settings import bridges
from tiktok_middleware.core.consent.consent import make_reader
from tiktok_middleware.core.consent.platforms import BRIDGES, BROWSER_ONLY
from tiktok_middleware.errors import ConfigError

pytestmark = pytest.mark.node

COLLECT = "/_tiktok/collect"

UC3 = """var services = {id: {name: '%s', consent: {given: %s, type: 'EXPLICIT'}}};
window.__ucCmp = {getConsentDetails: async () => ({consent: %s, services, categories: {marketing: {state: '%s'}}})};"""
UC2 = """window.UC_UI = {isInitialized: () => true, isConsentRequired: () => %s, getServicesBaseInfo: () => [
  {name: '%s', categorySlug: 'marketing', consent: {status: %s}}, {name: 'Maps', categorySlug: 'essential', consent: {status: true}}]};"""
TERMLY = (
    "localStorage.setItem('TERMLY_API_CACHE', JSON.stringify({TERMLY_COOKIE_CONSENT: {value: {advertising: %s}}}));"
)
OSANO = "document.cookie = 'osano_consentmanager=x'; window.Osano = {cm: {getConsent: () => ({MARKETING: '%s'})}};"
TCF = """window.__tcfapi = (command, version, heard) => heard(
  {eventStatus: '%s', gdprApplies: %s, purpose: {consents: {1: true, 3: true, 4: %s, 7: true}}}, true);"""
GPP = (
    """window.__gpp = (command, heard) => heard({pingData: {signalStatus: '%s', parsedSections: {usnat: %s}}}, true);"""
)
GOOGLE = """function gtag() { (window.dataLayer = window.dataLayer || []).push(arguments); }
gtag('consent', 'default', {ad_storage: 'granted'}); %s"""
ALL = "{ad_storage: '%s', ad_user_data: '%s', ad_personalization: '%s'}"
DENYING = GOOGLE.replace("{ad_storage: 'granted'}", ALL % (("denied",) * 3))


def _update(word: str) -> str:
    return f"gtag('consent', 'update', {ALL % ((word,) * 3)});"


REGIONAL = GOOGLE.replace("%s", "gtag('consent', 'default', {ad_user_data: 'denied', region: ['DE']}); %s")

US = DENYING.replace("%s", "gtag('consent', 'default', {ad_user_data: 'granted', region: ['US']}); %s")

CASES = [
    ("usercentrics", UC3 % ("TikTok Pixel", "true", "{required: false}", "ALL_DENIED"), "g"),
    ("usercentrics", UC3 % ("TikTok Pixel", "false", "{required: false}", "ALL_ACCEPTED"), "d"),
    ("usercentrics", UC3 % ("Other", "true", "{required: false}", "ALL_ACCEPTED"), "g"),
    ("usercentrics", UC3 % ("Other", "true", "{required: false}", "SOME_ACCEPTED"), "d"),
    ("usercentrics", UC3 % ("TikTok", "true", "{required: true}", "ALL_ACCEPTED"), ""),
    ("usercentrics", UC3 % ("TikTok", "true", "{type: 'IMPLICIT'}", "ALL_ACCEPTED"), ""),
    ("usercentrics", "window.__ucCmp = {getConsentDetails: async () => { throw 1; }};", ""),
    ("usercentrics", UC2 % ("false", "TikTok", "true"), "g"),
    ("usercentrics", UC2 % ("false", "Other", "true"), "g"),
    ("usercentrics", UC2 % ("false", "Other", "false"), "d"),
    ("usercentrics", UC2 % ("true", "TikTok", "true"), ""),
    ("termly", TERMLY % "true", "g"),
    ("termly", TERMLY % "false", "d"),
    ("termly", TERMLY % "'yes'", ""),
    ("termly", "localStorage.setItem('TERMLY_API_CACHE', '{');", ""),
    ("osano", OSANO % "ACCEPT", "g"),
    ("osano", OSANO % "DENY", "d"),
    ("osano", "window.Osano = {cm: {getConsent: () => ({MARKETING: 'ACCEPT'})}};", ""),
    ("sourcepoint", TCF % ("useractioncomplete", "true", "true"), "g"),
    ("sourcepoint", TCF % ("tcloaded", "true", "true"), "g"),
    ("sourcepoint", TCF % ("tcloaded", "true", "false"), "d"),
    ("sourcepoint", TCF % ("cmpuishown", "true", "true"), ""),
    ("sourcepoint", TCF % ("tcloaded", "false", "true"), ""),
    ("google", GOOGLE % "", ""),
    ("google", GOOGLE % "gtag('consent', 'update', {ad_storage: 'granted', ad_user_data: 'granted'});", "g"),
    ("google", GOOGLE % "gtag('consent', 'update', {ad_storage: 'granted', ad_user_data: 'denied'});", ""),
    ("google", GOOGLE % "gtag('consent', 'update', {ad_storage: 'denied'});", ""),  # on load: nobody's choice
    ("google", GOOGLE % "gtag('consent', 'update', {analytics_storage: 'granted'});", ""),
    ("google", DENYING % "gtag('consent', 'update', {ad_storage: 'granted'});", ""),
    ("google", DENYING % "gtag('consent', 'update', {ad_storage: 'granted', ad_user_data: 'granted'});", ""),
    ("google", DENYING % _update("granted"), "g"),
    ("google", REGIONAL % "gtag('consent', 'update', {ad_storage: 'granted'});", ""),
    ("google", REGIONAL % _update("granted"), "g"),
    # A default for a region that grants does not outrank the default for all, which denies.
    ("google", US % "gtag('consent', 'update', {ad_storage: 'granted'});", ""),
    ("google", US % "gtag('consent', 'update', {ad_storage: 'granted', ad_user_data: 'granted'});", ""),
    ("google", US % "", ""),
    ("google", US % _update("granted"), "g"),
    ("google", GOOGLE % "gtag('consent', 'update', {ad_storage: 'Granted', ad_user_data: 'granted'});", ""),
    ("google", "window.dataLayer = [['consent', 'update', {ad_storage: 'granted'}]];", "g"),  # without gtag()
    ("google", GOOGLE % (_update("granted") + _update("denied")), ""),
    ("google", "window.dataLayer = [null, 5, {event: 'x'}, 'consent'];", ""),
]


def words(name: str, platform: str, *more: tuple[str, Any], **browser: Any) -> list[str]:
    """What was reported on a waiting page whose platform comes a while after it."""
    made = snippet(helper_file(f"bridge:{name}" if name else "bridge"))
    steps = [("tick", 2), ("run", platform), ("tick", 2), *more]
    diary = run(page(n=COLLECT, w=1, b=[name]), helper=True, made=made, steps=steps, **browser)
    return [one["body"]["b"] for one in diary["posts"] if "b" in one["body"]]


@pytest.mark.parametrize(("name", "platform", "word"), CASES)
def test_a_platforms_word_reaches_the_endpoint(name: str, platform: str, word: str) -> None:
    expected = [word] if word else []
    assert words(name, platform) == expected
    assert words("", platform) == expected, "where all are asked"


WAITING = DENYING.replace("'denied'}", "'denied', wait_for_update: 500}")


@pytest.mark.parametrize(
    ("first", "later", "expected"),
    [
        # `wait_for_update` ends without an update: the default is no choice.
        (WAITING % "", "", []),
        (GOOGLE % "", "", []),
        # A late platform updates after that time.
        (WAITING % "", _update("granted"), ["g"]),
        (WAITING % "", "gtag('consent', 'update', {ad_storage: 'granted'});", []),
        (WAITING % "", _update("denied"), []),  # without an action of the visitor
        # A visitor whose earlier grant was read on load, and another update follows.
        (WAITING % _update("granted"), _update("denied"), ["g", "d"]),
        (WAITING % _update("granted"), "gtag('consent', 'update', {ad_user_data: 'denied'});", ["g", "d"]),
        (WAITING % _update("granted"), "gtag('consent', 'update', {analytics_storage: 'denied'});", ["g"]),
        (WAITING % _update("granted"), WAITING % "", ["g"]),  # a default after an update changes nothing
    ],
)
def test_google_over_time(first: str, later: str, expected: list[str]) -> None:
    assert words("google", first, ("tick", 3), ("run", later), ("tick", 3)) == expected


@pytest.mark.parametrize("event", ["click", "keydown", "touchend"])
@pytest.mark.parametrize(("is_trusted", "expected"), [(True, ["d"]), (False, [])])
def test_google_refusal_counts_after_an_action_of_the_visitor(
    event: str, is_trusted: bool, expected: list[str]
) -> None:
    steps = [("act", {"name": event, "isTrusted": is_trusted}), ("run", _update("denied")), ("tick", 2)]
    assert words("google", WAITING % "", *steps) == expected


@pytest.mark.parametrize(
    ("vendors", "word"),
    [
        ("{consents: {28: true}}", "g"),
        ("{consents: {28: false}}", "d"),
        ("{consents: {2: true}}", "d"),
        ("undefined", "d"),
    ],
)
@pytest.mark.parametrize("setting", ["tcf:1,7,vendor=28", "bridge:tcf:1,7,vendor=28"])
def test_vendor_of_tcf_is_asked_for_in_the_page(setting: str, vendors: str, word: str) -> None:
    platform = (TCF % ("tcloaded", "true", "true")).replace("purpose:", f"vendor: {vendors}, purpose:")
    made = snippet(helper_file(setting))
    diary = run(page(n=COLLECT, w=1, b=["tcf"]), helper=True, made=made, steps=[("run", platform), ("tick", 2)])
    assert [one["body"]["b"] for one in diary["posts"] if "b" in one["body"]] == [word]


@pytest.mark.parametrize(
    ("platform", "word"),
    [
        (GPP % ("ready", "[{SaleOptOut: 1}]"), "d"),
        (GPP % ("ready", "{Core: {TargetedAdvertisingOptOut: 1}}"), "d"),
        (GPP % ("ready", "[{SaleOptOut: 2}, {Gpc: true}]"), "d"),
        (GPP % ("ready", "[{SaleOptOut: 2, SharingOptOut: 0, Gpc: false}]"), ""),
        (GPP % ("not ready", "[{SaleOptOut: 1}]"), ""),
        # The server reads a string that a cookie holds.
        ("document.cookie = '__gpp=DBABL~BVQVAAAAAY.Y';" + GPP % ("ready", "[{SaleOptOut: 1}]"), ""),
        ("document.cookie = 'my__gpp=x';" + GPP % ("ready", "[{SaleOptOut: 1}]"), "d"),
    ],
)
def test_gpp_opt_out_in_the_page(platform: str, word: str) -> None:
    assert words("gpp", platform) == ([word] if word else [])


def test_a_platforms_own_event_is_heard_at_once() -> None:
    made = snippet(helper_file("bridge:usercentrics"))
    platform = UC3 % ("TikTok", "true", "{required: false}", "ALL_ACCEPTED")
    steps = [("run", platform), ("dispatch", "UC_UI_CMP_EVENT")]
    assert run(page(n=COLLECT, w=1), helper=True, made=made, steps=steps)["posts"][0]["body"]["b"] == "g"


def test_state_is_reported_on_each_page_and_once_per_change() -> None:
    granted, denied = OSANO % "ACCEPT", OSANO % "DENY"
    change = [("run", denied), ("tick", 2), ("run", granted), ("tick", 2)]
    assert words("osano", granted, ("tick", 9), *change) == ["g", "d", "g"]
    for cookies in ({"_tt_consent": "g"}, {"_tt_consent": "d"}):
        assert words("osano", granted, cookies=cookies) == ["g"], "the server compares it with what it has stored"
        assert words("osano", denied, cookies=cookies) == ["d"]


def test_grant_of_an_earlier_page_ends_with_the_platforms_record() -> None:
    empty = "window.Osano = {cm: {getConsent: () => ({MARKETING: 'ACCEPT'})}};"
    made = snippet(helper_file("bridge:osano"))
    for cookies, left in (
        ({"_tt_consent": "g"}, {}),
        ({"_tt_consent": "d"}, {"_tt_consent": "d"}),
        ({"_tt_consent": "g", "_tt_said": "g.1760000000000.u"},) * 2,
    ):
        steps = [("run", empty), ("tick", 9)]
        diary = run(page(n=COLLECT, w=1), helper=True, made=made, steps=steps, cookies=cookies, answers=[{}] * 9)
        assert (diary["cookies"], diary["queue"]) == (left, None)


def test_refusal_is_stored_before_the_post_is_answered() -> None:
    made = snippet(helper_file("bridge:osano"))
    steps = [("run", OSANO % "DENY"), ("tick", 1)]
    cookies = {"_tt_consent": "g", "_tt_said": "g.1760000000000.u"}
    diary = run(page(n=COLLECT, w=1), helper=True, made=made, steps=steps, cookies=cookies, answers=["lost"])
    assert diary["cookies"] == {"osano_consentmanager": "x", "_tt_consent": "d"}


def test_where_platforms_differ_one_refusal_is_enough() -> None:
    assert words("", (OSANO % "ACCEPT") + (TERMLY % "false")) == ["d"]
    assert words("", (OSANO % "ACCEPT") + (TERMLY % "true")) == ["g"]


def test_a_browser_without_storage_is_asked_all_the_same() -> None:
    assert words("osano", OSANO % "ACCEPT", local=None) == ["g"]


def test_without_the_base_code_a_bridge_does_nothing() -> None:
    assert run(helper=True, made=snippet(helper_file("bridge")))["posts"] == []


def test_only_the_bridges_that_are_configured_are_served() -> None:
    core = snippet(helper_file("implied"))
    assert core.helper.endswith(snippet().helper)
    one, every = snippet(helper_file("bridge:osano")), snippet(helper_file("bridge"))
    assert snippet().helper in one.helper
    assert b"Osano" in one.helper
    assert b"UC_UI" not in one.helper
    assert len({core.helper_path, one.helper_path, every.helper_path}) == 3
    print(len(gzip.compress(one.helper, 9)), len(gzip.compress(every.helper, 9)))
    assert {path.stem for path in (BROWSER / "bridges").glob("*.js")} == set(BRIDGES.values())
    assert bridges("bridge") == BROWSER_ONLY
    assert bridges("onetrust") == ()


@pytest.mark.parametrize(
    "setting", ["bridge:", "bridge:onetrust", "bridge:Osano", "bridge:osano,termly", "bridge:../pixel"]
)
def test_an_unknown_bridge_is_named_at_start(setting: str) -> None:
    for start in (make_reader, helper_file):
        with pytest.raises(ConfigError, match="bridge:NAME with one of usercentrics, osano"):
            start(setting)
