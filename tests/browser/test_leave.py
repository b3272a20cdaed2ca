"""Before a visitor's yes nothing reaches TikTok, with it both channels go under one id, after a no nothing goes any more."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Playwright

from tests.browser.conftest import MakeVisitor
from tests.browser.servers import Server, command_of, uvicorn_command
from tests.browser.visitor import Visitor

pytestmark = pytest.mark.browser

CLICK = "E.C.P.test-click"
COOKIEBOT = "CookieConsent={stamp:'x'%2Cmarketing:true%2Cmethod:'explicit'%2Cver:1}; path=/"
#: How a visitor's choice comes about in the page, and the reader that is told to look there.
WAYS = {
    "the site's own banner": ("required", "tiktok.grantConsent()", "tiktok.revokeConsent()"),
    "a platform's cookie": ("cookiebot", f'document.cookie = "{COOKIEBOT}"', "tiktok.revokeConsent()"),
    "a platform's page script": (
        "bridge:osano",
        "localStorage.osano_consentmanager = 'ACCEPT'",
        "localStorage.osano_consentmanager = 'DENY'",
    ),
}

# The platform is on every page, as it is on real sites: each page asks it before it loads anything.
OSANO = "window.Osano = {cm: {getConsent: () => ({MARKETING: localStorage.osano_consentmanager})}}"

MakeShop = Callable[[str], Server]


@pytest.fixture(scope="package")
def asking(start: Callable[..., Server]) -> MakeShop:
    """The application of `leave_app` under a setting of `TIKTOK_CONSENT`; each is started when it is first asked for."""
    started: dict[str, Server] = {}

    def shop(consent: str) -> Server:
        if consent not in started:
            started[consent] = start(
                "leave",
                lambda port: uvicorn_command("tests.browser.leave_app:app", port),
                TIKTOK_CONSENT=consent,
                TIKTOK_BROWSER_EVENTS="Search",
            )
        return started[consent]

    return shop


def requests_to_tiktok(visitor: Visitor) -> list[str]:
    """Every request to TikTok's host from now on."""
    seen: list[str] = []
    url = visitor.sandbox.url
    visitor.context.on("request", lambda request: seen.append(request.url) if request.url.startswith(url) else None)
    return seen


def use_page(visitor: Visitor, *, is_ours: bool = True) -> None:
    """What a visitor does on a page, until all that the page asks for has been answered."""
    if is_ours:
        visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    visitor.page.evaluate("fetch('/add', {method: 'POST'}).then(answer => answer.json())")
    visitor.page.evaluate("new Promise(resolve => requestAnimationFrame(() => setTimeout(resolve, 50)))")


def assert_all_has_come(visitor: Visitor, visit: MakeVisitor, shop: Server) -> None:
    """Somebody with leave does something: what the server had to send before has been sent with it."""
    other = visit(shop)
    other.context.add_init_script(f"localStorage.osano_consentmanager = 'ACCEPT'; {OSANO}")
    other.context.add_cookies([{"name": "_tt_consent", "value": "g", "url": shop.url}])
    other.open("/", patient=False)
    other.page.wait_for_function("window.tiktok && tiktok.listens")
    other.page.evaluate("fetch('/ask', {method: 'POST'})")
    visitor.sandbox.the("Contact")


