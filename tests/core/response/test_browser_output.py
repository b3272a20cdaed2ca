"""What one response hands to the browser keeps within its budgets, and within the visitor's consent."""

from __future__ import annotations

import dataclasses
import hashlib
import itertools
import json
import re
from base64 import b64decode
from typing import Any

import pytest

from tests.core.core_world import FETCH, GOOD_TTP, NAVIGATION, NOW, PIXEL, carrying, counts, runtime_of, scope_request
from tiktok_middleware.core.events.event import Event
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.core.http.response_head import Head
from tiktok_middleware.core.pixel.redirect_cookie import CARRY, COOKIE_LIMIT_CHARS, SEALED, read_carry, write_carry
from tiktok_middleware.core.pixel.signed_event import open_signed_event
from tiktok_middleware.core.pixel.snippet import BrowserCopy
from tiktok_middleware.core.response.browser_output import BrowserOutput
from tiktok_middleware.core.response.first_party_cookies import Header
from tiktok_middleware.core.response.header_room import ADDED_LIMIT_BYTES
from tiktok_middleware.core.response.page_script import late_script, page_script
from tiktok_middleware.core.response.policy import plan
from tiktok_middleware.core.response.routed_event import Route, RoutedEvent
from tiktok_middleware.core.response.routing import choose
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState
from tiktok_middleware.core.tracking.server_event import make_entry
from tiktok_middleware.core.tracking.tracker import Tracker
from tiktok_middleware.core.visitor.user_data import Identity
from tiktok_middleware.errors import TokenError

HTML, REDIRECT, JSON = (200, Head("text/html")), (302, Head()), (200, Head("application/json"))
CLICK = "E.C.P." + "x" * 994


class Response:
    """One response about to leave."""

    def __init__(
        self,
        runtime: Runtime,
        answer: tuple[int, Head] = HTML,
        url: str = "/",
        headers: dict[str, str] | None = None,
        *,
        shared: bool | None = None,
        method: str = "GET",
    ) -> None:
        self.runtime = runtime
        kind = FETCH if answer is JSON else NAVIGATION
        self.request: RequestView = scope_request(url, {**kind, **(headers or {})}, method=method)
        self.tracker = Tracker(RequestState(self.request, runtime))
        self.plan = plan(*answer, self.request, now_s=NOW, shared=shared)
        self.output = BrowserOutput(self.request, runtime, self.tracker.state, self.plan, answer[1])
        if self.output.may_mint:
            self.tracker.state.mint_ttp()

    def track(self, name: str = "Contact", **properties: Any) -> Event:
        return self.tracker.track(name, properties)

    def choose(self, *events: Event) -> list[bool]:
        """Which of the events leave with their browser copy."""
        return [choice.way is Route.DIRECT and choice.deferred is None for choice in self.chosen(*events)]

    def chosen(self, *events: Event) -> list[RoutedEvent]:
        pendings = [pending for pending in self.tracker.state.pending if pending.event in events]
        return choose(self.output, [pendings[0]._replace(event=event) for event in events])

    def handed(self, *events: Event) -> tuple[list[bool], list[Header]]:
        chosen = self.chosen(*events)
        headers = self.output.headers([choice for choice in chosen if choice.way is Route.DIRECT])
        assert size(headers) <= ADDED_LIMIT_BYTES
        return [choice.way is Route.DIRECT and choice.deferred is None for choice in chosen], headers

    def carried(self, headers: list[Header]) -> list[BrowserCopy]:
        return list(read_carry(scope_request("/", {"cookie": carrying(cookies(headers))}), self.runtime.signer).copies)


def config_of(script: bytes) -> dict[str, Any]:
    """What the page's script is told."""
    found = re.search(rb"\}\)\(window,document,\s*(\{.*?\})\);</script>", script, re.DOTALL)
    assert found is not None
    config: dict[str, Any] = json.loads(found[1])
    return config


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
        ({"consent": "required"}, {}, True),  # it waits for the visitor's leave
        ({"consent": "required"}, {"cookie": "_tt_consent=g"}, True),
        ({}, {"cookie": "_tt_consent=d"}, True),  # the way back
        ({}, {"sec-gpc": "1"}, True),
        ({"gpc": "limit"}, {"sec-gpc": "1"}, True),
    ],
)
def test_a_page_carries_the_script_where_it_may(options: dict[str, Any], headers: dict[str, str], writes: bool) -> None:
    assert Response(runtime_of(**options), HTML, "/", headers).output.may_write_snippet is writes


def test_a_page_that_the_app_leaves_out_carries_nothing() -> None:
    response = Response(runtime_of(), HTML, f"/?ttclid={CLICK}")
    response.tracker.disable()
    assert response.output.may_write_snippet is False
    assert response.handed()[1] == []


