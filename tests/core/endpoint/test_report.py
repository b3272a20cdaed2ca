"""A page's report: who may send one, what leave it gets, which of its events count, and what garbage gets."""

from __future__ import annotations

import json
from hashlib import sha512
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import DOORS, FETCH, GOOD_TTP, NOW, Clock, MakeRequest, counts, runtime_of, scope_request
from tests.core.endpoint.report_world import MINTED, PAGE, SAME, answered, cookies, heard, items, report, token_of
from tests.timing import least_s
from tiktok_middleware._log import NoticeLog
from tiktok_middleware.core.endpoint.report import MAX_BODY_BYTES, Report, refusal
from tiktok_middleware.core.events.event import Claim
from tiktok_middleware.core.events.ids import timed_event_id
from tiktok_middleware.core.http.own_response import Answer
from tiktok_middleware.core.pixel.redirect_cookie import read_carry, write_carry
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.visitor.user_data import Identity
from tiktok_middleware.errors import ConfigError

ID = "0199b8a3c000000102030405060708090a"


# -- who may report


@pytest.mark.parametrize("make", DOORS)
@pytest.mark.parametrize(
    ("headers", "is_ours"),
    [
        ({"sec-fetch-site": "same-origin"}, True),
        ({"sec-fetch-site": "same-origin", "origin": "https://other.example"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site", "origin": "https://shop.example"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "https://shop.example"}, True),
        ({"origin": "http://SHOP.example"}, True),  # a proxy that ends TLS may not tell
        ({"origin": "https://shop.example", "host": "shop.example:443"}, True),  # nor a browser its scheme's own port
        ({"origin": "https://shop.example:443", "host": "shop.example:8443"}, False),
        ({"origin": "https://shop.example:8443"}, False),
        ({"origin": "https://shop.example.evil.example"}, False),
        ({"origin": "null"}, False),
        ({"origin": "https://[::1"}, False),
        ({"origin": ""}, False),
        ({}, False),
    ],
)
def test_only_a_page_of_our_own_origin_reports(make: MakeRequest, headers: dict[str, str], is_ours: bool) -> None:
    runtime = runtime_of()
    refused = refusal(make("/_tiktok/collect", headers, method="POST"), runtime)
    assert (refused is None) is is_ours
    if refused is not None:
        assert refused.status == 403
        assert counts(runtime) == {"collect_origin": 1}


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
def test_a_report_is_posted(method: str) -> None:
    refused = refusal(scope_request("/_tiktok/collect", SAME, method=method), runtime_of())
    assert refused is not None
    assert (refused.status, dict(refused.headers)["Allow"]) == (405, "POST")
    assert bool(refused.body) is (method != "HEAD"), "what nobody reads would be the next answer's beginning"


# -- what leave it gets


@pytest.mark.parametrize(
    ("word", "code", "names"),
    [
        ("found ", "other_base_code", "Remove the other one"),
        ("found GoogleTagManagerClient", "other_base_code", "the TikTok tag in Google Tag Manager"),
        ("found WooCommerce", "other_base_code", "WooCommerce"),
        ("found Some-Plugin.2", "other_base_code", "comes from Some-Plugin.2."),
        ("late ", "other_base_code_late", "TIKTOK_SNIPPET=adopt"),
        ("broken function", "ttq_is_no_queue", "The type of window.ttq in pages is function."),
        ("replaced array", "ttq_replaced", "The type of window.ttq in pages is array."),
        ("gateway events.shop.example", "events_api_gateway", "the host events.shop.example."),
        ("found a\nb <script>", "other_base_code", "Remove the other one"),
        ("other x", "", ""),
        ("", "", ""),
    ],
)
def test_neighbour_of_our_script_is_counted_and_logged_once(
    caplog: pytest.LogCaptureFixture, word: str, code: str, names: str
) -> None:
    notices = NoticeLog()
    runtime = runtime_of(notices=notices)
    for _ in range(2):
        report(runtime, {"u": PAGE, "r": "", "o": word})
    counted = {
        name: count for name, count in counts(runtime).items() if "base_code" in name or "ttq" in name or "gate" in name
    }
    assert counted == ({code: 2} if code else {})
    lines = [line.getMessage() for line in caplog.records if line.levelname == "WARNING"]
    is_named = bool(word.rsplit(" ", maxsplit=1)[-1]) and "<" not in word
    assert len(lines) == (1 + is_named if code else 0)
    assert names in "".join(lines)
    assert "script>" not in "".join(lines)


@pytest.mark.parametrize(("told", "counted"), [({"n": 1}, 1), ({"n": 0}, 0), ({}, 0)])
def test_unheard_answer_is_counted_under_its_reason(told: dict[str, int], counted: int) -> None:
    runtime = runtime_of()
    report(runtime, {"u": PAGE, "r": "", **told})
    assert counts(runtime).get("browser_answer_unheard", 0) == counted


@pytest.mark.parametrize("make", DOORS)
def test_an_empty_hello_is_answered_with_leave(make: MakeRequest) -> None:
    answer = report(runtime_of(), {"u": PAGE, "r": ""}, make=make).answer([])
    assert (answer.status, answer.body) == (200, b'{"load":true}')
    assert dict(answer.headers) == {
        "Content-Type": "application/json",
        "Content-Length": "13",
        "Cache-Control": "no-store",
        "X-Content-Type-Options": "nosniff",
    }


@pytest.mark.parametrize(
    ("options", "headers", "said", "loads"),
    [
        ({}, {}, {}, True),
        ({}, {"sec-gpc": "1"}, {}, False),
        ({}, {"cookie": "_tt_consent=d"}, {}, False),
        ({}, {"cookie": "usprivacy=1YYN"}, {}, False),
        ({}, {}, {"w": "d"}, False),
        ({}, {"cookie": "_tt_consent=d"}, {"w": "g"}, True),
        ({}, {"sec-gpc": "1"}, {"w": "g"}, False),
        ({"consent": "required"}, {}, {}, False),
        ({"consent": "required"}, {}, {"w": "g"}, True),
        ({"consent": "required"}, {}, {"b": "g"}, False),
        ({"consent": "required"}, {"cookie": "_tt_consent=g"}, {}, True),
        ({"consent": "required"}, {"cookie": "_tt_consent=g"}, {"w": "d"}, False),
        ({"consent": "bridge"}, {}, {}, False),
        ({"consent": "bridge"}, {}, {"b": "g"}, True),
        ({"consent": "bridge"}, {"cookie": "_tt_consent=g"}, {"b": "d"}, False),
        ({"consent": "bridge"}, {"cookie": "_tt_consent=d"}, {"b": "g"}, True),
        ({"consent": "cookie:c=yes"}, {"cookie": "c=no"}, {"w": "g"}, False),
        ({"consent": "cookie:c=yes"}, {"cookie": "c=yes"}, {}, True),
        ({}, {}, {"u": "https://shop.example/thanks?email=bob@example.com"}, False),
        ({"exclude": "/admin/*"}, {}, {"u": "https://shop.example/admin/x"}, False),
        ({"snippet": "off"}, {}, {}, False),
    ],
)
def test_leave_is_given_by_the_same_readers_as_for_a_page(
    options: dict[str, Any], headers: dict[str, str], said: dict[str, Any], loads: bool
) -> None:
    assert answered(report(runtime_of(**options), said, headers))["load"] is loads


def test_limited_data_use_is_told() -> None:
    assert answered(report(runtime_of(gpc="limit"), {}, {"sec-gpc": "1"})) == {"load": True, "ldu": True}
    assert answered(report(runtime_of(limited_data_use=True), {}))["ldu"] is True


# -- which cookies it sets


def test_consent_on_the_page_after_the_landing_keeps_the_click() -> None:
    """The landing page set no cookie, since nobody had agreed."""
    runtime = runtime_of(consent="required")
    said = {"u": PAGE, "r": "https://shop.example/?ttclid=E.C.P.before", "w": "g", "c": [[token_of(runtime), MINTED]]}
    outcome = report(runtime, said)
    assert cookies(outcome)["ttclid"].startswith("E.C.P.before; ")
    (entry,) = outcome.submissions
    assert msgspec.json.decode(entry.records[0].body)["user"]["ttclid"] == "E.C.P.before"


@pytest.mark.parametrize("referrer", ["https://ads.example/?ttclid=E.C.P.theirs", "https://shop.example/?ttclid=null"])
def test_no_other_click_counts_on_the_page_after_the_landing(referrer: str) -> None:
    runtime = runtime_of(consent="required")
    assert "ttclid" not in cookies(report(runtime, {"u": PAGE, "r": referrer, "w": "g"}))


def test_the_click_of_the_landing_is_kept() -> None:
    found = cookies(
        report(runtime_of(), {"u": "https://shop.example/?ttclid=E.C.P.new"}, {"cookie": "ttclid=E.C.P.old"})
    )
    assert found["ttclid"].startswith("E.C.P.new; ")
    assert found["_tt_fresh"].startswith("c; ")


def test_the_browsers_id_is_kept_alive_once_a_day() -> None:
    assert "_ttp" in cookies(report(runtime_of(), {}, {"cookie": f"_ttp={GOOD_TTP}"}))
    assert cookies(report(runtime_of(), {}, {"cookie": f"_ttp={GOOD_TTP}; _tt_fresh=p"})) == {}


@pytest.mark.parametrize("word", ["w", "b"])
def test_the_word_is_remembered(word: str) -> None:
    runtime = runtime_of(consent="bridge")
    assert cookies(report(runtime, {word: "g"}))["_tt_consent"].startswith("g; ")
    refused = cookies(report(runtime, {word: "d"}, {"cookie": f"_ttp={GOOD_TTP}; ttclid=E.C.P.x; _tt_consent=g"}))
    assert refused["_tt_consent"].startswith("d; ")
    assert refused["_ttp"].startswith("; Max-Age=0")
    assert refused["ttclid"].startswith("; Max-Age=0")


def test_a_yes_that_a_refusal_outranks_is_not_remembered() -> None:
    assert cookies(report(runtime_of(), {"w": "g"}, {"sec-gpc": "1"})) == {}
    assert cookies(report(runtime_of(consent="required"), {"b": "g"})) == {}


def test_without_leave_no_cookie_is_set() -> None:
    assert cookies(report(runtime_of(consent="required"), {"u": "https://shop.example/?ttclid=E.C.P.x"})) == {}


# -- events of a page that may be left before the answer


def sealed(runtime: Runtime, number: int, **properties: Any) -> tuple[str, str]:
    """A signed event, and its id."""
    event_id = f"{ID[:-2]}{number:02d}"
    return token_of(runtime, event_id=event_id, properties={"value": 5, **properties}), event_id


def test_copies_that_wait_for_the_answer_also_travel_in_a_redirect_cookie() -> None:
    runtime = runtime_of(consent="required")
    said = {"u": "https://shop.example/p", "w": "g", "p": True, "c": [sealed(runtime, 1), sealed(runtime, 2)]}
    found = report(runtime, said)
    [name] = [name for name in cookies(found) if name.startswith("_tt_carry.k")]
    assert answered(found) == {"load": True, "k": [name]}
    next_page = scope_request("/", {"cookie": f"{name}={cookies(found)[name].partition(';')[0]}"})
    copies = [("ViewContent", {"value": 5}, f"{ID[:-2]}{number:02d}") for number in (1, 2)]
    assert read_carry(next_page, runtime.signer).copies == copies


@pytest.mark.parametrize(
    ("said", "headers", "is_new"),
    [
        ({"p": False, "w": "g"}, {}, True),  # the page has fired them already
        ({"p": True}, {}, True),  # no consent
        ({"p": True, "w": "d"}, {}, True),
        ({"p": True, "w": "g"}, {"sec-gpc": "1"}, True),
        ({"p": True, "w": "g"}, {}, False),  # another tab has fired them
    ],
)
def test_no_copies_travel(said: dict[str, Any], headers: dict[str, str], is_new: bool) -> None:
    runtime = runtime_of(consent="required")
    found = report(runtime, {"u": "https://shop.example/p", "c": [sealed(runtime, 1)], **said}, headers)
    answer = found.answer([Claim(is_new, is_new) for _ in found.submissions])
    assert "k" not in msgspec.json.decode(answer.body)
    assert not any("_tt_carry" in value for name, value in answer.headers if name == "Set-Cookie")


def test_copies_that_do_not_fit_are_left_out_from_the_end() -> None:
    runtime = runtime_of(consent="required")
    events = [sealed(runtime, number, description=sha512(bytes([number])).hexdigest()) for number in range(9)]
    found = report(runtime, {"u": "https://shop.example/p", "w": "g", "p": True, "c": events})
    [name] = answered(found)["k"]
    value = cookies(found)[name].partition(";")[0]
    assert len(name) + 1 + len(value) <= 1024
    copies = read_carry(scope_request("/", {"cookie": f"{name}={value}"}), runtime.signer).copies
    assert [event_id for _, _, event_id in copies] == [event_id for _, event_id in events[: len(copies)]]
    assert 0 < len(copies) < 9


@pytest.mark.parametrize(
    ("said", "references", "is_carried"),
    [({"h": 1}, [], True), ({}, [], False), ({"h": 1, "w": "d"}, [], False), ({"h": 1}, ["a-reference"], False)],
)
def test_page_asks_for_events_of_a_redirect_cookie(
    said: dict[str, Any], references: list[str], is_carried: bool
) -> None:
    runtime = runtime_of()
    copy = ("AddToCart", {"value": 9}, ID)
    value = write_carry([copy], runtime.signer, references)
    answer = answered(report(runtime, {"u": PAGE, **said}, {"cookie": f"_tt_carry.1={value}"}))
    assert (answer.get("e"), answer.get("k")) == (([list(copy)], ["_tt_carry.1"]) if is_carried else (None, None))


@pytest.mark.parametrize(
    ("said", "loads"),
    [
        ({"u": PAGE, "r": "https://ad.example/?q=shoes"}, True),
        ({"u": "https://shop.example/?utm_campaign=TK+-+2026-11-30"}, True),
        ({"u": "https://shop.example/?e=Ym9iQGV4YW1wbGUuY29t"}, False),
        ({"u": "https://shop.example/#/confirm?email=bob@example.com"}, False),
        ({"u": PAGE, "r": "https://shop.example/reset?email=bob@example.com"}, False),
        ({"u": PAGE, "r": "https://mail.example/u/bob%2540example.com"}, False),
    ],
)
def test_pixel_loads_only_where_address_and_referrer_hold_no_identity(said: dict[str, str], loads: bool) -> None:
    assert answered(report(runtime_of(), said)) == ({"load": True} if loads else {"load": False, "told": True})
    refused = report(runtime_of(), said, {"cookie": "_tt_consent=d"})
    assert answered(refused)["load"] is False
    assert "told" not in answered(refused)


# -- which events count


def test_a_template_is_confirmed_under_the_browsers_id_with_this_visitor() -> None:
    runtime = runtime_of()
    found = report(
        runtime,
        {
            "u": PAGE + "&ttclid=E.C.P.new",
            "r": "https://ad.example/?q=bob",
            "c": [[token_of(runtime), MINTED]],
        },
        {"cookie": f"_ttp={GOOD_TTP}"},
        peer="9.9.9.9",
    )
    (submission,) = found.submissions
    assert (submission.event_id, submission.browser, submission.once) == (MINTED, True, True)
    assert items(found) == [
        {
            "event": "ViewContent",
            "event_time": int(NOW),
            "event_id": MINTED,
            "user": {"ttclid": "E.C.P.new", "ttp": GOOD_TTP, "ip": "9.9.9.9", "user_agent": "Mozilla/5.0"},
            "page": {
                "url": "https://shop.example/p?utm_source=x&ttclid=E.C.P.new",
                "referrer": "https://ad.example/",
            },
            "properties": {"value": 5},
            "limited_data_use": False,
        }
    ]
    assert submission.records[0].paired
    assert answered(found) == {"load": True}


def test_an_signed_event_brings_its_id_time_identity_and_flag() -> None:
    runtime = runtime_of()
    token = token_of(
        runtime,
        event="Purchase",
        event_id=ID,
        event_time=int(NOW) - 100,
        once=True,
        limited_data_use=True,
        identity=Identity(email=("a" * 64,)),
    )
    found = report(runtime, {"u": PAGE, "c": [[token, ID]]})
    (item,) = items(found)
    assert (item["event_id"], item["event_time"], item["limited_data_use"]) == (ID, int(NOW) - 100, True)
    assert item["user"]["email"] == "a" * 64
    assert found.submissions[0].event_id == ID


def test_an_event_happened_on_the_page_that_it_was_sealed_for() -> None:
    runtime = runtime_of()
    found = report(runtime, {"u": PAGE, "c": [[token_of(runtime, path="/ä"), MINTED]]})
    assert items(found)[0]["page"] == {"url": "https://shop.example/%C3%A4"}


@pytest.mark.parametrize("event_id", ["", "a" * 32, timed_event_id(NOW - 49 * 3600, bytes(10)), "0" * 70, "x", "é"])
def test_a_template_takes_only_an_id_that_a_browser_makes_now(event_id: str) -> None:
    runtime = runtime_of()
    found = report(runtime, {"c": [[token_of(runtime), event_id]]})
    assert found.submissions == ()
    assert answered(found).get("no", [""]) == [event_id]
    assert counts(runtime) == {"envelope_id": 1}


@pytest.mark.parametrize("hours", [-47, 0, 47])
def test_a_browsers_clock_may_be_two_days_off(hours: int) -> None:
    runtime = runtime_of()
    event_id = timed_event_id(NOW + hours * 3600, bytes(10))
    assert len(report(runtime, {"c": [[token_of(runtime), event_id]]}).submissions) == 1


def test_an_signed_events_own_id_cannot_be_changed() -> None:
    runtime = runtime_of()
    assert report(runtime, {"c": [[token_of(runtime, event_id=ID), MINTED]]}).submissions == ()


@pytest.mark.parametrize(
    ("token", "reason"),
    [
        ("", "malformed"),
        ("x", "forged"),
        ("a.b.c", "forged"),
        (token_of(runtime_of(), expires=int(NOW) - 1), "expired"),
        (token_of(runtime_of(keys=("other",))), "forged"),
        (token_of(runtime_of(pixel_id="C0000000000000000009")), "pixels"),
    ],
)
def test_what_is_no_signed_event_of_ours_is_counted_and_told(token: str, reason: str) -> None:
    runtime = runtime_of()
    found = report(runtime, {"c": [[token, MINTED]]})
    assert found.submissions == ()
    assert answered(found)["no"] == [MINTED]
    assert counts(runtime).get(f"envelope_{reason}", counts(runtime).get("envelope_forged")) == 1


def test_a_counted_event_is_not_fired_again() -> None:
    runtime = runtime_of()
    found = report(runtime, {"c": [[token_of(runtime), MINTED]]})
    assert answered(found, browser=False) == {"load": True, "no": [MINTED]}
    assert json.loads(found.answer(None).body) == {"load": True}  # a copy too many is better than none


def test_a_once_event_that_tiktok_has_forgotten_is_not_sent_again() -> None:
    runtime = runtime_of()
    token = token_of(runtime, event_id=ID, once=True, event_time=int(NOW) - 48 * 3600)
    assert report(runtime, {"c": [[token, ID]]}).submissions == ()
    assert counts(runtime) == {"too_old": 1}


@pytest.mark.parametrize("said", [{}, {"w": "d"}])
def test_without_leave_nothing_is_claimed_so_that_it_can_still_come(said: dict[str, Any]) -> None:
    runtime = runtime_of(consent="required", browser_events="Search")
    found = report(runtime, {**said, "c": [[token_of(runtime), MINTED]], "e": [["Search", {}, MINTED]], "x": ["a"]})
    assert (found.submissions, found.report.references) == ((), ())
    assert answered(found) == {"load": False}
    assert sum(counts(runtime).values()) == 2


def test_where_the_pixel_may_not_load_the_server_copy_still_goes() -> None:
    runtime = runtime_of()
    found = report(runtime, {"u": "https://shop.example/p?email=bob@example.com", "c": [[token_of(runtime), MINTED]]})
    (submission,) = found.submissions
    assert (submission.browser, len(submission.records), submission.records[0].paired) == (False, 1, False)
    assert items(found)[0]["page"] == {"url": "https://shop.example/p"}
    assert answered(found) == {"load": False, "told": True}


def test_without_a_token_only_the_claim_is_made() -> None:
    runtime = runtime_of(access_token="")
    (submission,) = report(runtime, {"c": [[token_of(runtime), MINTED]]}).submissions
    assert (submission.browser, submission.records) == (True, ())


# -- events that a page sends by itself


def test_a_page_sends_what_it_may() -> None:
    runtime = runtime_of(browser_events="Search,My_Own")
    found = report(runtime, {"u": PAGE, "e": [["Search", {"search_string": "shoes"}, MINTED], ["My_Own", {}, "own-1"]]})
    assert [item["event"] for item in items(found)] == ["Search", "My_Own"]
    assert items(found)[0]["properties"] == {"search_string": "shoes"}, "as the browser has sent it"


def test_a_page_claims_nothing_that_the_server_counts_once() -> None:
    runtime = runtime_of(browser_events="Purchase")
    (submission,) = report(runtime, {"e": [["Purchase", {}, ID]]}).submissions
    assert (submission.event_id, submission.records[0].event_id) == (f"page:{ID}", ID)


@pytest.mark.parametrize("name", ["Purchase", "purchase", "", "x" * 60, "Browse", "é"])
def test_what_a_page_may_not_send_goes_nowhere(name: str) -> None:
    runtime = runtime_of(browser_events="Search")
    assert report(runtime, {"e": [[name, {}, MINTED]]}).submissions == ()
    assert set(counts(runtime)) <= {"browser_event_refused", "invalid"}
    assert sum(counts(runtime).values()) == 1


def test_a_page_cannot_raise_in_strict_mode() -> None:
    runtime = runtime_of(browser_events="Search", strict=True)
    found = report(
        runtime, {"e": [["Search", {"value": "dear", "x": "bob@example.com"}, MINTED], ["Search", {}, "no id"]]}
    )
    assert items(found)[0]["properties"] == {}


def test_retired_names_are_let_through_under_their_new_one() -> None:
    runtime = runtime_of(browser_events="CompletePayment")
    assert items(report(runtime, {"e": [["CompletePayment", {}, MINTED]]}))[0]["event"] == "Purchase"


def test_a_name_that_is_none_stops_the_start() -> None:
    with pytest.raises(ConfigError, match="TIKTOK_BROWSER_EVENTS"):
        runtime_of(browser_events="Search,Browse")


# -- copies that waited with us


def test_a_copy_that_was_too_large_for_a_header_is_handed_out() -> None:
    found = report(runtime_of(), {"x": ["a", "b"]}, deferreds=[b'["Search",{"x":1},"id"]', None])
    assert found.report.references == ("a", "b")
    assert answered(found) == {"load": True, "e": [["Search", {"x": 1}, "id"]]}


def test_an_signed_event_that_was_too_large_is_confirmed_and_its_copy_handed_out() -> None:
    runtime = runtime_of()
    deferred = json.dumps(token_of(runtime, event_id=ID, event_time=int(NOW))).encode()
    found = report(runtime, {"x": ["a"]}, deferreds=[deferred])
    assert [item["event_id"] for item in items(found)] == [ID]
    assert answered(found) == {"load": True, "e": [["ViewContent", {"value": 5}, ID]]}
    assert answered(found, browser=False) == {"load": True, "no": [ID]}


@pytest.mark.parametrize(
    "token", ["x", token_of(runtime_of(), event_id=ID, once=True, event_time=int(NOW) - 48 * 3600)]
)
def test_an_signed_event_that_is_worthless_by_now_is_not_handed_out(token: str) -> None:
    assert answered(report(runtime_of(), {"x": ["a"]}, deferreds=[json.dumps(token).encode()])) == {"load": True}


# -- garbage


@pytest.mark.parametrize("word", ["[" * 90, "{" * 90, '\\"' + "[" * 90, "\\\\", '"[' * 90])
def test_brackets_inside_a_string_are_no_depth(word: str) -> None:
    body = json.dumps({"e": [["Search", {"query": word, "contents": [{"content_id": "a"}] * 70}, ""]]}).encode()
    assert not isinstance(heard(runtime_of(), body), Answer)


def test_an_endless_string_is_read_in_linear_time() -> None:
    body = b"[" * 70 + b'"' + b'\\"' * 7000
    assert isinstance(heard(runtime_of(), body), Answer)
    assert least_s(lambda: heard(runtime_of(), body), 0.5) < 0.5


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b"7",
        b'"text"',
        b"{",
        b'{"u":7}',
        b'{"w":"x"}',
        b'{"c":[["only one"]]}',
        b'{"c":[["a","b","c"]]}',
        b'{"c":{}}',
        b'{"e":[["Search",[],"id"]]}',
        b'{"e":[["Search",{"value":NaN},"id"]]}',
        b'{"x":[7]}',
        b'{"x":["' + b"x" * 65 + b'"]}',
        b'{"u":"\xff"}',
        b'{"u":"\\ud800"}',
        b'{"c":' + b"[" * 8000 + b"]" * 8000 + b"}",
        b'{"zzz":' + b"[" * 8000 + b"]" * 8000 + b"}",
        b'{"e":[["Search",' + b'{"a":' * 2300 + b"1" + b"}" * 2300 + b',"id"]]}',
        json.dumps({"c": [["", ""]] * 101}).encode(),
        json.dumps({"e": [["Search", {}, ""]] * 21}).encode(),
        json.dumps({"x": ["a"] * 21}).encode(),
    ],
)
def test_every_wrong_shape_is_a_400(body: bytes) -> None:
    runtime = runtime_of()
    refused = heard(runtime, body)
    assert isinstance(refused, Answer)
    assert (refused.status, refused.body) == (400, b'{"error":"malformed"}')
    assert counts(runtime) == {"collect_malformed": 1}


