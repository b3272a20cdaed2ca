"""Readers of orejime, Cookie Consent, c15t and packages of PyPI; renamed cookies, default grants, revisions, and times of records.

The values were written by the platforms' own code, with other names and dates.
"""

from __future__ import annotations

import pytest

from tests.core.consent.platforms.headers_seen import DENIED, GRANTED, SEEN, UNKNOWN
from tiktok_middleware.config import Config
from tiktok_middleware.core.consent.consent import make_reader
from tiktok_middleware.core.consent.platforms import cookie_names, reader_for
from tiktok_middleware.core.consent.state import State

OREJIME = "eu-consent={%22tiktok%22:true%2C%22stats%22:false}"
C15T = "c15t=c.necessary:1,c.marketing:1,i.t:1764500000000,i.sid:sub_x,i.y:all"
VANILLA = "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22marketing%22%5D%2C%22revision%22%3A2%7D"


TIME = "2026-02-03T10:00:00.000000+00:00"
FLASK = r'_consent="{\"enabled\": [%s]\054 \"last_updated\": \"2026-02-03T10:00:00.250000\"}"'


@pytest.mark.parametrize(
    ("setting", "header", "state"),
    [
        ("orejime:tiktok", OREJIME, GRANTED),
        ("orejime:stats", OREJIME, DENIED),
        ("orejime:other", OREJIME, UNKNOWN),
        ("orejime:tiktok", "eu-consent={%22tiktok%22:%22true%22}", UNKNOWN),
        ("orejime:tiktok", "eu-consent={%22tiktok%22:tru", UNKNOWN),
        ("orejime:tiktok", "orejime=%7B%22tiktok%22%3Atrue%7D", GRANTED),  # version 2
        ("orejime:tiktok", f"{OREJIME}; orejime=%7B%22tiktok%22%3Afalse%7D", DENIED),
        ("orejime:tiktok@mine", f"{OREJIME}; mine={{%22tiktok%22:false}}", DENIED),
        ("orejime:tiktok@mine", OREJIME, UNKNOWN),
        ("cookieconsent", "cookieconsent_status=allow", GRANTED),
        ("cookieconsent", "cookieconsent_status=deny", DENIED),
        ("cookieconsent", "cookieconsent_status=dismiss", UNKNOWN),
        ("cookieconsent", "cookieconsent_status=Allow", UNKNOWN),
        ("cookieconsent", "cookieconsent_status=allow; cookieconsent_status=deny", DENIED),
        ("cookieconsent:@cc", "cc=allow", GRANTED),
        ("cookieconsent:@cc", "cookieconsent_status=allow", UNKNOWN),
        ("c15t", C15T, GRANTED),
        ("c15t:measurement", C15T, DENIED),  # what is off is left out
        ("c15t", "c15t=c.necessary:1,i.t:1764500000000,i.y:necessary", DENIED),
        ("c15t", "c15t=c.marketing:0,i.t:1764500000000", DENIED),
        ("c15t", "c15t=c.marketing:1", UNKNOWN),  # nobody chose
        ("c15t", "c15t=c.marketing:1,i.t:soon", UNKNOWN),
        ("c15t", "c15t=c.marketing:2,i.t:1764500000000", UNKNOWN),
        ("c15t", "c15t=c.marketing:1,c.marketing:0,i.t:1764500000000", UNKNOWN),
        ("c15t", "c15t=c.marketing:1,i.t:1764500000000,cut", UNKNOWN),
        ("c15t:@consent", C15T.replace("c15t=", "consent="), GRANTED),
        ("klaro:tiktok@choices", "choices=%7B%22tiktok%22%3Atrue%7D", GRANTED),
        ("klaro:tiktok@choices", "klaro=%7B%22tiktok%22%3Atrue%7D", UNKNOWN),
        ("klaro:a@b@choices", "choices=%7B%22a%40b%22%3Atrue%7D", GRANTED),
        ("tarteaucitron:@choices", "choices=!tiktok=true", GRANTED),
        ("tarteaucitron:ads@choices", "choices=!ads=false!tiktok=true", DENIED),
        ("django:social@gdpr", "gdpr=social=-1", DENIED),
        ("cc_cookie:marketing@mine", VANILLA.replace("cc_cookie=", "mine="), GRANTED),
        ("cc_cookie:marketing,revision=2", VANILLA, GRANTED),
        ("cc_cookie:marketing,revision=3", VANILLA, UNKNOWN),
        ("cc_cookie:other,revision=2", VANILLA, DENIED),
        ("cc_cookie:marketing,revision=2@mine", VANILLA.replace("cc_cookie=", "mine="), GRANTED),
        ("django:ads", 'cookie_consent="ads="', GRANTED),  # a group without cookies has no version
        ("django:ads", 'cookie_consent="ads=2026-02-03T10:00:00.000000+00:00|x=-1"', GRANTED),
        ("django:ads", 'cookie_consent="ads=yes"', UNKNOWN),
        # wagtail-cookies-consent: a space behind declined groups, and None for each box that is not ticked.
        ("django:ads", 'cookie_consent="ads =-1|stats =-1"', DENIED),
        ("django:ads", f'cookie_consent="ads={TIME}|None={TIME}|None={TIME}|needed={TIME}"', GRANTED),
        ("django:ads", f'cookie_consent="stats={TIME}|None={TIME}|None={TIME}"', UNKNOWN),
        ("django:ads", f'cookie_consent="ads={TIME}|ads=-1"', UNKNOWN),
        ("cookiebanner:ads", "cookiebanner=needed%2Cads", GRANTED),
        ("cookiebanner:ads", "cookiebanner=ads", GRANTED),
        ("cookiebanner:ads", "cookiebanner=needed,ads", GRANTED),
        ("cookiebanner:ads", "cookiebanner=needed", DENIED),
        ("cookiebanner:ads", "cookiebanner=needed%2Cloads%2Cads-2", DENIED),
        ("cookiebanner:ads", "cookiebanner=", UNKNOWN),
        ("cookiebanner:ads", "cookiebanner=needed%2C", UNKNOWN),
        ("cookiebanner:ads", "cookiebanner=ads%2", UNKNOWN),
        ("cookiebanner:ads", "cookiebanner=needed%2Cads; cookiebanner=needed", DENIED),
        ("flask_consent:ads", FLASK % r"\"needed\"\054 \"ads\"", GRANTED),
        ("flask_consent:ads", FLASK % r"\"needed\"", DENIED),
        ("flask_consent:ads", FLASK % "", DENIED),
        ("flask_consent:ads", FLASK.replace("}", ""), UNKNOWN),
        ("flask_consent:ads", "_consent={%22last_updated%22:%222026-02-03T10:00:00%22}", UNKNOWN),
        ("flask_consent:ads", '_consent={"enabled":["ads"]}', GRANTED),
        ("flask_consent:ads", '_consent={"enabled":{"ads":true}}', UNKNOWN),
        ("flask_consent:ads@mine", '_consent={"enabled":["ads"]}; mine={"enabled":[]}', DENIED),
        ("cookieyes:publicite", "cookieyes-consent=consent:yes,action:yes,publicite:yes,advertisement:no", GRANTED),
        ("cookieyes:publicite", "viewed_cookie_policy=yes; cookielawinfo-checkbox-publicite=no", DENIED),
    ],
)
def test_state(setting: str, header: str, state: State) -> None:
    assert reader_for(setting, implied=UNKNOWN)(header) is state