@pytest.mark.parametrize("query", ["email=bob%40example.com", "phone=%2B491701234567", "first_name=Bob"])
def test_a_page_whose_own_address_holds_identity_loads_no_pixel(query: str) -> None:
    runtime = runtime_of()
    response = Response(runtime, HTML, f"/thanks?{query}")
    assert response.output.may_write_snippet is False
    assert response.handed(response.track())[0] == [False]
    assert counts(runtime)["browser_url_holds_identity"] == 1
    # A shared page does not depend on the query: there the gate in the page judges the address.
    assert Response(runtime, HTML, f"/thanks?{query}", shared=True).output.may_write_snippet is True
    assert Response(runtime, HTML, "/thanks/bob@example.com", shared=True).output.may_write_snippet is False
    redirect = Response(runtime, REDIRECT, f"/login?{query}")
    assert redirect.choose(redirect.track()) == [True]  # not its page


@pytest.mark.parametrize("consent", ["implied", "required", "bridge", "cookie:a=b"])
@pytest.mark.parametrize("page_view", ["browser", "matched"])
def test_a_shared_page_is_the_same_for_everybody(consent: str, page_view: str) -> None:
    runtime = runtime_of(consent=consent, page_view=page_view)
    randomness = itertools.count()
    runtime.random_bytes = lambda count: next(randomness).to_bytes(count, "big")
    visitors: list[dict[str, str]] = [
        {},
        {"cookie": f"ttclid=a; _ttp={GOOD_TTP}; {CARRY}={write_carry([('Contact', {}, 'id')], runtime.signer)}"},
        {"sec-gpc": "1"},
        {"cookie": "_tt_consent=d"},
    ]
    made = set()
    for visitor in visitors:
        response = Response(runtime, HTML, f"/?ttclid={CLICK}", visitor, shared=True)
        response.tracker.identify(email="bob@example.com")
        chosen = response.chosen(response.track())
        assert chosen[0].way is Route.SEALED
        assert response.output.headers(chosen) == []
        assert response.output.may_write_snippet is True
        assert response.output.may_be_personal is False
        assert response.output.opened() == []
        late = late_script(response.output, chosen, "")
        made.add((page_script(response.output, chosen, ""), late))
        assert page_script(response.output, [], "").is_personal is False
    assert len(made) == 1
    script, _ = made.pop()
    assert (script.is_personal, script.is_constant) == (False, False)
    config = config_of(script.data)
    is_implied = consent == "implied"
    assert (config.get("g"), config.get("w"), config["h"]) == ((1, None, 1) if is_implied else (None, 1, 1))
    names = [entry[0] for entry in config["s"]]
    assert names == (["Pageview", "Contact"] if page_view == "matched" else ["Contact"])
    assert {entry[2] for entry in config["s"]} == {""}
    assert config.get("v") == (None if page_view == "matched" else 1)
    for name, _properties, _id, token in config["s"]:
        signed_event = open_signed_event(token, runtime.signer, runtime.pixels, NOW)
        assert (signed_event.event, signed_event.is_template, signed_event.identity) == (name, True, Identity())


@pytest.mark.parametrize(
    ("cache_control", "life_s"),
    [
        ("public, max-age=60", 60),
        ("max-age=60, s-maxage=600", 600),
        ("s-maxage=600, stale-while-revalidate=3600", 4200),
        ("public", 30 * 86_400),
        ("max-age=99999999999999999", 30 * 86_400),
        ("max-age=999999999999", 31_536_000),
    ],
)
def test_a_template_lives_a_day_longer_than_the_page(cache_control: str, life_s: int) -> None:
    runtime = runtime_of()
    response = Response(runtime, (200, Head("text/html", cache_control=cache_control)))
    [entry] = config_of(page_script(response.output, response.chosen(response.track()), "").data)["s"]
    open_signed_event(entry[3], runtime.signer, runtime.pixels, NOW + life_s + 86_400)
    with pytest.raises(TokenError, match="expired"):
        open_signed_event(entry[3], runtime.signer, runtime.pixels, NOW + life_s + 86_401)


@pytest.mark.parametrize("more", [{"once": "order-1"}, {"event_id": "my-own"}])
def test_what_counts_once_is_no_template(more: dict[str, str]) -> None:
    runtime = runtime_of()
    response = Response(runtime, HTML, shared=True)
    event = response.tracker.track("Purchase", {"value": 1, "currency": "EUR"}, **more)  # type: ignore[arg-type]
    [choice] = response.chosen(event)
    assert (choice.way, choice.has_server) == (Route.SERVER, True)
    assert counts(runtime)["browser_shared"] == 1


@pytest.mark.parametrize("answer", [JSON, REDIRECT])
def test_a_shared_answer_brings_no_event(answer: tuple[int, Head]) -> None:
    response = Response(runtime_of(), answer, shared=True)
    assert [choice.way for choice in response.chosen(response.track())] == [Route.SERVER]


# -- envelopes


