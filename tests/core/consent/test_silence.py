"""A reader that never sees its platform's cookie says so once, and names the usual reasons."""

from __future__ import annotations

import json

import pytest
from click.testing import CliRunner

from tests.core.core_world import NAVIGATION, runtime_of, scope_request
from tiktok_middleware._log import NoticeLog
from tiktok_middleware.cli.main import main
from tiktok_middleware.core.consent.missing_platform import PAGES, VISITORS, silence_of
from tiktok_middleware.core.runtime import Runtime
from tiktok_middleware.core.tracking.request_state import RequestState


def visit(runtime: Runtime, number: int, cookie: str = "", **headers: str) -> None:
    agent = f"Mozilla/5.0 ({number % VISITORS})"
    given = {**NAVIGATION, "accept": "text/html,*/*", "user-agent": agent, "cookie": cookie, **headers}
    _ = RequestState(scope_request("/", given), runtime).consent


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "reads the cookie" in one.getMessage()]


def test_five_hundred_pages_without_the_cookie_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of(consent="klaro:tiktok")
    for number in range(PAGES - 1):
        visit(runtime, number, cookie="session=1")
    assert warnings(caplog) == []
    for number in range(PAGES):
        visit(runtime, number)
    [line] = warnings(caplog)
    assert line.startswith("TIKTOK_CONSENT=klaro:tiktok reads the cookie klaro, which no visitor of 500 pages has had")
    for reason in ("klaro:...@NAME", "localStorage", "bridge:klaro:SERVICE", "another host or path"):
        assert reason in line
    assert runtime.silence is None


@pytest.mark.parametrize("choice", ["true", "false"])
def test_one_answer_ends_the_watch(choice: str, caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of(consent="klaro:tiktok")
    visit(runtime, 0, cookie=f"klaro=%7B%22tiktok%22%3A{choice}%7D")
    assert runtime.silence is None
    for number in range(2 * PAGES):
        visit(runtime, number)
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    ("setting", "cookie", "reason"),
    [
        ("klaro:tiktok", "klaro=%7B%22other%22%3Atrue%7D", "SERVICE is the name of the TikTok service"),
        ("onetrust", "OptanonConsent=interactionCount=1&groups=C0001%3A1", "ID is a category id"),
        ("cookiebot", "CookieConsent=anything", "another product uses this cookie's name"),
    ],
)
def test_a_cookie_without_an_answer_is_logged_once(
    setting: str, cookie: str, reason: str, caplog: pytest.LogCaptureFixture
) -> None:
    runtime = runtime_of(consent=setting)
    visit(runtime, 0, cookie=cookie)
    for number in range(2 * PAGES):
        visit(runtime, number)  # the cookie exists: pages without it say nothing any more
    assert runtime.silence is not None
    for number in range(2 * PAGES):
        visit(runtime, number, cookie=cookie)
    [line] = [one.getMessage() for one in caplog.records if "no answer" in one.getMessage()]
    assert f"TIKTOK_CONSENT={setting} has found no answer in the cookie" in line
    assert reason in line
    assert runtime.silence is None


@pytest.mark.parametrize("cookie", ["klaro2=%7B%7D", "my-klaro=1", "a=klaro", "a=1; xklaro=%7B%22tiktok%22%3Atrue%7D"])
def test_a_longer_name_is_another_cookie(cookie: str, caplog: pytest.LogCaptureFixture) -> None:
    runtime = runtime_of(consent="klaro:tiktok")
    for number in range(PAGES):
        visit(runtime, number, cookie=cookie)
    assert len(warnings(caplog)) == 1


@pytest.mark.parametrize(
    ("visitors", "headers"),
    [
        (VISITORS - 1, {}),  # an uptime check, a small office
        (VISITORS, {"accept": "application/json"}),
        (VISITORS, {"user-agent": "Googlebot/2.1"}),
    ],
)
def test_what_is_no_page_of_a_visitor_does_not_count(
    visitors: int, headers: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    runtime = runtime_of(consent="klaro:tiktok")
    runtime.bot_pattern = lambda request: "bot" if "bot" in request.header("user-agent") else ""
    for number in range(2 * PAGES):
        visit(runtime, number % visitors, **headers)
    assert warnings(caplog) == []


@pytest.mark.parametrize(
    "setting", ["implied", "required", "bridge", "bridge:klaro:a", "tcf", "gpp", "import:shop:read"]
)
def test_settings_without_a_cookie_are_not_watched(setting: str) -> None:
    assert silence_of(setting) is None


@pytest.mark.parametrize(
    ("setting", "names"),
    [
        ("klaro:a@mine", ("mine",)),
        ("cookie:ads=yes", ("ads",)),
        ("iubenda", ("_iub_cs-",)),
    ],
)
def test_cookies_that_are_watched(setting: str, names: tuple[str, ...]) -> None:
    watching = silence_of(setting)
    assert watching is not None
    assert watching.names == names
    assert isinstance(runtime_of().notices, NoticeLog)


def test_check_says_it_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TIKTOK_CONSENT", "klaro:tiktok@choices")
    monkeypatch.setenv("TIKTOK_OUTBOX", "memory://")
    rows = json.loads(CliRunner().invoke(main, ["check", "--json"]).output)
    assert rows["consent cookie"].startswith("choices; where no visitor has it: the site has renamed the cookie")
