"""What platforms write is read as they mean it; what was cut, doubled, misspelt or made up never grants."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.core.consent.platforms.headers_seen import DENIED, GRANTED, SEEN, UNKNOWN, Seen
from tiktok_middleware.core.consent.consent import State
from tiktok_middleware.core.consent.platforms import reader_for

NEIGHBOURS = '_ga=GA1.1.1234567890.1770112800; note=50% off; odd; prefs={"a":1,"b":[2]}; =; x=klaro'

#: Where a header grants before its end: after this much everything that counts has been said.
DECIDED_BY = {
    "onetrust granted": "C0004%3A1",
    "onetrust implied": "C0004%3A1",
    "cookieyes granted": "advertisement:yes",
    "cookieyes implied": "advertisement:yes",
    "complianz granted": "cmplz_marketing=allow",
    "trustarc granted": "notice_preferences=2:",
    "trustarc piped": "notice_preferences=2:",
    "axeptio granted": "tiktok_pixel%22:true}",
    "didomi granted": "LCJ2ZXJzaW9uIjoyfQ",  # all but the padding
}

GRANTING = [seen for seen in SEEN if seen.answer is GRANTED]
REFUSING = [seen for seen in SEEN if seen.answer is DENIED]
SETTINGS = sorted({seen.setting for seen in SEEN} | {"tcf", "tcf:vendor=28", "gpp", "borlabs", "ketch"})

each = pytest.mark.parametrize("seen", SEEN, ids=lambda seen: seen.name)
each_granting = pytest.mark.parametrize("seen", GRANTING, ids=lambda seen: seen.name)
each_refusing = pytest.mark.parametrize("seen", REFUSING, ids=lambda seen: seen.name)


def read(setting: str, header: str) -> State:
    return reader_for(setting, implied=UNKNOWN)(header)


def read_leniently(setting: str, header: str) -> State:
    return reader_for(setting, implied=GRANTED)(header)


@each
def test_a_header_is_read_as_the_platform_means_it(seen: Seen) -> None:
    assert read(seen.setting, seen.header) is seen.answer
    assert read_leniently(seen.setting, seen.header) is seen.lenient


@each
def test_neighbours_change_nothing(seen: Seen) -> None:
    assert read(seen.setting, f"{NEIGHBOURS}; {seen.header}; {NEIGHBOURS}") is seen.answer
    assert read(seen.setting, seen.header.replace("; ", ";")) is seen.answer
    assert read(seen.setting, seen.header.replace("; ", " ;\t")) is seen.answer


@pytest.mark.parametrize("setting", [*SETTINGS, "auto"])
@pytest.mark.parametrize("header", ["", NEIGHBOURS, ";;;", "="])
def test_an_absent_cookie_is_no_answer(setting: str, header: str) -> None:
    assert read_leniently(setting, header) is UNKNOWN


@each
def test_a_cut_header_grants_only_when_all_that_counts_has_been_said(seen: Seen) -> None:
    decided = seen.header
    if seen.name in DECIDED_BY:
        decided = seen.header[: seen.header.index(DECIDED_BY[seen.name]) + len(DECIDED_BY[seen.name])]
    for end in range(len(seen.header)):
        for implied in (UNKNOWN, GRANTED):
            if reader_for(seen.setting, implied=implied)(seen.header[:end]) is GRANTED:
                assert seen.lenient is GRANTED, f"grants when cut to {seen.header[:end]}"
                assert end >= len(decided), f"grants when cut to {seen.header[:end]}"


@each_refusing
def test_a_refusal_that_lost_a_character_never_grants(seen: Seen) -> None:
    for at in range(len(seen.header)):
        assert read_leniently(seen.setting, seen.header[:at] + seen.header[at + 1 :]) is not GRANTED


@each_granting
def test_other_case_never_grants(seen: Seen) -> None:
    for header in (seen.header.swapcase(), seen.header.upper(), seen.header.title()):
        assert read_leniently(seen.setting, header) is not GRANTED


@each_granting
def test_a_refusing_copy_wins_wherever_it_stands(seen: Seen) -> None:
    name = seen.header.partition("=")[0]
    refusals = [other for other in REFUSING if other.setting == seen.setting and name in other.header]
    refusals = refusals or [other for other in REFUSING if other.setting == seen.setting]
    assert refusals
    for other in refusals:
        if seen.name.startswith("cli-old") != other.name.startswith("cli-old"):
            continue  # the newer plugin's cookie outranks the older one's
        assert read(seen.setting, f"{seen.header}; {other.header}") is DENIED
        assert read(seen.setting, f"{other.header}; {seen.header}") is DENIED


@each_granting
def test_a_copy_that_cannot_be_read_is_doubt(seen: Seen) -> None:
    assert read(seen.setting, f"{seen.header}; {seen.header}") is GRANTED
    for name in {pair.partition("=")[0] for pair in seen.header.split("; ")} & DECISIVE_NAMES:
        for garbage in ("", "%", "%FF", "\xff", "{", "[]", "null", "true", "~"):
            assert read(seen.setting, f"{name}={garbage}; {seen.header}") is not GRANTED
            assert read(seen.setting, f"{seen.header}; {name}={garbage}") is not GRANTED


DECISIVE_NAMES = {
    "OptanonConsent",
    "CookieConsent",
    "cookieyes-consent",
    "viewed_cookie_policy",
    "cookielawinfo-checkbox-advertisement",
    "cmplz_marketing",
    "_iub_cs-12345678",
    "didomi_token",
    "notice_preferences",
    "notice_gdpr_prefs",
    "cmapi_cookie_privacy",
    "klaro",
    "tarteaucitron",
    "axeptio_cookies",
    "axeptio_authorized_vendors",
    "borlabs-cookie",
    "cookiefirst-consent",
    "CookieControl",
    "_ketch_consent_v1_",
    "__privaci_cookie_consents",
    "cc_cookie",
    "cookie_consent",
    "_tracking_consent",
}


def test_every_granting_header_has_a_name_that_decides() -> None:
    assert all(any(f"{name}=" in seen.header for name in DECISIVE_NAMES) for seen in GRANTING)


@each_granting
def test_a_name_that_only_ends_or_begins_alike_is_another_cookie(seen: Seen) -> None:
    assert read_leniently(seen.setting, re.sub(r"(^|; )", r"\1x", seen.header)) is UNKNOWN
    assert read_leniently(seen.setting, re.sub(r"(^|; )([^=]+)=", r"\1\2x=", seen.header)) is UNKNOWN


@pytest.mark.parametrize("seen", [seen for seen in GRANTING if seen.header.endswith("%7D")], ids=lambda seen: seen.name)
def test_a_value_over_eight_kilobytes_is_not_read(seen: Seen) -> None:
    assert read(seen.setting, seen.header + "%20" * 10) is GRANTED
    assert read(seen.setting, seen.header + "%20" * 2740) is UNKNOWN


@pytest.mark.parametrize("setting", SETTINGS)
@pytest.mark.parametrize(
    "value", ["[" * 8000, '{"a":' * 1600, "%5B" * 2700, "x" * 100_000, "!a=true" * 1000, "1," * 4000]
)
def test_deep_and_long_values_are_not_read(setting: str, value: str) -> None:
    for name in (*DECISIVE_NAMES, "euconsent-v2", "__gpp", "osano_consentmanager"):
        assert read_leniently(setting, f"{name}={value}") in {UNKNOWN, DENIED}


VALUES = st.one_of(
    st.text(),
    st.text("01,:!=&|{}[]\"'%27CDA.~-_ ").map(lambda text: text.replace(";", "")),
    st.lists(
        st.sampled_from(
            ["%", "%2", "%7B", '{"', '":', "true", "1", "yes", "allow", ":", ",", "=", "!", "permit ", "2:"]
        )
    ).map("".join),
    st.binary().map(lambda raw: raw.decode("latin-1")),
)


@given(
    st.sampled_from(SETTINGS),
    st.lists(
        st.tuples(st.sampled_from([*sorted(DECISIVE_NAMES - {"cmplz_marketing"}), "euconsent-v2", "__gpp"]), VALUES),
        max_size=3,
    ),
)
def test_garbage_never_raises_and_never_grants(setting: str, cookies: list[tuple[str, str]]) -> None:
    header = "; ".join(f"{name}={value}" for name, value in cookies)
    if setting not in {"trustarc", "cookieyes"}:  # whose words are short enough to be found by chance
        assert read(setting, header) is not GRANTED
    assert read_leniently(setting, header) in State


@given(st.sampled_from([*SETTINGS, "auto"]), st.text())
def test_any_header_at_all_is_survived(setting: str, header: str) -> None:
    assert read(setting, header) is not GRANTED


@given(st.sampled_from(REFUSING), st.data())
def test_a_refusal_with_noise_inside_never_becomes_a_grant(seen: Seen, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(seen.header)))
    noise = data.draw(st.text("%\"'{}[]:=&!|,;.~ \x00\xff", min_size=1, max_size=4))
    assert read(seen.setting, seen.header[:at] + noise + seen.header[at:]) is not GRANTED


class TestAuto:
    """Whatever platform is there."""

    #: Platforms that need a name from the site, which `auto` has not got.
    NAMED = ("didomi", "klaro", "axeptio", "civic", "securiti", "cc_cookie", "django")

    @each
    def test_it_answers_like_the_platform_itself(self, seen: Seen) -> None:
        setting = seen.setting.partition(":")[0]
        expected = UNKNOWN if setting in self.NAMED else seen.answer
        if setting == "ketch" and expected is GRANTED:
            expected = UNKNOWN  # without the purpose's name a status is no better than a default
        assert read("auto", seen.header) is expected

    @pytest.mark.parametrize("refusal", REFUSING, ids=lambda seen: seen.name)
    def test_any_refusal_wins_over_any_grant(self, refusal: Seen) -> None:
        if refusal.setting.partition(":")[0] not in self.NAMED:
            assert read("auto", f"klaro=; CookieConsent=; _tracking_consent=1; {refusal.header}; {SHOP}") is DENIED

    def test_one_grant_is_enough_where_others_have_no_answer(self) -> None:
        assert read("auto", f"{SHOP}; cookieyes-consent=broken; osano_consentmanager=q1W2e3R4") is GRANTED

    @pytest.mark.parametrize(("value", "answer"), [("ACCEPT", GRANTED), ("DENY", DENIED), ("accept", UNKNOWN)])
    def test_a_plain_osano_cookie_is_read(self, value: str, answer: State) -> None:
        assert read("auto", f'osano_consentmanager={{"MARKETING":"{value}"}}') is answer

    @pytest.mark.parametrize(
        "cookie",
        [
            "cmplz_rt_marketing=deny",
            "gpcishonored=true",
            "cmapi_cookie_privacy=permit 1",
            "notice_gdpr_prefs=0:",
            "eupubconsent-v2=CQe_xoAQe_xoAEsABBENCPFgAAAAAAAAAAYgAAAAAAAA.IAAA",
            "OTGPPConsent=DBABT~1YYN",
            "IABGPP_HDR_GppString=DBABT~1YYN",
            "viewed_cookie_policy=no",
        ],
    )
    def test_every_cookie_of_a_platform_leads_to_its_reader(self, cookie: str) -> None:
        assert read("auto", f"{SHOP}; {cookie}") is DENIED


SHOP = next(seen.header for seen in SEEN if seen.name == "shopify granted")