def test_who_has_not_chosen_yet_gets_a_page_that_waits() -> None:
    runtime = runtime_of(consent="required")
    response = Response(runtime, HTML, "/p")
    response.tracker.identify(email="bob@example.com")
    event = response.track("Purchase", value=5, currency="EUR", order_id="A-1")
    chosen, headers = response.chosen(event), response.output.headers([])
    assert (chosen[0].way, chosen[0].submission(response.tracker.state), headers) == (Route.SEALED, None, [])
    script = page_script(response.output, chosen, "")
    config = config_of(script.data)
    assert script.is_personal
    assert (config["w"], "h" in config, "e" in config) == (1, False, False)
    [entry] = config["s"]
    assert entry[:3] == ["Purchase", event.properties, event.event_id]
    signed_event = open_signed_event(entry[3], runtime.signer, runtime.pixels, NOW)
    assert (signed_event.once, signed_event.path, signed_event.identity) == (
        True,
        "/p",
        response.tracker.state.identity,
    )
    assert config_of(page_script(Response(runtime, HTML).output, [], "").data)["w"] == 1


def test_who_has_not_chosen_yet_gets_nothing_with_a_redirect() -> None:
    runtime = runtime_of(consent="required")
    response = Response(runtime, REDIRECT)
    assert [choice.way for choice in response.chosen(response.track())] == [Route.NOWHERE]
    assert counts(runtime)["consent_unknown"] == 1


@pytest.mark.parametrize("referrer", ["https://shop.example/caf%C3%A9?a=1#b", ""])
def test_who_has_not_chosen_yet_gets_a_sealed_event_with_an_answer(referrer: str) -> None:
    runtime = runtime_of(consent="required")
    response = Response(runtime, JSON, "/api", {"referer": referrer})
    event = response.track("Lead", value=5, currency="EUR")
    chosen = response.chosen(event)
    assert [(choice.way, choice.submission(response.tracker.state)) for choice in chosen] == [(Route.SEALED, None)]
    assert counts(runtime)["consent_unknown"] == 1
    [(name, value)] = response.output.headers(chosen)
    assert name == "Server-Timing", "no cookie, and no event that a script could take for a copy to fire"
    [[token, event_id]] = json.loads(b64decode(value.removeprefix('tiktok;desc="').removesuffix('"')))
    signed_event = open_signed_event(token, runtime.signer, runtime.pixels, NOW)
    assert event_id == signed_event.event_id == event.event_id
    assert signed_event.properties == event.properties
    assert signed_event.path == ("/caf\u00e9" if referrer else "/api"), "the page that asked"


def test_large_sealed_event_of_an_answer_waits_under_a_reference() -> None:
    response = Response(runtime_of(consent="required"), JSON)
    event = response.track("Lead", contents=[{"content_id": hashlib.sha256(bytes([n])).hexdigest()} for n in range(60)])
    chosen = response.chosen(event)
    [entry] = [choice.submission(response.tracker.state) for choice in chosen]
    assert entry is not None
    assert entry.deferred is not None
    assert response.output.headers(chosen) == [("Server-Timing", f'tiktok;desc="~{entry.deferred.ref}"')]


@pytest.mark.parametrize(
    ("answer", "headers", "options"),
    [
        (JSON, {"cookie": "_tt_consent=d"}, {}),
        (JSON, {"sec-gpc": "1"}, {}),
        (
            JSON,
            {"user-agent": "PaymentProvider/1.0", "sec-fetch-mode": "", "sec-fetch-site": "", "sec-fetch-dest": ""},
            {},
        ),
        (JSON, {}, {"shared": True}),
        (JSON, {"sec-purpose": "prefetch"}, {}),
        (JSON, {"sec-fetch-site": "cross-site", "origin": "https://other.example"}, {}),
        ((200, Head("text/event-stream")), {}, {}),
    ],
    ids=["denied", "gpc", "no browser", "shared", "prefetch", "another site", "event stream"],
)
def test_no_sealed_event_goes_with_an_answer_that_no_page_of_ours_keeps(
    answer: tuple[int, Head], headers: dict[str, str], options: dict[str, Any]
) -> None:
    response = Response(runtime_of(consent="required"), answer, "/", headers, **options)
    chosen = response.chosen(response.track())
    assert [choice.way for choice in chosen] == [Route.NOWHERE]
    assert not [name for name, _ in response.output.headers(chosen) if name == "Server-Timing"]


@pytest.mark.parametrize("headers", [{"cookie": "_tt_consent=d"}, {"sec-gpc": "1"}, {"cookie": "usprivacy=1YYN"}])
@pytest.mark.parametrize("consent", ["implied", "required", "bridge", "klaro:tiktok"])
def test_page_of_a_refusal_has_the_way_back_and_nothing_of_tiktok(consent: str, headers: dict[str, str]) -> None:
    denied = Response(runtime_of(consent=consent), HTML, "/", headers)
    assert [choice.way for choice in denied.chosen(denied.track())] == [Route.NOWHERE]
    script = page_script(denied.output, [], "abc")
    assert script.is_personal
    assert b'<script nonce="abc">' in script.data
    assert b"grantConsent" in script.data
    for word in (PIXEL, "ttq", "analytics", "events.js", "ViewContent"):
        assert word.encode() not in script.data.replace(b"tiktok", b"")