def test_a_report_too_large_is_a_413() -> None:
    assert isinstance(heard(runtime_of(), b"{" + b" " * (MAX_BODY_BYTES - 2) + b"}"), Report)
    refused = heard(runtime_of(), b"{" + b" " * (MAX_BODY_BYTES - 1) + b"}")
    assert isinstance(refused, Answer)
    assert refused.status == 413


texts = st.text(max_size=40) | st.sampled_from(["g", "d", PAGE, "https://shop.example/%ff?a=%", "data:x", MINTED, ID])
numbers = st.integers() | st.floats()
values = st.recursive(st.none() | st.booleans() | numbers | texts, lambda v: st.lists(v, max_size=4) | st.dictionaries(texts, v, max_size=4), max_leaves=12)  # fmt: skip
_SETUP = runtime_of(browser_events="Search", strict=True, clock=Clock())
_GOOD = token_of(_SETUP)
bodies = st.fixed_dictionaries(
    {},
    optional={
        "u": texts | values,
        "r": texts | values,
        "w": texts,
        "b": texts,
        "c": st.lists(st.tuples(st.just(_GOOD) | texts, texts), max_size=3) | values,
        "e": st.lists(
            st.tuples(texts | st.just("Search"), st.dictionaries(texts, values, max_size=3), texts), max_size=3
        )
        | values,
        "x": st.lists(texts, max_size=3) | values,
        "other": values,
    },
)


@given(
    bodies | values, st.sampled_from([{}, FETCH, {"cookie": "_ttp=x; ttclid=y; _tt_consent=z; a"}, {"sec-gpc": "1"}])
)
def test_nothing_a_browser_says_raises(said: Any, headers: dict[str, str]) -> None:
    found = heard(_SETUP, json.dumps(said).encode("utf-8", "surrogatepass")[:MAX_BODY_BYTES], headers)
    if isinstance(found, Report):
        judgement = found.judged([])
        answer = judgement.answer([Claim(True, True)] * len(judgement.submissions))
        assert answer.status == 200
        assert isinstance(json.loads(answer.body)["load"], bool)
        assert all("\r" not in value and "\n" not in value for _, value in answer.headers)
    else:
        assert found.status == 400


@given(st.binary(max_size=300))
def test_no_bytes_raise(body: bytes) -> None:
    heard(_SETUP, body)