@pytest.mark.parametrize(
    ("setting", "header"),
    [
        # A notice under opt-out law that was closed by its cross.
        ("cookieyes", "cookieyes-consent=consent:no,action:yes,advertisement:yes"),
        ("tarteaucitron:tiktok,opt-out", "tarteaucitron=!tiktok=true"),  # serviceDefaultState: true
        ("tarteaucitron:opt-out", "tarteaucitron=!tiktok=true"),
        ("cc_cookie:marketing,opt-out", VANILLA),
        ("klaro:tiktok@choices,opt-out", "choices=%7B%22tiktok%22%3Atrue%7D"),
    ],
)
def test_grant_that_nobody_clicked_counts_as_a_default(setting: str, header: str) -> None:
    assert reader_for(setting, implied=UNKNOWN)(header) is UNKNOWN
    assert reader_for(setting, implied=GRANTED)(header) is GRANTED


def test_opt_out_keeps_refusals() -> None:
    for implied in (UNKNOWN, GRANTED):
        assert reader_for("tarteaucitron:tiktok,opt-out", implied=implied)("tarteaucitron=!tiktok=false") is DENIED


@pytest.mark.parametrize(
    "setting",
    [
        "klaro:a@b c",
        "klaro:a@",
        "klaro:@a",
        "cookiebot:@a",
        "cc_cookie:a,revision=x",
        "cc_cookie:a,b",
        "c15t:a,b",
        "opt-out",
    ],
)
def test_malformed_settings(setting: str) -> None:
    with pytest.raises(ValueError, match=r"one of|where|nothing after it"):
        reader_for(setting, implied=UNKNOWN)