def test_a_page_that_nobody_sees_yet_is_confirmed_by_who_does() -> None:
    runtime = runtime_of()
    response = Response(runtime, HTML, "/", {"sec-purpose": "prefetch;prerender"})
    events = [response.track(), response.track("Purchase", value=5, currency="EUR", order_id="A-1")]
    chosen = response.chosen(*events)
    assert [choice.way for choice in chosen] == [Route.SEALED] * 2
    config = config_of(page_script(response.output, chosen, "").data)
    assert [entry[2] for entry in config["s"]] == [event.event_id for event in events]
    assert "w" not in config


def test_a_page_view_is_confirmed_where_it_is_to_match() -> None:
    runtime = runtime_of(page_view="matched")
    config = config_of(page_script(Response(runtime).output, [], "").data)
    [[name, properties, event_id, token]] = config["s"]
    assert (name, properties, "v" in config) == ("Pageview", {}, False)
    assert open_signed_event(token, runtime.signer, runtime.pixels, NOW).event_id == event_id
    framed = Response(runtime, HTML, "/", {"sec-fetch-dest": "iframe"})
    assert "s" not in config_of(page_script(framed.output, [], "").data)


def test_a_page_may_report_where_it_may_send_events_by_itself() -> None:
    assert (
        config_of(page_script(Response(runtime_of(browser_events="Search")).output, [], "").data)["n"]
        == "/_tiktok/collect"
    )
    assert "n" not in config_of(page_script(Response(runtime_of()).output, [], "").data)


@pytest.mark.parametrize(("gpc", "gate"), [("deny", 1), ("ignore", 2), ("limit", 3)])
def test_what_a_privacy_signal_means_is_told_to_the_page(gpc: str, gate: int) -> None:
    assert config_of(page_script(Response(runtime_of(gpc=gpc), HTML, shared=True).output, [], "").data)["g"] == gate


# -- a bank's return

RETURN = {"sec-fetch-site": "cross-site", "cookie": "", "origin": "https://bank.example"}


def from_bank(runtime: Runtime, answer: tuple[int, Head] = REDIRECT, **headers: str) -> Response:
    """A POST that another site has sent, to which browsers add no cookies."""
    response = Response(runtime, answer, "/return", {**RETURN, **headers}, method="POST")
    response.tracker.state.doubt_consent("cookies_absent")
    return response


def purchase(response: Response, **more: Any) -> tuple[Event, list[RoutedEvent]]:
    event = response.track("Purchase", value=5, currency="EUR", order_id="A-1", **more)
    return event, response.chosen(event)


def sealed_cookie(runtime: Runtime, **more: Any) -> tuple[Event, dict[str, str]]:
    response = from_bank(runtime)
    response.tracker.identify(email="bob@example.com")
    event, chosen = purchase(response, **more)
    headers = response.output.headers(chosen)
    assert size(headers) <= ADDED_LIMIT_BYTES
    return event, cookies(headers)


def test_the_event_of_a_return_waits_for_the_page_that_follows() -> None:
    runtime = runtime_of()
    event, jar = sealed_cookie(runtime)
    assert set(jar) == {SEALED}
    page = Response(runtime, HTML, "/thanks", {"cookie": f"{SEALED}={jar[SEALED]}; _ttp={GOOD_TTP}"})
    [choice] = page.output.opened()
    assert page.output.opened() == []
    assert (choice.way, choice.event.event_id, choice.event.once) == (Route.DIRECT, event.event_id, True)
    submission = choice.submission(page.tracker.state)
    assert submission is not None
    item = json.loads(submission.records[0].body)
    assert (item["user"]["ttp"], "email" in item["user"]) == (GOOD_TTP, True)
    assert item["page"]["url"] == "https://shop.example/thanks"  # where the browser's copy fires
    assert (submission.once, submission.passing, submission.browser) == (True, False, True)
    assert ("Set-Cookie", f"{SEALED}=; Max-Age=0; Path=/; SameSite=Lax") in page.output.headers([])
    assert config_of(page_script(page.output, [choice], "").data)["e"] == [
        ["Purchase", event.properties, event.event_id]
    ]


@pytest.mark.parametrize(
    ("options", "cookie", "reason"), [({}, "_tt_consent=d", "denied"), ({"consent": "required"}, "a=b", "unknown")]
)
def test_the_page_that_follows_says_whether_it_may_be_sent(options: dict[str, Any], cookie: str, reason: str) -> None:
    runtime = runtime_of(**options)
    event, jar = sealed_cookie(runtime)
    page = Response(runtime, HTML, "/thanks", {"cookie": f"{SEALED}={jar[SEALED]}; {cookie}"})
    assert page.output.opened() == []
    if reason == "denied":
        assert page_script(page.output, [], "").data == runtime.snippet.refused("")
        assert cookies(page.output.headers([]))[SEALED] == ""
    else:
        config = config_of(page_script(page.output, [], "").data)
        assert (config["w"], config["s"][0][2]) == (1, event.event_id)


