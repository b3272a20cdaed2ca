"""What one response hands to the browser keeps within its budgets, and within the visitor's consent."""

from __future__ import annotations

from typing import Any

import pytest

from tests.core.core_world import FETCH, GOOD_TTP, NAVIGATION, NOW, counts, scope_facts, setup_of
from tiktok_middleware.core.carry import CARRY, LIMIT_CHARS, read_carry, write_carry
from tiktok_middleware.core.event import Event
from tiktok_middleware.core.facts import RequestFacts
from tiktok_middleware.core.handout import HEADER_BUDGET_BYTES, Handout
from tiktok_middleware.core.head import Head
from tiktok_middleware.core.policy import plan
from tiktok_middleware.core.set_cookies import Header
from tiktok_middleware.core.setup import Setup
from tiktok_middleware.core.snippet import Copy
from tiktok_middleware.core.tracker import Tracker

HTML, REDIRECT, JSON = (200, Head("text/html")), (302, Head()), (200, Head("application/json"))
CLICK = "E.C.P." + "x" * 994


class Response:
    """One response about to leave."""

    def __init__(
        self,
        setup: Setup,
        answer: tuple[int, Head] = HTML,
        url: str = "/",
        headers: dict[str, str] | None = None,
        *,
        shared: bool | None = None,
    ) -> None:
        self.setup = setup
        self.facts: RequestFacts = scope_facts(url, {**(FETCH if answer is JSON else NAVIGATION), **(headers or {})})
        self.tracker = Tracker(self.facts, setup)
        self.plan = plan(*answer, self.facts, now_s=NOW, shared=shared)
        self.handout = Handout(self.facts, setup, self.tracker, self.plan)

    def track(self, name: str = "Contact", **properties: Any) -> Event:
        return self.tracker.track(name, properties)

    def handed(self, *events: Event) -> tuple[list[bool], list[Header]]:
        chosen = self.handout.choose(events)
        headers = self.handout.headers([event for event, is_chosen in zip(events, chosen, strict=True) if is_chosen])
        assert size(headers) <= HEADER_BUDGET_BYTES
        return chosen, headers

    def carried(self, headers: list[Header]) -> list[Copy]:
        token = cookies(headers).get(CARRY, "")
        return read_carry(scope_facts("/", {"cookie": f"{CARRY}={token}"}), self.setup.signer)


def cookies(headers: list[Header]) -> dict[str, str]:
    pairs = [value.partition(";")[0].partition("=") for name, value in headers if name == "Set-Cookie"]
    return {name: value for name, _, value in pairs}


def size(headers: list[Header]) -> int:
    return sum(len(name) + len(value) + 4 for name, value in headers)


# -- the snippet


@pytest.mark.parametrize(
    ("options", "headers", "writes"),
    [
        ({}, {}, True),
        ({"snippet": "off"}, {}, False),
        ({"exclude": "/"}, {}, False),
        ({"environment": "development"}, {}, False),
        ({"environment": "development", "browser_in_test": True}, {}, True),
        ({"environment": "development", "pixel_url": "http://localhost:8001/events.js"}, {}, True),
        ({"consent": "required"}, {}, False),
        ({"consent": "required"}, {"cookie": "_tt_consent=g"}, True),
        ({}, {"cookie": "_tt_consent=d"}, False),
        ({}, {"sec-gpc": "1"}, False),
        ({"gpc": "limit"}, {"sec-gpc": "1"}, True),
    ],
)
def test_a_page_carries_the_script_where_it_may(options: dict[str, Any], headers: dict[str, str], writes: bool) -> None:
    assert Response(setup_of(**options), HTML, "/", headers).handout.may_write_snippet is writes


def test_a_page_that_the_app_leaves_out_carries_nothing() -> None:
    response = Response(setup_of(), HTML, f"/?ttclid={CLICK}")
    response.tracker.disable()
    assert response.handout.may_write_snippet is False
    assert response.handed()[1] == []