@pytest.mark.parametrize("way", list(WAYS))
def test_a_grant_on_the_page_sends_both_channels_under_one_id(asking: MakeShop, visit: MakeVisitor, way: str) -> None:
    consent, grant, _ = WAYS[way]
    visitor = visit(asking(consent))
    visitor.context.add_init_script(OSANO)
    seen = requests_to_tiktok(visitor)
    visitor.open(f"/?ttclid={CLICK}", patient=False)
    use_page(visitor)
    assert seen == [], "before the grant nothing is requested from TikTok"
    assert visitor.cookie_names == set()
    assert visitor.page.evaluate("'ttq' in window") is False

    visitor.page.evaluate(grant)
    view = visitor.sandbox.the("ViewContent")
    assert (view["browser_copies"], view["server_copies"]) == (1, 1)
    assert view["server"]["user"]["ttclid"] == CLICK, "the click that brought the visitor is not lost"
    assert view["server"]["page"]["url"] == f"{visitor.shop.url}/?ttclid={CLICK}"
    visitor.sandbox.await_events("Pageview")
    added = visitor.sandbox.the("AddToCart")
    assert (added["browser_copies"], added["server_copies"]) == (1, 1), (
        "the page keeps what an answer brought until then"
    )
    ttclid = visitor.cookie("ttclid")
    assert (ttclid["value"], ttclid["sameSite"]) == (CLICK, "Lax")

    use_page(visitor)
    visitor.sandbox.await_events("AddToCart", 2, "matched")
    visitor.open("/")
    assert [one["state"] for one in visitor.sandbox.await_events("ViewContent", 2, "matched")] == ["matched"] * 2


@pytest.mark.parametrize("way", list(WAYS))
def test_a_refusal_deletes_our_cookies_and_stops_both_channels(asking: MakeShop, visit: MakeVisitor, way: str) -> None:
    consent, grant, revoke = WAYS[way]
    visitor = visit(asking(consent))
    visitor.context.add_init_script(OSANO)
    visitor.open(f"/?ttclid={CLICK}", patient=False)
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    visitor.page.evaluate(grant)
    visitor.sandbox.the("ViewContent")
    visitor.open("/")
    assert {"ttclid", "_ttp"} <= visitor.cookie_names
    with visitor.page.expect_response("**/collect"):
        visitor.page.evaluate(revoke)
    assert not {"ttclid", "_ttp", "_tt_fresh"} & visitor.cookie_names
    before = visitor.sandbox.summary()
    seen = requests_to_tiktok(visitor)
    use_page(visitor)
    visitor.open("/", patient=False)
    use_page(visitor, is_ours=False)
    visitor.page.evaluate("window.ttq && ttq.track('Lead')")
    assert_all_has_come(visitor, visit, visitor.shop)
    assert [one for one in visitor.sandbox.summary() if one[0] not in {"Contact", "Pageview", "ViewContent"}] == [
        one for one in before if one[0] not in {"Pageview", "ViewContent"}
    ]
    assert [url for url in seen if "Lead" in url or "events.js" in url] == []


def test_a_refusal_before_any_grant_lets_nothing_leave(asking: MakeShop, visit: MakeVisitor) -> None:
    shop = asking("required")
    visitor = visit(shop)
    seen = requests_to_tiktok(visitor)
    visitor.open(f"/?ttclid={CLICK}", patient=False)
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    with visitor.page.expect_response("**/collect"):
        visitor.page.evaluate("tiktok.revokeConsent()")
    use_page(visitor)
    visitor.open("/", patient=False)
    use_page(visitor, is_ours=False)
    assert (seen, visitor.cookie_names) == ([], {"_tt_consent"})
    assert_all_has_come(visitor, visit, shop)
    assert {one["event"] for one in visitor.sandbox.events()} <= {"Contact", "Pageview", "ViewContent"}


def test_who_leaves_without_choosing_has_told_nobody_anything(asking: MakeShop, visit: MakeVisitor) -> None:
    shop = asking("required")
    visitor = visit(shop)
    seen = requests_to_tiktok(visitor)
    for path in (f"/?ttclid={CLICK}", "/"):
        visitor.open(path, patient=False)
        use_page(visitor)
    visitor.page.goto("about:blank")
    assert (seen, visitor.cookie_names) == ([], set())
    assert_all_has_come(visitor, visit, shop)
    assert {one["event_id"] for one in visitor.sandbox.events("AddToCart")} == set()


def test_a_privacy_signal_keeps_the_pixel_out(asking: MakeShop, visit: MakeVisitor) -> None:
    shop = asking("implied")
    visitor = visit(shop, extra_http_headers={"Sec-GPC": "1"})
    visitor.context.add_init_script("Object.defineProperty(navigator, 'globalPrivacyControl', {value: true})")
    seen = requests_to_tiktok(visitor)
    visitor.open(f"/?ttclid={CLICK}", patient=False)
    use_page(visitor, is_ours=False)
    assert (seen, visitor.cookie_names) == ([], set())