def test_a_refusal_that_needs_no_cookie_counts_at_once() -> None:
    runtime = runtime_of()
    response = from_bank(runtime, REDIRECT, **{"sec-gpc": "1"})
    assert [choice.way for choice in purchase(response)[1]] == [Route.NOWHERE]


def test_a_return_without_a_redirect_asks_the_endpoint() -> None:
    response = from_bank(runtime_of(), HTML)
    event, chosen = purchase(response)
    config = config_of(page_script(response.output, chosen, "").data)
    assert (config["w"], config["h"], config["s"][0][2]) == (1, 1, event.event_id)
    assert response.output.headers(chosen) == []


def test_only_the_next_page_opens_what_was_sealed() -> None:
    runtime = runtime_of()
    cookie = {"cookie": f"{SEALED}={sealed_cookie(runtime)[1][SEALED]}"}
    for answer, more in ((REDIRECT, {}), (JSON, {}), (HTML, {"sec-purpose": "prefetch"})):
        response = Response(runtime, answer, "/", {**cookie, **more})
        assert (response.output.opened(), response.output.headers([])) == ([], [])
    shared = Response(runtime, HTML, "/", cookie, shared=True)
    assert shared.output.opened() == []


def test_a_forged_or_old_signed_event_is_counted_and_ignored() -> None:
    runtime = runtime_of()
    page = Response(runtime, HTML, "/", {"cookie": f"{SEALED}=forged"})
    assert page.output.opened() == []
    assert counts(runtime) == {"carry_forged": 1}


# -- what does not fit


def noise(count: int) -> str:
    return "".join(chr(0x4E00 + (n * 7919) % 20000) for n in range(count))


def test_a_copy_too_large_for_a_cookie_waits_under_a_reference() -> None:
    runtime = runtime_of()
    response = Response(runtime, REDIRECT)
    event = response.track("Purchase", description=noise(600))
    [choice] = response.chosen(event)
    assert choice.deferred is not None
    assert json.loads(choice.deferred.body) == ["Purchase", event.properties, event.event_id]
    submission = choice.submission(response.tracker.state)
    assert submission is not None
    assert (submission.browser, submission.deferred) == (True, choice.deferred)
    jar = cookies(response.output.headers([choice]))
    page = Response(runtime, HTML, "/", {"cookie": carrying(jar)})
    config = config_of(page_script(page.output, [], "").data)
    assert (config["x"], config["k"]) == ([choice.deferred.ref], [name for name in jar if name.startswith(CARRY)])


@pytest.mark.parametrize("is_sealed", [False, True])
def test_no_carry_cookie_is_above_its_limit(is_sealed: bool) -> None:
    runtime = runtime_of()
    lengths = set()
    for count in range(150, 290, 2):
        response = from_bank(runtime) if is_sealed else Response(runtime, REDIRECT)
        chosen = response.chosen(response.track("Purchase", description=noise(count), value=1, currency="EUR"))
        [(name, value)] = cookies(response.output.headers(chosen)).items()
        assert len(f"{name}={value}") <= COOKIE_LIMIT_CHARS
        lengths.add(chosen[0].deferred is None)
    assert lengths == {True, False}


def test_a_copy_too_large_for_an_answer_is_announced_by_its_reference() -> None:
    response = Response(runtime_of(), JSON)
    [choice] = response.chosen(response.track("Purchase", description=noise(600)))
    assert choice.deferred is not None
    assert response.output.headers([choice]) == [("Server-Timing", f'tiktok;desc="~{choice.deferred.ref}"')]


def test_an_signed_event_too_large_for_a_cookie_waits_under_a_reference() -> None:
    runtime = runtime_of()
    response = from_bank(runtime)
    event, [choice] = purchase(response, description=noise(600))
    assert choice.deferred is not None
    submission = choice.submission(response.tracker.state)
    assert submission is not None
    assert (submission.records, submission.browser, submission.once) == ((), True, False)
    assert (
        open_signed_event(json.loads(choice.deferred.body), runtime.signer, runtime.pixels, NOW).event_id
        == event.event_id
    )
    jar = cookies(response.output.headers([choice]))
    page = Response(runtime, HTML, "/", {"cookie": f"{SEALED}={jar[SEALED]}"})
    assert page.output.opened() == []
    assert config_of(page_script(page.output, [], "").data)["x"] == [choice.deferred.ref]
    assert cookies(page.output.headers([]))[SEALED] == ""