@pytest.mark.parametrize("query", ["email=bob%40example.com", "phone=%2B491701234567", "first_name=Bob"])
def test_a_page_whose_own_address_holds_identity_loads_no_pixel(query: str) -> None:
    setup = setup_of()
    response = Response(setup, HTML, f"/thanks?{query}")
    assert response.handout.may_write_snippet is False
    assert response.handed(response.track())[0] == [False]
    assert counts(setup)["browser_url_holds_identity"] == 1
    assert Response(setup, HTML, f"/thanks?{query}", shared=True).handout.may_write_snippet is False
    assert Response(setup, REDIRECT, f"/login?{query}").handout.choose([response.track()]) == [True]  # not its page


def test_a_shared_page_is_the_same_for_everybody() -> None:
    setup = setup_of()
    visitors: list[dict[str, str]] = [
        {},
        {"cookie": f"ttclid=a; _ttp={GOOD_TTP}; {CARRY}={write_carry([('Contact', {}, 'id')], setup.signer)}"},
        {"sec-gpc": "1"},
        {"cookie": "_tt_consent=d"},
    ]
    made = set()
    for visitor in visitors:
        response = Response(setup, HTML, f"/?ttclid={CLICK}", visitor, shared=True)
        response.tracker.identify(email="bob@example.com")
        response.tracker.revoke_consent()
        event = response.track()
        assert response.handout.choose([event]) == [False]
        assert response.handout.headers([event]) == []
        assert response.handout.may_write_snippet is True
        assert response.handout.may_be_personal is False
        made.add(response.handout.script([event], ""))
    assert len(made) == 1
    assert next(iter(made)).is_personal is False
    assert b'"g":1' in next(iter(made)).data


def test_a_shared_page_waits_for_consent_where_it_is_required() -> None:
    assert Response(setup_of(consent="required"), HTML, shared=True).handout.may_write_snippet is False


def test_a_script_says_whether_it_is_for_one_visitor_alone() -> None:
    response = Response(setup_of())
    assert response.handout.script([], "").is_personal is False
    assert response.handout.script([response.track()], "").is_personal is True
    response.tracker.identify(email="bob@example.com")
    script = response.handout.script([], "")
    assert script.is_personal is True
    assert b"sha256_email" in script.data
    assert b"bob" not in script.data


def test_a_matched_page_view_replaces_the_pixels_own() -> None:
    response = Response(setup_of())
    event = response.tracker.page(description="home")
    data = response.handout.script([event], "").data
    assert b'"Pageview"' in data
    assert b'"v":1' not in data
    assert b'"v":1' in Response(setup_of()).handout.script([], "").data
    assert b'"v":1' not in Response(setup_of(page_view="off")).handout.script([], "").data


# -- cookies


def test_the_visitors_ids_are_kept_for_the_whole_domain() -> None:
    response = Response(setup_of(domain="shop.example"), HTML, "/?ttclid=E.C.P.x", {"cookie": f"_ttp={GOOD_TTP}"})
    assert response.handed()[1] == [
        ("Set-Cookie", "ttclid=E.C.P.x; Max-Age=2592000; Path=/; Domain=shop.example; Secure; SameSite=Lax"),
        ("Set-Cookie", f"_ttp={GOOD_TTP}; Max-Age=34190000; Path=/; Domain=shop.example; Secure; SameSite=Lax"),
        ("Set-Cookie", "_tt_fresh=cp; Max-Age=86400; Path=/; Secure; HttpOnly; SameSite=Lax"),
    ]


@pytest.mark.parametrize("answer", [HTML, REDIRECT])
def test_ids_that_are_fresh_are_not_set_again(answer: tuple[int, Head]) -> None:
    headers = {"cookie": f"ttclid=a; _ttp={GOOD_TTP}; _tt_fresh=cp"}
    assert Response(setup_of(), answer, "/", headers).handed()[1] == []