@pytest.mark.parametrize(
    ("setting", "header", "at_ms"),
    [
        ("onetrust", "OptanonAlertBoxClosed=2026-02-03T10:00:00.000Z", 1_770_112_800_000),
        ("onetrust", "OptanonAlertBoxClosed=2026-02-03T10%3A00%3A00.250Z", 1_770_112_800_250),
        ("onetrust", "OptanonAlertBoxClosed=yesterday", 0),
        ("onetrust", "OptanonConsent=datestamp=Tue+Feb+03+2026", 0),  # written on each page
        (
            "cookiebot",
            "CookieConsent={stamp:'x',marketing:true,method:'explicit',utc:1770112800000}",
            1_770_112_800_000,
        ),
        ("cookiebot", "CookieConsent=-1", 0),
        ("iubenda", "_iub_cs-12=%7B%22timestamp%22%3A%222026-02-03T10%3A00%3A00.000Z%22%7D", 1_770_112_800_000),
        ("cookiefirst", 'cookiefirst-consent={"timestamp":1770112800}', 1_770_112_800_000),
        ("cookiefirst", 'cookiefirst-consent={"timestamp":"2026-02-03T10:00:00.000Z"}', 1_770_112_800_000),
        ("civic:ads", 'CookieControl={"consentDate":1770112800000}', 1_770_112_800_000),
        ("axeptio:ads", 'axeptio_cookies={"$$date":"2026-02-03T10:00:00.000Z"}', 1_770_112_800_000),
        ("cc_cookie:ads", 'cc_cookie={"consentTimestamp":"2026-02-03T10:00:00.000Z"}', 1_770_112_800_000),
        (
            "cc_cookie:ads",
            'cc_cookie={"consentTimestamp":"2026-02-03T10:00:00Z","lastConsentTimestamp":"2026-02-03T10:00:01Z"}',
            1_770_112_801_000,
        ),
        ("cc_cookie:ads", 'cc_cookie={"consentTimestamp":7}', 0),
        ("cc_cookie:ads", "cc_cookie={}", 0),
        ("c15t", C15T, 1_764_500_000_000),
        ("c15t", f"{C15T}; c15t=c.marketing:1,i.t:1764500000001", 1_764_500_000_001),
        ("flask_consent:ads", FLASK % "", 1_770_112_800_250),
        ("flask_consent:ads", "_consent={}", 0),
        ("klaro:ads", "klaro=%7B%22ads%22%3Atrue%7D", 0),
        ("tarteaucitron", "tarteaucitron=!tiktok=true", 0),
        ("tcf", "euconsent-v2=CQe_xoAQe_xoAEsABBENCPFgAPLAAAAAAAYgAOEAAABAAAAA.IAOEAAAB", 0),  # rounded to a day
        ("tcf", "euconsent-v2=CQ", 0),
        ("gpp", "__gpp=DBABL~BVQqAAAAAY.Q", 0),
        ("auto", C15T, 0),
    ],
)
def test_time_of_a_record(setting: str, header: str, at_ms: int) -> None:
    assert reader_for(setting, implied=UNKNOWN).changed_at_ms(header) == at_ms
    assert reader_for(setting, implied=UNKNOWN).changed_at_ms("") == 0


def test_times_of_what_was_seen_are_of_this_century() -> None:
    for seen in SEEN:
        at_ms = reader_for(seen.setting, implied=UNKNOWN).changed_at_ms(seen.header)
        assert at_ms == 0 or 1_700_000_000_000 < at_ms < 1_900_000_000_000, seen.name


def test_cookies_that_a_page_watches() -> None:
    signals = ("usprivacy", "us_privacy", "__gpp", "OTGPPConsent", "IABGPP_HDR_GppString")
    assert cookie_names("implied") == signals
    assert cookie_names("klaro:a") == ("klaro", *signals)
    assert cookie_names("klaro:a@mine") == ("mine", *signals)
    assert cookie_names("cookie:ads=yes") == ("ads", *signals)
    assert cookie_names("import:shop.consent:read") is None
    assert cookie_names("bridge:osano") == signals
    assert {"OptanonConsent", "_iub_cs-", "__gpp"} <= set(cookie_names("auto") or ())


@pytest.mark.parametrize(
    "setting", ["c15t", "orejime:a@b", "cookieconsent", "cc_cookie:a,revision=2", "bridge:klaro:a"]
)
def test_option_takes_the_setting(setting: str) -> None:
    assert Config(consent=setting).consent == setting
    make_reader(setting)