def test_a_script_says_whether_it_is_for_one_visitor_alone() -> None:
    response = Response(runtime_of())
    assert page_script(response.output, [], "").is_personal is False
    assert page_script(response.output, response.chosen(response.track()), "").is_personal is True
    response.tracker.identify(email="bob@example.com")
    script = page_script(response.output, [], "")
    assert script.is_personal is True
    assert b"sha256_email" in script.data
    assert b"bob" not in script.data


def test_a_matched_page_view_replaces_the_pixels_own() -> None:
    response = Response(runtime_of())
    event = response.tracker.page(description="home")
    data = page_script(response.output, response.chosen(event), "").data
    assert b'"Pageview"' in data
    assert b'"v":1' not in data
    assert b'"v":1' in page_script(Response(runtime_of()).output, [], "").data
    assert b'"v":1' not in page_script(Response(runtime_of(page_view="off")).output, [], "").data


# -- cookies


def test_the_visitors_ids_are_kept_for_the_whole_domain() -> None:
    response = Response(runtime_of(domain="shop.example"), HTML, "/?ttclid=E.C.P.x", {"cookie": f"_ttp={GOOD_TTP}"})
    assert response.handed()[1] == [
        ("Set-Cookie", "ttclid=E.C.P.x; Max-Age=2592000; Path=/; Domain=shop.example; Secure; SameSite=Lax"),
        ("Set-Cookie", f"_ttp={GOOD_TTP}; Max-Age=34190000; Path=/; Domain=shop.example; Secure; SameSite=Lax"),
        ("Set-Cookie", "_tt_fresh=cp; Max-Age=86400; Path=/; Secure; SameSite=Lax"),
    ]


@pytest.mark.parametrize("answer", [HTML, REDIRECT])
def test_ids_that_are_fresh_are_not_set_again(answer: tuple[int, Head]) -> None:
    headers = {"cookie": f"ttclid=a; _ttp={GOOD_TTP}; _tt_fresh=cp"}
    assert Response(runtime_of(), answer, "/", headers).handed()[1] == []


@pytest.mark.parametrize(
    ("setting", "cookie", "written"),
    [
        ("off", f"_ttp={GOOD_TTP}", {"_tt_fresh"}),
        ("off", f"_ttp={GOOD_TTP}; _tt_fresh=p", set()),
        ("refresh", "", set()),
        ("refresh", f"_ttp={GOOD_TTP}", {"_ttp", "_tt_fresh"}),
        ("mint", "", {"_ttp", "_tt_fresh"}),
        ("mint", f"_ttp={GOOD_TTP}; _tt_fresh=p", set()),
    ],
)
def test_ttp_is_treated_as_configured(setting: str, cookie: str, written: set[str]) -> None:
    response = Response(runtime_of(ttp=setting), HTML, "/", {"cookie": cookie})
    assert set(cookies(response.handed()[1])) == written


def test_a_minted_ttp_is_of_the_form_that_is_read_back_and_fresh_for_a_day() -> None:
    runtime = runtime_of(ttp="mint")
    jar = cookies(Response(runtime, HTML, "/", {"cookie": "ttclid=a; _tt_fresh=c"}).handed()[1])
    assert len(jar["_ttp"]) == 27
    assert jar["_tt_fresh"] == "cp"
    again = Response(runtime, HTML, "/", {"cookie": f"ttclid=a; _ttp={jar['_ttp']}; _tt_fresh=cp"})
    assert again.handed()[1] == []
    assert again.tracker.visitor.ttp == jar["_ttp"]


def test_who_did_not_agree_gets_no_cookie() -> None:
    response = Response(runtime_of(consent="required"), HTML, f"/?ttclid={CLICK}", {"cookie": f"_ttp={GOOD_TTP}"})
    assert response.handed()[1] == []