def test_a_page_view_may_be_a_pair_as_well(start: Callable[..., Server], visit: MakeVisitor) -> None:
    shop = start(
        "matched", lambda port: uvicorn_command("tests.browser.leave_app:app", port), TIKTOK_PAGE_VIEW="matched"
    )
    visitor = visit(shop)
    visitor.open("/", patient=False)
    view = visitor.sandbox.the("Pageview")
    assert (view["browser_copies"], view["server_copies"], view["differences"]) == (1, 1, [])
    visitor.page.reload(wait_until="domcontentloaded")
    assert len({one["event_id"] for one in visitor.sandbox.await_events("Pageview", 2, "matched")}) == 2


def test_a_signal_that_comes_after_the_page_limits_both_copies(
    start: Callable[..., Server], visit: MakeVisitor
) -> None:
    shop = start("limit", lambda port: uvicorn_command("tests.browser.leave_app:app", port), TIKTOK_GPC="limit")
    visitor = visit(shop)
    visitor.open("/")
    view = visitor.sandbox.the("ViewContent")
    visitor.context.set_extra_http_headers({"Sec-GPC": "1"})
    use_page(visitor)
    cart = visitor.sandbox.the("AddToCart")
    assert [one["differences"] for one in (view, cart)] == [[], []]
    assert [one["server"]["limited_data_use"] for one in (view, cart)] == [False, True]


def test_a_page_sends_events_of_its_own_where_they_are_wanted(asking: MakeShop, visit: MakeVisitor) -> None:
    visitor = visit(asking("implied"))
    visitor.open(f"/?ttclid={CLICK}")
    visitor.page.evaluate(
        "tiktok.track('Search', {query: 'mug', search_string: 'mug'}, {event_id: 'search-1'}); tiktok.track('Lead')"
    )
    search = visitor.sandbox.the("Search")
    assert (search["event_id"], search["browser_copies"], search["server_copies"]) == ("search-1", 1, 1)
    assert search["server"]["user"]["ttclid"] == CLICK
    (lead,) = visitor.sandbox.await_events("Lead")
    assert lead["state"] == "browser_only", "the endpoint takes no name that the site has not allowed"


def test_a_customer_with_a_phone_accepts_and_buys(
    start: Callable[..., Server], visit: MakeVisitor, playwright: Playwright
) -> None:
    """The whole funnel in a small browser that is touched, behind the banner of a consent platform."""
    shop = start("banner", lambda port: command_of("starlette", port), TIKTOK_CONSENT="cookiebot")
    phone = {key: value for key, value in playwright.devices["Pixel 7"].items() if key != "default_browser_type"}
    visitor = visit(shop, **phone)
    visitor.context.add_init_script(f"""addEventListener('DOMContentLoaded', () => {{
      if (document.cookie.includes('CookieConsent=')) return;
      document.body.insertAdjacentHTML('afterbegin', '<button id="accept">Accept all</button>');
      document.querySelector('#accept').onclick = () => {{ document.cookie = "{COOKIEBOT}"; accept.remove(); }};
    }})""")
    seen = requests_to_tiktok(visitor)
    visitor.open(f"/?ttclid={CLICK}&utm_source=tiktok", patient=False)
    assert visitor.page.evaluate("navigator.maxTouchPoints > 0 && innerWidth < 500")
    visitor.page.wait_for_function("window.tiktok && tiktok.listens")
    assert seen == []
    visitor.page.tap("#accept")
    visitor.sandbox.await_events("Pageview")
    visitor.buy()
    for name in ("ViewContent", "AddToCart", "InitiateCheckout", "AddPaymentInfo", "Purchase"):
        pair = visitor.sandbox.the(name)
        assert (pair["browser_copies"], pair["server_copies"], pair["differences"]) == (1, 1, [])
        assert pair["server"]["user"]["ttclid"] == CLICK
        assert "Mobile" in pair["server"]["user"]["user_agent"]