@pytest.mark.parametrize(
    ("setting", "cookie", "written"),
    [
        ("off", f"_ttp={GOOD_TTP}", set()),
        ("refresh", "", set()),
        ("refresh", f"_ttp={GOOD_TTP}", {"_ttp", "_tt_fresh"}),
        ("mint", "", {"_ttp", "_tt_fresh"}),
        ("mint", f"_ttp={GOOD_TTP}; _tt_fresh=p", set()),
    ],
)
def test_ttp_is_treated_as_configured(setting: str, cookie: str, written: set[str]) -> None:
    response = Response(setup_of(ttp=setting), HTML, "/", {"cookie": cookie})
    assert set(cookies(response.handed()[1])) == written


def test_a_minted_ttp_is_of_the_form_that_is_read_back_and_fresh_for_a_day() -> None:
    setup = setup_of(ttp="mint")
    jar = cookies(Response(setup, HTML, "/", {"cookie": "ttclid=a; _tt_fresh=c"}).handed()[1])
    assert len(jar["_ttp"]) == 27
    assert jar["_tt_fresh"] == "cp"
    again = Response(setup, HTML, "/", {"cookie": f"ttclid=a; _ttp={jar['_ttp']}; _tt_fresh=cp"})
    assert again.handed()[1] == []
    assert again.tracker.visitor.ttp == jar["_ttp"]


def test_who_did_not_agree_gets_no_cookie() -> None:
    response = Response(setup_of(consent="required"), HTML, f"/?ttclid={CLICK}", {"cookie": f"_ttp={GOOD_TTP}"})
    assert response.handed()[1] == []


def test_who_refuses_loses_our_cookies_and_keeps_the_refusal() -> None:
    jar = {"ttclid": "a", "_ttp": GOOD_TTP, "_tt_fresh": "cp", CARRY: "x", "theirs": "1"}
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
    response = Response(setup_of(domain="shop.example"), JSON, "/", headers)
    response.tracker.revoke_consent()
    found = response.handed()[1]
    assert cookies(found) == {"_tt_consent": "d", "ttclid": "", "_ttp": "", "_tt_fresh": "", CARRY: ""}
    gone = [value for name, value in found if "Max-Age=0" in value]
    assert sum("ttclid=" in value for value in gone) == 2  # the domain's and the host's own
    assert all("theirs" not in value for value in gone)


# -- events over a redirect


def test_an_event_goes_over_a_redirect() -> None:
    response = Response(setup_of(), REDIRECT)
    event = response.track("Purchase", value=5, currency="EUR")
    chosen, headers = response.handed(event)
    assert chosen == [True]
    assert response.carried(headers) == [("Purchase", event.properties, event.event_id)]
    assert len(cookies(headers)[CARRY]) <= LIMIT_CHARS


def test_several_redirects_carry_all_their_events() -> None:
    setup = setup_of()
    first = Response(setup, REDIRECT)
    token = cookies(first.handed(first.track("AddToCart"))[1])[CARRY]
    second = Response(setup, REDIRECT, "/", {"cookie": f"{CARRY}={token}"})
    headers = second.handed(second.track("InitiateCheckout"))[1]
    assert [copy[0] for copy in second.carried(headers)] == ["AddToCart", "InitiateCheckout"]
    page = Response(setup, HTML, "/", {"cookie": f"{CARRY}={cookies(headers)[CARRY]}"})
    data = page.handout.script([], "").data
    assert data.index(b'"AddToCart"') < data.index(b'"InitiateCheckout"')
    assert b'"k":"_tt_carry"' in data


def test_a_redirect_without_events_leaves_the_carry_cookie_alone() -> None:
    setup = setup_of()
    token = write_carry([("Contact", {}, "id")], setup.signer)
    assert Response(setup, REDIRECT, "/", {"cookie": f"{CARRY}={token}"}).handed()[1] == []