def test_who_refuses_loses_our_cookies_and_keeps_the_refusal() -> None:
    jar = {"ttclid": "a", "_ttp": GOOD_TTP, "_tt_fresh": "cp", CARRY: "x", "theirs": "1"}
    headers = {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
    response = Response(runtime_of(domain="shop.example"), JSON, "/", headers)
    response.tracker.revoke_consent()
    found = response.handed()[1]
    assert cookies(found) == {"_tt_consent": "d", "ttclid": "", "_ttp": "", "_tt_fresh": "", CARRY: ""}
    gone = [value for name, value in found if "Max-Age=0" in value]
    assert sum("ttclid=" in value for value in gone) == 2  # the domain's and the host's own
    assert all("theirs" not in value for value in gone)


# -- events over a redirect


def test_an_event_goes_over_a_redirect() -> None:
    response = Response(runtime_of(), REDIRECT)
    event = response.track("Purchase", value=5, currency="EUR")
    chosen, headers = response.handed(event)
    assert chosen == [True]
    assert response.carried(headers) == [("Purchase", event.properties, event.event_id)]
    assert len(carrying(cookies(headers))) <= COOKIE_LIMIT_CHARS


def test_several_redirects_carry_all_their_events() -> None:
    runtime = runtime_of()
    first = Response(runtime, REDIRECT)
    jar = cookies(first.handed(first.tracker.track("AddToCart", event_id="the-first"))[1])
    second = Response(runtime, REDIRECT, "/", {"cookie": carrying(jar)})
    jar |= cookies(second.handed(second.tracker.track("InitiateCheckout", event_id="the-second"))[1])
    page = Response(runtime, HTML, "/", {"cookie": carrying(jar)})
    config = config_of(page_script(page.output, [], "").data)
    assert [copy[0] for copy in config["e"]] == ["AddToCart", "InitiateCheckout"]
    assert config["k"] == [name for name in jar if name.startswith(CARRY)]


def test_redirects_side_by_side_carry_all_their_events() -> None:
    runtime = runtime_of()
    jar: dict[str, str] = {}
    for name in ("AddToCart", "Contact"):
        response = Response(runtime, REDIRECT)  # neither knows of the other
        jar |= cookies(response.handed(response.tracker.track(name, event_id=f"id-of-{name}"))[1])
    config = config_of(page_script(Response(runtime, HTML, "/", {"cookie": carrying(jar)}).output, [], "").data)
    assert [copy[0] for copy in config["e"]] == ["AddToCart", "Contact"]
    assert len(config["k"]) == 2


def test_all_that_waits_in_cookies_is_bounded_together() -> None:
    numbers = itertools.count(1)
    runtime = dataclasses.replace(runtime_of(), random_bytes=lambda count: next(numbers).to_bytes(count, "big"))
    jar: dict[str, str] = {}
    for _ in range(15):
        response = Response(runtime, REDIRECT, "/", {"cookie": carrying(jar)})
        jar |= cookies(response.output.headers(response.chosen(response.track("Lead", description=noise(60)))))
    assert 2 < len(jar) < 15
    assert len(carrying(jar).replace("; ", "")) <= COOKIE_LIMIT_CHARS
    assert counts(runtime)["browser_no_header_room"] == 15 - len(jar)


def test_a_redirect_without_events_leaves_the_carry_cookie_alone() -> None:
    runtime = runtime_of()
    token = write_carry([("Contact", {}, "id")], runtime.signer)
    assert Response(runtime, REDIRECT, "/", {"cookie": f"{CARRY}={token}"}).handed()[1] == []


def test_what_does_not_fit_goes_by_the_server_alone_and_the_next_may_fit() -> None:
    runtime = runtime_of()
    response = Response(runtime, REDIRECT)
    huge, small = response.track("Purchase", description=noise(600)), response.track("Contact")
    chosen, headers = response.handed(huge, small)
    assert chosen == [False, True]
    assert [copy[0] for copy in response.carried(headers)] == ["Contact"]


def test_a_long_click_id_outranks_an_event_that_would_not_fit_beside_it() -> None:
    runtime = runtime_of(domain="shop.example")
    response = Response(runtime, REDIRECT, f"/?ttclid={CLICK}", {"cookie": f"_ttp={GOOD_TTP}"})
    chosen, headers = response.handed(response.track("Purchase", description=noise(80)))
    assert chosen == [False]
    assert set(cookies(headers)) >= {"ttclid", "_ttp", "_tt_fresh"}


def test_ids_that_do_not_fit_are_not_called_fresh() -> None:
    domain = ".".join(["a" * 60] * 4)
    ttp = "p" * 128
    response = Response(runtime_of(domain=domain), HTML, f"/?ttclid={CLICK}", {"cookie": f"_ttp={ttp}"})
    found = set(cookies(response.handed()[1]))
    assert "ttclid" in found
    assert "_tt_fresh" not in found or found >= {"ttclid", "_ttp"}


@pytest.mark.parametrize(("token", "reason"), [("garbage", "forged"), ("", "")])
def test_a_forged_carry_cookie_is_ignored_and_counted(token: str, reason: str) -> None:
    runtime = runtime_of()
    response = Response(runtime, HTML, "/", {"cookie": f"{CARRY}={token}"})
    assert page_script(response.output, [], "").is_personal is False
    assert counts(runtime) == ({f"carry_{reason}": 1} if reason else {})


def test_who_only_looks_ahead_takes_no_carried_event_and_leaves_none() -> None:
    runtime = runtime_of()
    token = write_carry([("Contact", {}, "id")], runtime.signer)
    ahead = {"cookie": f"{CARRY}={token}", "sec-purpose": "prefetch"}
    page = Response(runtime, HTML, "/", ahead)
    assert b"Contact" not in page_script(page.output, [], "").data
    redirect = Response(runtime, REDIRECT, "/", ahead)
    assert redirect.handed(redirect.track("Purchase"))[0] == [False]
    assert counts(runtime)["browser_prefetch"] == 1


# -- events with an answer


def test_an_event_goes_with_an_answer() -> None:
    response = Response(runtime_of(), JSON)
    event = response.track("AddToCart", value=5, currency="EUR")
    chosen, headers = response.handed(event)
    assert chosen == [True]
    assert [name for name, _ in headers] == ["TikTok-Events", "Server-Timing"]
    assert event.event_id in headers[0][1]


@pytest.mark.parametrize(
    ("options", "headers", "flag"),
    [
        ({}, {}, None),  # every page says the same, and its pixel with it
        ({"limited_data_use": True}, {}, None),
        ({"gpc": "limit"}, {}, False),
        ({"gpc": "limit"}, {"sec-gpc": "1"}, True),  # switched on after the page has loaded
    ],
)
def test_what_travels_says_itself_whether_its_use_is_limited_where_visitors_differ(
    options: dict[str, Any], headers: dict[str, str], flag: bool | None
) -> None:
    runtime = runtime_of(**options)
    for answer in (JSON, REDIRECT):
        response = Response(runtime, answer, "/", headers)
        event = response.track("AddToCart", value=5, currency="EUR")
        sent = response.handed(event)[1]
        (copy,) = json.loads(dict(sent)["TikTok-Events"]) if answer is JSON else response.carried(sent)
        assert copy[1].get("limited_data_use") is flag
        (record,) = make_entry(event, response.tracker.state, browser=True, server=True).records
        server = json.loads(record.body)
        assert server["limited_data_use"] is (bool(options.get("limited_data_use")) if flag is None else flag)
        assert "limited_data_use" not in {*server["properties"], *event.properties}


def test_an_answer_keeps_within_its_budget() -> None:
    runtime = runtime_of()
    response = Response(runtime, JSON)
    events = [response.track("AddToCart", description="x" * 90) for _ in range(20)]
    chosen, headers = response.handed(*events)
    assert 1 <= sum(chosen) < 20
    assert size(headers) <= ADDED_LIMIT_BYTES
    references = dict(headers)["Server-Timing"].count('"~')
    assert counts(runtime)["browser_no_header_room"] == 20 - sum(chosen) - references


def test_a_refusal_of_the_browser_channel_is_counted_by_its_reason() -> None:
    runtime = runtime_of(snippet="off")
    response = Response(runtime, JSON)
    assert response.handed(response.track())[0] == [False]
    assert counts(runtime)["browser_snippet_off"] == 1
    untouchable = Response(runtime, (200, Head("text/event-stream")))
    assert untouchable.handed(untouchable.track())[0] == [False]
    assert counts(runtime)["browser_event_stream"] == 1


@pytest.mark.parametrize(
    ("referrer", "answer", "is_counted"),
    [
        ("https://shop.example/worker.js", JSON, True),
        ("https://shop.example/workers/cart.mjs?v=2", JSON, True),
        ("https://shop.example/cart", JSON, False),
        ("https://shop.example/docs.js.html", JSON, False),
        ("", JSON, False),
        ("https://shop.example/worker.js", HTML, False),
    ],
)
def test_answer_to_a_worker_is_counted_as_unheard_and_still_brings_its_event(
    referrer: str, answer: tuple[int, Head], *, is_counted: bool
) -> None:
    runtime = runtime_of()
    response = Response(runtime, answer, "/api", {"referer": referrer})
    assert response.choose(response.track()) == [True]
    assert counts(runtime).get("browser_answer_unheard", 0) == is_counted


# -- an API on another host


@pytest.mark.parametrize(
    ("origin", "allowed", "is_heard"),
    [
        ("https://shop.example", "https://shop.example", True),
        ("https://www.shop.example", "https://www.shop.example", True),
        ("https://shop.example:8443", "*", True),
        ("https://shop.example", "https://other.example", False),
        ("https://shop.example", "", False),
        ("https://other.example", "https://other.example", False),  # its helper does not believe us
        ("http://shop.example", "http://shop.example", False),
        ("null", "*", False),
        ("", "*", False),
    ],
)
def test_a_page_of_another_origin_hears_of_an_event_where_the_app_lets_it(
    origin: str, allowed: str, is_heard: bool
) -> None:
    runtime = runtime_of()
    head = Head("application/json", access_control_allow_origin=allowed)
    headers = {
        **FETCH,
        "sec-fetch-site": "same-site",
        "host": "api.shop.example",
        **({"origin": origin} if origin else {}),
    }
    response = Response(runtime, (200, head), "/", headers)
    [choice] = response.chosen(response.track("AddToCart"))
    assert choice.way is (Route.DIRECT if is_heard else Route.SERVER)
    added = response.output.headers([choice])
    assert [name for name, _ in added] == (
        ["TikTok-Events", "Server-Timing", "Access-Control-Expose-Headers", "Timing-Allow-Origin"] if is_heard else []
    )
    if is_heard:
        assert added[-2:] == [("Access-Control-Expose-Headers", "TikTok-Events"), ("Timing-Allow-Origin", origin)]
        assert response.output.headers([]) == []
    else:
        assert counts(runtime)["browser_other_origin"] == 1
