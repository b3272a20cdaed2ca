"""Nothing is granted that nobody granted: readers fail closed, and a refusal outranks every grant."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.core_world import DOORS, MakeRequest, runtime_of, scope_request, tracker_of
from tiktok_middleware.core.consent.consent import Consent, State, make_reader, read_consent
from tiktok_middleware.core.http.request import RequestView
from tiktok_middleware.errors import ConfigError

GRANTED, DENIED, UNKNOWN = State.GRANTED, State.DENIED, State.UNKNOWN


def consent(setting: str, headers: dict[str, str], gpc: str = "deny", *, limited: bool = False) -> Consent:
    return read_consent(scope_request("/", headers), make_reader(setting), gpc=gpc, limited_data_use=limited)


@pytest.mark.parametrize(
    ("setting", "cookie", "state", "reason"),
    [
        ("implied", "", GRANTED, ""),
        ("required", "", UNKNOWN, "consent_unknown"),
        ("cookie:marketing=yes", "", UNKNOWN, "consent_unknown"),
        ("cookie:marketing=yes", "marketing=", UNKNOWN, "consent_unknown"),
        ("cookie:marketing=yes", "marketing=yes", GRANTED, ""),
        ("cookie:marketing=yes", "marketing=no", DENIED, "denied"),
        ("cookie:marketing=yes", "marketing=YES", DENIED, "denied"),
        ("cookie:marketing=yes", "marketing=yes!", DENIED, "denied"),
        ("cookie:marketing=a=b", "marketing=a=b", GRANTED, ""),
        ("cookie:marketing=yes", 'marketing="yes"', GRANTED, ""),
        ("cookie:marketing=yes", "marketing=%79es", GRANTED, ""),
        ("cookie:marketing=yes", "marketing=yes%", DENIED, "denied"),
        ("cookie:marketing=100%", "marketing=100%", GRANTED, ""),
        ("cookie:marketing=yes", "Marketing=yes", UNKNOWN, "consent_unknown"),
        ("cookie:marketing=yes", "marketing=yes; marketing=yes", GRANTED, ""),
        ("cookie:marketing=yes", "marketing=yes; marketing=no", DENIED, "denied"),
        ("cookie:marketing=yes", "marketing=no; a=b; marketing=yes", DENIED, "denied"),
        ("cookie:marketing=yes", "marketing=yes; marketing=", UNKNOWN, "consent_unknown"),
        # our own cookie
        ("implied", "_tt_consent=d", DENIED, "denied"),
        ("implied", "_tt_consent=g", GRANTED, ""),
        ("required", "_tt_consent=g", GRANTED, ""),
        ("required", "_tt_consent=d", DENIED, "denied"),
        ("required", "_tt_consent=granted", UNKNOWN, "consent_unknown"),
        ("required", "_tt_consent=", UNKNOWN, "consent_unknown"),
        ("cookie:marketing=yes", "_tt_consent=g", GRANTED, ""),
        ("cookie:marketing=yes", "_tt_consent=g; marketing=no", DENIED, "denied"),
        ("cookie:marketing=yes", "_tt_consent=d; marketing=yes", GRANTED, ""),  # ours has no time: see test_precedence
        ("cookie:marketing=yes", "_tt_consent=d; _tt_said=d.1760000000000.g; marketing=yes", DENIED, "denied"),
        ("implied", "_tt_consent=g; _tt_consent=d", DENIED, "denied"),
        ("required", "_tt_consent=d; a=b; _tt_consent=g", DENIED, "denied"),
    ],
)
def test_what_each_setting_makes_of_the_cookies(setting: str, cookie: str, state: State, reason: str) -> None:
    found = consent(setting, {"cookie": cookie} if cookie else {})
    assert (found.state, found.reason, found.limited_data_use) == (state, reason, False)
    assert found.is_granted is (state is GRANTED)


@pytest.mark.parametrize("make", DOORS)
@pytest.mark.parametrize(
    ("gpc", "header", "expected"),
    [
        ("deny", "1", Consent(DENIED, False, "gpc")),
        ("deny", " 1 ", Consent(DENIED, False, "gpc")),
        ("deny", "0", Consent(GRANTED, False, "")),
        ("deny", "?1", Consent(GRANTED, False, "")),
        ("limit", "1", Consent(GRANTED, True, "")),
        ("limit", "", Consent(GRANTED, False, "")),
        ("ignore", "1", Consent(GRANTED, False, "")),
    ],
)
def test_global_privacy_control_means_what_the_setting_says(
    make: MakeRequest, gpc: str, header: str, expected: Consent
) -> None:
    request = make("/", {"sec-gpc": header, "cookie": "_tt_consent=g"})
    found = read_consent(request, make_reader("implied"), gpc=gpc, limited_data_use=False)
    assert found == expected


def test_the_sites_own_limit_stays() -> None:
    assert consent("implied", {}, limited=True).limited_data_use is True
    assert consent("required", {}, "ignore", limited=True).limited_data_use is True


ANSWERS: dict[str, Any] = {}


def answering(request: RequestView) -> Any:
    answer = ANSWERS["now"]
    if isinstance(answer, BaseException):
        raise answer
    return answer


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        (True, GRANTED),
        (False, DENIED),
        ("granted", GRANTED),
        ("denied", DENIED),
        (GRANTED, GRANTED),
        (UNKNOWN, UNKNOWN),
        (None, UNKNOWN),
        ("yes", UNKNOWN),
        ("Granted", UNKNOWN),
        (2, UNKNOWN),
        (["granted"], UNKNOWN),
        ({}, UNKNOWN),
        (RuntimeError("theirs"), UNKNOWN),
        (KeyError("theirs"), UNKNOWN),
    ],
)
def test_a_teams_own_function_grants_only_by_a_clear_yes(answer: object, state: State) -> None:
    ANSWERS["now"] = answer
    assert consent(f"import:{__name__}:answering", {}).state is state


@pytest.mark.parametrize(
    ("setting", "says"),
    [
        ("import:no_such_module:fn", "No module named 'no_such_module'"),
        (f"import:{__name__}:missing", "has no attribute 'missing'"),
        (f"import:{__name__}:ANSWERS", "a plain function of one argument"),
    ],
)
def test_a_function_that_is_not_there_stops_the_start(setting: str, says: str) -> None:
    with pytest.raises(ConfigError, match=says) as caught:
        make_reader(setting)
    assert str(caught.value).startswith(f"TIKTOK_CONSENT is '{setting}'")


@given(st.text(st.characters(max_codepoint=255)))
def test_no_cookie_header_grants_by_accident(cookie: str) -> None:
    if "_tt_consent" not in cookie:
        assert consent("required", {"cookie": cookie}).state is UNKNOWN
    if "marketing" not in cookie:
        assert consent("cookie:marketing=yes", {"cookie": cookie}).is_granted is ("_tt_consent=g" in cookie)


# -- what a view says


def test_a_grant_counts_at_once_and_is_remembered() -> None:
    tracker = tracker_of(runtime_of(consent="required"))
    assert tracker.track("Contact").channels.server.reason == "consent_unknown"
    tracker.grant_consent()
    assert tracker.state.consent_word == "g"
    assert tracker.track("Contact").channels.server


def test_a_refusal_counts_at_once_and_is_remembered() -> None:
    tracker = tracker_of(runtime_of())
    tracker.revoke_consent()
    assert tracker.state.consent_word == "d"
    assert tracker.track("Contact").channels.server.reason == "denied"


def test_no_code_grants_what_global_privacy_control_refuses() -> None:
    tracker = tracker_of(runtime_of(), "/", {"sec-gpc": "1"})
    tracker.grant_consent()
    assert (tracker.consent.is_granted, tracker.state.consent_word) == (False, "")
    tracker.revoke_consent()
    tracker.grant_consent()
    assert (tracker.consent.is_granted, tracker.state.consent_word) == (False, "d")


def test_a_grant_keeps_the_limit() -> None:
    tracker = tracker_of(runtime_of(consent="required", gpc="limit"), "/", {"sec-gpc": "1"})
    tracker.grant_consent()
    assert tracker.consent == Consent(GRANTED, limited_data_use=True)
