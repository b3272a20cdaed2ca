"""``revision=``: a record of another policy version counts as unknown, because the platform asks again."""

from __future__ import annotations

from urllib.parse import quote

import pytest

from tests.core.consent.platforms.headers_seen import DENIED, GRANTED, UNKNOWN
from tiktok_middleware.core.consent.platforms import READERS, cookie_names, reader_for
from tiktok_middleware.core.consent.state import State

VANILLA = 'cc_cookie={"categories":["ads"],"revision":%s}'
COMPLIANZ = "cmplz_marketing=allow; cmplz_policy_id=%s"
BORLABS = 'borlabs-cookie={"consents":{"marketing":["tt"]},"version":%s}'
FIRST = 'cookiefirst-consent={"advertising":true,"version":%s}'
CIVIC = 'CookieControl={"optionalCookies":{"ads":"accepted"},"statement":{"updated":%s},"interactedWith":true}'
YES = "cookieyes-consent=consentid:a,consent:yes,action:yes,advertisement:yes,tax:%s"

#: Setting without a version, a version, a header for any version, this version as the platform writes it, and others.
PLATFORMS = [
    ("cc_cookie:ads,", "2", VANILLA, "2", ("1", "3", "22", "2.5", "true", "null", '"x"')),
    ("cc_cookie:ads,", "0", VANILLA, "0", ("1", "false", "null", '""')),
    ("complianz:", "14", COMPLIANZ, "14", ("13", "", "014", "114", "x")),
    ("complianz:", "14", COMPLIANZ.replace("cmplz_", "cmplz_rt_"), "14", ("13", "")),
    ("borlabs:", "2", BORLABS, "2", ("1", "true", "null", "[2]")),
    ("borlabs:tt,", "2", BORLABS, '"2"', ('"1"', '""')),  # version 2 of the plug-in writes a text
    ("cookiefirst:", "1111-22", FIRST, '"1111-22"', ('"1111-2"', "null", "1")),
    ("civic:ads,", "01/01/2026", CIVIC, '"01/01/2026"', ('"01/01/2025"', "null", '""')),
    ("cookieyes:", "2fbx48", YES, "2fbx48", ("2fbx4", "")),
    ("cookieyes:advertisement,", "2fbx48", YES, "2fbx48", ("other",)),
]
each = pytest.mark.parametrize(("setting", "version", "header", "written", "others"), PLATFORMS)


def read(setting: str, header: str) -> State:
    return reader_for(setting, implied=UNKNOWN)(header)


@each
def test_record_of_this_version(setting: str, version: str, header: str, written: str, others: tuple[str, ...]) -> None:
    asked = f"{setting}revision={version}"
    assert read(asked, header % written) is GRANTED
    assert read(asked, "") is UNKNOWN
    name, _, value = (header % written).partition("=")
    if ";" not in value:
        assert read(asked, f"{name}={quote(value)}") is GRANTED


@each
def test_record_of_another_version(
    setting: str, version: str, header: str, written: str, others: tuple[str, ...]
) -> None:
    for other in others:
        assert read(f"{setting}revision={version}", header % other) is UNKNOWN
        assert read(setting[:-1], header % other) is GRANTED, "without a revision each version counts"
        copies = f"{header % written}; {header % other}"
        assert read(f"{setting}revision={version}", copies) is UNKNOWN


@pytest.mark.parametrize(
    ("setting", "header", "state"),
    [
        ("cc_cookie:ads,revision=2", 'cc_cookie={"categories":[],"revision":2}', DENIED),
        ("cc_cookie:ads,revision=2", 'cc_cookie={"categories":[],"revision":1}', UNKNOWN),
        ("cc_cookie:ads,revision=2@mine", 'mine={"categories":["ads"],"revision":2}', GRANTED),
        ("cc_cookie:ads,revision=2@mine", 'mine={"categories":["ads"],"revision":1}', UNKNOWN),
        ("complianz:revision=14", "cmplz_marketing=deny; cmplz_policy_id=14", DENIED),
        ("complianz:revision=14", "cmplz_marketing=allow", UNKNOWN),
        (
            "cookieyes:revision=2fbx48",
            "viewed_cookie_policy=yes; cookielawinfo-checkbox-advertisement=yes",
            UNKNOWN,
        ),
    ],
)
def test_refusals_and_records_without_a_version(setting: str, header: str, state: State) -> None:
    assert read(setting, header) is state


def test_default_grant_of_this_version() -> None:
    asked = "complianz:revision=14,opt-out"
    assert reader_for(asked, implied=GRANTED)(COMPLIANZ % 14) is GRANTED
    assert reader_for(asked, implied=GRANTED)(COMPLIANZ % 13) is UNKNOWN
    assert reader_for(asked, implied=UNKNOWN)(COMPLIANZ % 14) is UNKNOWN


@pytest.mark.parametrize("rest", ["revision=", "revision= 1", "revision=-1", "revision=a b", "revision=1,revision=2"])
def test_malformed_version(rest: str) -> None:
    with pytest.raises(ValueError, match=r"complianz\[:revision=N\], where N is the number in the cookie"):
        reader_for(f"complianz:{rest}", implied=UNKNOWN)


@pytest.mark.parametrize(
    "setting",
    [
        "cc_cookie:ads,revision=x",
        "cc_cookie:revision=1",
        "borlabs:tt,revision=1.0",
        "civic:ads,revision=today",
        "cookiefirst:revision=a b",
        "klaro:tiktok,revision=1",
    ],
)
def test_malformed_version_of_each_form(setting: str) -> None:
    with pytest.raises(ValueError, match="where"):
        reader_for(setting, implied=UNKNOWN)


def test_usage_names_the_version_where_there_is_one() -> None:
    assert {name for name, one in READERS.items() if "revision=" in one.usage} == {
        name for name, one in READERS.items() if one.revisions is not None
    }


def test_page_watches_the_cookie_with_the_version() -> None:
    assert {"cmplz_marketing", "cmplz_policy_id"} <= set(cookie_names("complianz:revision=14") or ())
