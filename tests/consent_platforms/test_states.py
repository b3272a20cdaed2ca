"""In every refused or undecided state nothing reaches TikTok on either channel; in every granted one all events match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import pytest

from tests.consent_platforms.conftest import MakePerson
from tests.consent_platforms.person import LANDING, Person
from tests.consent_platforms.platforms import PLATFORMS, Platform

pytestmark = pytest.mark.browser


def nothing_clicked(one: Person) -> None:
    one.open()
    one.ask()
    one.follow()
    one.buy()
    one.assert_nothing(1200)


def accepted(one: Person) -> None:
    one.open()
    one.accept()
    one.assert_matched("ViewContent")
    one.follow()
    one.assert_matched(*["ViewContent"] * 2)
    one.ask()
    one.assert_matched(*["ViewContent"] * 2, "Lead")  # TikTok's script has the browser's copy
    one.buy()
    one.assert_matched(*["ViewContent"] * 3, "AddToCart", "Lead")
    if one.platform.site == "app":
        one.press("#call")  # an event in the page's markup
        one.assert_matched(*["ViewContent"] * 3, "AddToCart", "Lead", "Contact")
    assert one.visitor.cookie("ttclid")["value"] == "E.C.P.landing-click"


def refused(one: Person) -> None:
    one.open()
    one.refuse()
    one.ask()
    one.follow()
    one.ask()
    one.buy()
    one.assert_nothing(1200)
    one.assert_clean()


def partly_accepted(one: Person) -> None:
    if not one.buttons.partial:
        pytest.skip("one question for everything")
    one.open()
    one.act(one.buttons.partial)
    one.ask()
    one.follow()
    one.buy()
    one.assert_nothing(1200)


def refused_after_accepting(one: Person) -> None:
    one.open()
    one.accept()
    one.assert_matched("ViewContent")
    one.act(one.buttons.refuse_later)
    one.wait(1000)
    one.assert_nothing_new(one.ask)
    one.assert_nothing_new(lambda: one.page.evaluate("tiktok.track('Search', {query: 'x'})"))
    if one.platform.site == "app":
        one.assert_nothing_new(lambda: one.press("#call"))
    one.assert_clean()
    one.assert_nothing_new(one.follow)
    one.assert_nothing_new(one.buy)
    one.assert_clean()


def accepted_after_refusing(one: Person) -> None:
    one.open()
    one.refuse()
    one.assert_nothing(1300)
    one.act(one.buttons.accept_later)
    one.assert_matched("ViewContent")
    assert one.visitor.cookie("ttclid")["value"] == "E.C.P.landing-click"
    one.follow()
    one.assert_matched("ViewContent", "ViewContent")


def minds_change_over_pages(one: Person) -> None:
    one.open()
    one.refuse()
    one.wait(300)
    one.follow()
    one.assert_nothing(800)
    one.act(one.buttons.accept_later)
    one.wait(1500)
    before = one.count()
    assert before > (0, 0), "the pixel of the page on which the visitor agreed"
    one.open("/three")
    one.assert_matched("ViewContent")
    one.act(one.buttons.refuse_later)
    one.wait(300)
    one.assert_nothing_new(lambda: one.open("/four"))
    one.act(one.buttons.accept_later)
    one.wait(300)
    one.open("/five")
    one.assert_matched("ViewContent", "ViewContent")


def _quick_refusal(wait_ms: int) -> Callable[[Person], None]:
    def scenario(one: Person) -> None:
        one.open()
        one.accept()
        one.assert_matched("ViewContent")
        one.act(one.buttons.refuse_later)
        one.wait(wait_ms)
        arrived, asked = one.arrived(), len(one.requests)
        one.follow()
        one.buy()
        one.wait(1000)
        assert one.arrived() == arrived, one.requests[asked:]

    return scenario


def _quick_grant(wait_ms: int) -> Callable[[Person], None]:
    def scenario(one: Person) -> None:
        if one.platform.asks_server and not wait_ms:
            pytest.skip("the package's own request ends with the page, so that no choice is stored")
        one.open()
        one.accept()
        one.wait(wait_ms)
        one.open("/two")
        one.page.wait_for_function("window.ttq")  # the platform may come late
        one.ask()
        one.await_matched("Lead")  # TikTok's script has the browser's copy
        one.open("/three")
        # A later page fires the copies of a page that was left at once.
        one.assert_matched(*["ViewContent"] * 3, "Lead")

    return scenario


def record_expires(one: Person) -> None:
    one.open()
    one.accept()
    one.assert_matched("ViewContent")
    one.follow()
    one.assert_matched("ViewContent", "ViewContent")
    one.forget()
    one.assert_nothing_new(lambda: one.open("/three"), 1500)
    one.assert_nothing_new(one.buy)


def new_revision(one: Person) -> None:
    if not (one.platform.has_revision or one.platform.renewed_setting):
        pytest.skip("no policy version on this site")
    one.open()
    one.accept()
    one.assert_matched("ViewContent")
    if one.platform.site == "django":
        httpx.get(f"{one.visitor.shop.url}/?revision=2")
        one.wait(5500)
        one.open("/two")  # the middleware looks for a new version now
        one.wait(1500)
    if one.platform.renewed_setting:
        one.visitor.shop = one.renewed()
        one.visitor.forgiven += (one.visitor.shop.url,)
    one.assert_nothing_new(lambda: one.open("/three?revision=2"), 1500)


def two_tabs(one: Person) -> None:
    one.open()
    one.accept()
    one.assert_matched("ViewContent")
    other = one.visitor.tab()
    one.open("/other", other)
    one.assert_matched("ViewContent", "ViewContent")
    one.act(one.buttons.refuse_later)
    one.wait(1000)
    one.assert_nothing_new(lambda: one.ask(other))
    one.assert_nothing_new(lambda: other.evaluate("tiktok.track('Search', {query: 'x'})"))


SCENARIOS: dict[str, Callable[[Person], None]] = {
    "nothing clicked": nothing_clicked,
    "accepted": accepted,
    "refused": refused,
    "partly accepted": partly_accepted,
    "refused after accepting": refused_after_accepting,
    "accepted after refusing": accepted_after_refusing,
    "minds change over pages": minds_change_over_pages,
    **{f"refused {ms} ms before leaving": _quick_refusal(ms) for ms in (0, 400, 3000)},
    **{f"accepted {ms} ms before leaving": _quick_grant(ms) for ms in (0, 400, 3000)},
    "record expires": record_expires,
    "new revision": new_revision,
    "two tabs": two_tabs,
}
_QUICK = {
    "nothing clicked",
    "accepted",
    "refused after accepting",
    "accepted after refusing",
    "refused 0 ms before leaving",
}


def _cases() -> list[Any]:
    return [
        pytest.param(
            platform,
            scenario,
            id=f"{platform.name}-{scenario}",
            marks=() if platform.is_quick and scenario in _QUICK else pytest.mark.soak,
        )
        for platform in PLATFORMS
        for scenario in SCENARIOS
    ]


@pytest.mark.parametrize(("platform", "scenario"), _cases())
def test_consent_governs_both_channels(platform: Platform, scenario: str, person: MakePerson) -> None:
    one = person(platform)
    one.visitor.forgiven = (one.visitor.shop.url,)  # what the platforms' own code writes to the console
    SCENARIOS[scenario](one)


@pytest.mark.soak
@pytest.mark.parametrize("platform", PLATFORMS, ids=lambda platform: platform.name)
def test_global_privacy_control_outranks_a_click(platform: Platform, person: MakePerson) -> None:
    one = person(platform, extra_http_headers={"Sec-GPC": "1"})
    one.visitor.forgiven = (one.visitor.shop.url,)
    one.visitor.context.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    one.open(LANDING)
    one.accept()
    one.ask()
    one.follow()
    one.assert_nothing(1200)


#: A cookie that the server reads, and two platforms that only the page can ask; with what is there once they are.
LATE = {
    "klaro": "window.klaro && klaro.getManager",
    "TCF bridge": "document.getElementById('no')",
    "TCF, page only": "document.getElementById('no')",
}


@pytest.mark.soak
@pytest.mark.parametrize("platform", [one for one in PLATFORMS if one.name in LATE], ids=lambda platform: platform.name)
def test_platform_that_comes_four_seconds_late(platform: Platform, person: MakePerson) -> None:
    one = person(platform)
    one.visitor.forgiven = (one.visitor.shop.url,)
    one.show(f"{LANDING}&late=4000")
    one.assert_nothing(3000)
    one.accept()
    one.assert_matched("ViewContent")
    one.show("/two?late=4000")
    one.assert_matched("ViewContent", "ViewContent")
    one.page.wait_for_function(LATE[platform.name])
    one.act(one.buttons.refuse_later)
    one.wait(1000)
    one.assert_nothing_new(lambda: one.show("/three?late=4000"), 6000)


#: A cookie that pages read, and one with a library in the page.
SHARED = ("klaro", "TCF, cookie")


@pytest.mark.soak
@pytest.mark.parametrize(
    "platform", [one for one in PLATFORMS if one.name in SHARED], ids=lambda platform: platform.name
)
def test_grant_in_another_tab_releases_the_events_of_an_open_page(platform: Platform, person: MakePerson) -> None:
    one = person(platform)
    one.visitor.forgiven = (one.visitor.shop.url,)
    one.open()
    other = one.visitor.tab()
    one.open("/other", other)
    one.act(one.buttons.accept, other)
    one.assert_matched("ViewContent", "ViewContent")