def test_what_does_not_fit_goes_by_the_server_alone_and_the_next_may_fit() -> None:
    setup = setup_of()
    response = Response(setup, REDIRECT)
    noise = "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(600))
    huge, small = response.track("Purchase", description=noise), response.track("Contact")
    chosen, headers = response.handed(huge, small)
    assert chosen == [False, True]
    assert [copy[0] for copy in response.carried(headers)] == ["Contact"]
    assert counts(setup)["browser_too_large"] == 1


def test_a_long_click_id_outranks_an_event_that_would_not_fit_beside_it() -> None:
    setup = setup_of(domain="shop.example")
    response = Response(setup, REDIRECT, f"/?ttclid={CLICK}", {"cookie": f"_ttp={GOOD_TTP}"})
    noise = "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(80))
    chosen, headers = response.handed(response.track("Purchase", description=noise))
    assert chosen == [False]
    assert set(cookies(headers)) == {"ttclid", "_ttp", "_tt_fresh"}
    assert counts(setup)["browser_too_large"] == 1


def test_ids_that_do_not_fit_are_not_called_fresh() -> None:
    domain = ".".join(["a" * 60] * 4)
    ttp = "p" * 128
    response = Response(setup_of(domain=domain), HTML, f"/?ttclid={CLICK}", {"cookie": f"_ttp={ttp}"})
    found = set(cookies(response.handed()[1]))
    assert "ttclid" in found
    assert "_tt_fresh" not in found or found >= {"ttclid", "_ttp"}


@pytest.mark.parametrize(("token", "reason"), [("garbage", "forged"), ("", "")])
def test_a_forged_carry_cookie_is_ignored_and_counted(token: str, reason: str) -> None:
    setup = setup_of()
    response = Response(setup, HTML, "/", {"cookie": f"{CARRY}={token}"})
    assert response.handout.script([], "").is_personal is False
    assert counts(setup) == ({f"carry_{reason}": 1} if reason else {})


def test_who_only_looks_ahead_takes_no_carried_event_and_leaves_none() -> None:
    setup = setup_of()
    token = write_carry([("Contact", {}, "id")], setup.signer)
    ahead = {"cookie": f"{CARRY}={token}", "sec-purpose": "prefetch"}
    page = Response(setup, HTML, "/", ahead)
    assert b"Contact" not in page.handout.script([], "").data
    redirect = Response(setup, REDIRECT, "/", ahead)
    assert redirect.handed(redirect.track("Purchase"))[0] == [False]
    assert counts(setup)["browser_prefetch"] == 1


# -- events with an answer


def test_an_event_goes_with_an_answer() -> None:
    response = Response(setup_of(), JSON)
    event = response.track("AddToCart", value=5, currency="EUR")
    chosen, headers = response.handed(event)
    assert chosen == [True]
    assert [name for name, _ in headers] == ["TikTok-Events", "Server-Timing"]
    assert event.event_id in headers[0][1]


def test_an_answer_keeps_within_its_budget() -> None:
    setup = setup_of()
    response = Response(setup, JSON)
    events = [response.track("AddToCart", description="x" * 90) for _ in range(20)]
    chosen, headers = response.handed(*events)
    assert 1 <= sum(chosen) < 20
    assert size(headers) <= HEADER_BUDGET_BYTES
    assert counts(setup)["browser_too_large"] == 20 - sum(chosen)


def test_a_refusal_of_the_browser_channel_is_counted_by_its_reason() -> None:
    setup = setup_of(snippet="off")
    response = Response(setup, JSON)
    assert response.handed(response.track())[0] == [False]
    assert counts(setup)["browser_snippet_off"] == 1
    untouchable = Response(setup, (200, Head("text/event-stream")))
    assert untouchable.handed(untouchable.track())[0] == [False]
    assert counts(setup)["browser_event_stream"] == 1
