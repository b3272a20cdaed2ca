"""What may stand in the setting, and the words for what may not."""

from __future__ import annotations

import pytest

from tests.core.consent.platforms.headers_seen import DENIED, GRANTED, UNKNOWN
from tiktok_middleware.core.consent.platforms import READERS, reader_for


def refusal(setting: str) -> str:
    with pytest.raises(ValueError) as caught:
        reader_for(setting, implied=UNKNOWN)
    return str(caught.value)


def test_the_names() -> None:
    assert sorted(READERS) == [
        "auto",
        "axeptio",
        "borlabs",
        "c15t",
        "cc_cookie",
        "civic",
        "complianz",
        "cookiebanner",
        "cookiebot",
        "cookieconsent",
        "cookiefirst",
        "cookieyes",
        "didomi",
        "django",
        "flask_consent",
        "gpp",
        "iubenda",
        "ketch",
        "klaro",
        "onetrust",
        "orejime",
        "securiti",
        "shopify",
        "tarteaucitron",
        "tcf",
        "trustarc",
    ]
    assert all(platform.usage.startswith(name) for name, platform in READERS.items())


@pytest.mark.parametrize(
    "setting",
    [
        "onetrust",
        "onetrust:C0004",
        "onetrust:C0004,BG17",
        "borlabs",
        "borlabs:tiktok-pixel",
        "klaro:TikTok Pixel",
        "ketch",
        "ketch:ads",
        "didomi:ads",
        "didomi:ads,c:tiktok-Ab12Cd34",
        "tcf",
        "tcf:1,7",
        "tcf:1,7,vendor=28",
        "tcf:vendor=65535",
        "tcf:24",
        "auto",
    ],
)
def test_good_settings_make_readers(setting: str) -> None:
    assert reader_for(setting, implied=UNKNOWN)("") is UNKNOWN


@pytest.mark.parametrize("name", ["klaro", "axeptio", "civic", "securiti", "didomi", "cc_cookie", "django"])
@pytest.mark.parametrize("rest", ["", ":", ": ", ":a,b,c", ":,", ":a;b", ":a\nb"])
def test_a_name_that_is_missing_is_asked_for_with_its_place(name: str, rest: str) -> None:
    assert refusal(name + rest) == f"{READERS[name].usage}, where {READERS[name].where}"


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        (
            "klaro",
            "klaro:SERVICE, where SERVICE is the name of the TikTok service in the services of Klaro's configuration",
        ),
        ("cookiebot:marketing", "cookiebot, with nothing after it"),
        ("gpp:", "gpp, with nothing after it"),
    ],
)
def test_the_words(setting: str, words: str) -> None:
    assert refusal(setting) == words


@pytest.mark.parametrize(
    "setting", ["onetrust:", "onetrust:C0004,", "borlabs:a,b", "tarteaucitron:", "ketch:a,b", "auto:x"]
)
def test_settings_that_are_malformed(setting: str) -> None:
    assert refusal(setting).startswith(setting.partition(":")[0])


@pytest.mark.parametrize(
    "rest",
    [
        "0",
        "25",
        "x",
        "1,x",
        "01",
        "1;7",
        "-1",
        "\u00b2",
        "vendor=",
        "vendor=0",
        "vendor=65536",
        "vendor=1,vendor=2",
        "vendor=x",
    ],
)
def test_purposes_and_vendors_have_bounds(rest: str) -> None:
    assert refusal(f"tcf:{rest}").startswith("tcf[:PURPOSE,PURPOSE][,vendor=ID], where each PURPOSE is 1 to 24")


@pytest.mark.parametrize(
    ("setting", "near"),
    [
        ("onetrst", "onetrust[:ID,ID]"),
        ("OneTrust", "onetrust[:ID,ID]"),
        ("cookie-bot", "cookiebot"),
        ("klara:tt", "klaro:SERVICE"),
        ("tarte-au-citron", "tarteaucitron[:key]"),
    ],
)
def test_an_unknown_name_is_answered_with_the_nearest(setting: str, near: str) -> None:
    words = refusal(setting)
    assert words.startswith(f"{near} (the nearest name), or one of onetrust[:ID,ID], cookiebot, ")
    assert words.endswith(", gpp, shopify, auto")


def test_an_unknown_name_like_no_other_is_answered_with_all() -> None:
    assert refusal("xyz").startswith("one of onetrust[:ID,ID], cookiebot, cookieyes[:SLUG][,revision=ID], ")


@pytest.mark.parametrize("name", ["usercentrics", "osano", "termly", "sourcepoint", "Usercentrics"])
def test_a_platform_that_no_server_can_read_needs_the_bridge(name: str) -> None:
    assert refusal(name) == f"bridge:{name.lower()}, for this platform keeps the choice where only its page sees it"


def test_a_default_never_counts_as_denied() -> None:
    assert reader_for("cookiebot", implied=GRANTED)("CookieConsent=-1") is GRANTED
    with pytest.raises(ValueError, match="unknown or granted"):
        reader_for("cookiebot", implied=DENIED)
