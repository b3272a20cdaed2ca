"""The decision about bots, with patterns and headers of its own: no list is read."""

from __future__ import annotations

import re

import pytest

from tests.core.core_world import scope_request
from tiktok_middleware.core.visitor.bots import (
    BOT,
    PERSON,
    TOOL,
    BotRule,
    Origin,
    Pattern,
    PatternIndex,
    decide,
    sent_by,
)

# A pattern of each sort that a public list holds: crawlers, phones, builds, apps, monitors, libraries.
INDEX = PatternIndex(
    [
        Pattern(r"Examplebot\/", BOT, drives_browser=False),
        Pattern(r"AP3A\.240617\.008", BOT, drives_browser=False),
        Pattern("Viber", BOT, drives_browser=False),
        Pattern("Sonic", BOT, drives_browser=False),
        Pattern("CPH2557", BOT, drives_browser=False),
        Pattern(r"(^| )Radar\/[0-9]", BOT, drives_browser=False),
        Pattern("WatchSynthetics", BOT, drives_browser=True),
        Pattern("HeadlessChrome", TOOL, drives_browser=True),
        Pattern("curl", TOOL, drives_browser=False),
    ]
)
DESKTOPS = {
    "chrome": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/146.0.0.0 Safari/537.36",
    "firefox": "Mozilla/5.0 (X11; Linux x86_64; rv:153.0) Gecko/20100101 Firefox/153.0",
    "safari": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.1 Safari/605.1.15",
}
#: Model, and build where the browser sends one, of phones sold from 2024 to 2026.
MODELS = [
    "CPH2557 Build/AP3A.240617.008",
    "CPH2557",
    "RMX3853 Build/AP3A.240617.008",
    "PJZ110 Build/AP3A.240617.008",
    "SM-S928B Build/UP1A.231005.007",
    "SM-S938B Build/AP3A.240905.015.A2",
    "SM-F966N; BP2A.250605.031.A3",
    "Pixel 9 Pro Build/AP3A.241005.015",
    "Pixel 10 Pro XL Build/CP1A.260305.018",
    "24129PN74G Build/AQ3A.240627.003",
    "2412DPC0AG Build/AP3A.240905.015.A2",
    "V2405 Build/AP3A.240905.015.A1",
    "moto g(60) Build/S3RIS32.20-42-10",
    "NX769J Build/UKQ1.230917.001",
    "A063 Build/AP3A.240905.015.A2",
    "XQ-EC54 Build/69.1.A.2.182",
    "CUBOT KINGKONG 9 Build/UP1A.231005.007",
    "XP10 Sonic Build/UQ1A.240105.004",
    "O+ Sonic",
    "M bot 60 Build/NRD90M",
    "XBot Junior",
    "K",
]
#: What apps add to the user agent of their web view on Android, and on iOS.
ANDROID_APPS = {
    "browser": "",
    "TikTok": " musical_ly_2023800040 JsSdk/1.0 NetType/WIFI Channel/googleplay AppName/musical_ly ByteLocale/de BytedanceWebview/d8a21c6",
    "TikTok Asia": " trill_380004 BytedanceWebview/d8a21c6",
    "Instagram": " Instagram 406.0.0.58.159 Android (35/15; 480dpi; 1080x2400; OPPO; CPH2557; OP573DL1; mt6833; en_MY; 822918295; IABMV/1)",
    "Facebook": " [FB_IAB/FB4A;FBAV/480.0.0.33.108;IABMV/1;]",
    "Facebook 2026": " MetaIAB Facebook",
    "Pinterest": " [Pinterest/Android]",
    "Snapchat": " Snapchat/13.0.0.50 (CPH2557; Android 15#1780; gzip)",
    "Viber": " Viber/27.4.0.0",
    "Ecosia": " (Ecosia android@143.0.0.0)",
    "Yahoo Japan": " YJApp-ANDROID jp.co.yahoo.android.yjtop/3.227.1",
}
IPHONE_APPS = {
    "browser": " Version/26.1 Mobile/15E148 Safari/604.1",
    "TikTok": " Mobile/15E148 musical_ly_38.0.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/de AppName/musical_ly BytedanceWebview/d8a21c6",
    "Instagram": " Mobile/15E148 Instagram 390.0.0.0 (iPhone17,2; iOS 18_5; de_DE; de; scale=3.00; 1320x2868; 737297623; IABMV/1)",
    "Facebook": " Mobile/15E148 [FBAN/FBIOS;FBAV/500.0.0.0;FBBV/1;FBDV/iPhone17,1;FBMD/iPhone;FBSN/iOS;FBSV/26.1;FBSS/3]",
    "WhatsApp": " Mobile/24A446 Safari/604 [FBAN/WhatsAppSMBIPhone]",
    "Pinterest": " Mobile/15E148 [Pinterest/iOS]",
    "Snapchat": " Mobile/15E148 Snapchat/13.20.0.40 (like Safari/8619.1.26.30.5, panda)",
    "Viber": " Mobile/15E148 Viber/27.4",
}


def android(device: str, app: str, version: str = "15") -> str:
    return (
        f"Mozilla/5.0 (Linux; Android {version}; {device}; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
        f" Chrome/146.0.7680.174 Mobile Safari/537.36{app}"
    )


@pytest.mark.parametrize("app", ANDROID_APPS)
@pytest.mark.parametrize("version", ["14", "15", "16"])
def test_android_phone_is_a_person_in_every_app(version: str, app: str) -> None:
    agents = [android(model, ANDROID_APPS[app], version) for model in MODELS]
    agents += [agent.replace("; wv)", ")") for agent in agents]
    assert [agent for agent in agents if decide(agent, INDEX).kind != PERSON] == []


@pytest.mark.parametrize("device", ["iPhone; CPU iPhone OS 18_7", "iPhone; CPU iPhone OS 26_1", "iPad; CPU OS 18_5"])
@pytest.mark.parametrize("app", IPHONE_APPS)
def test_iphone_is_a_person_in_every_app(device: str, app: str) -> None:
    agent = f"Mozilla/5.0 ({device} like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko){IPHONE_APPS[app]}"
    assert decide(agent, INDEX) == (PERSON, "")


@pytest.mark.parametrize(
    "declaration",
    [
        " (compatible; Examplebot/2.1; +http://example.com/bot.html)",
        " Examplebot/1.0",
        " Radar/1 (radar.com/about)",
        " Radar/1 spider",
        " Radar/1 (radar@example.com)",
    ],
)
@pytest.mark.parametrize("model", ["Nexus 5X Build/MMB29P", "CPH2557 Build/AP3A.240617.008", "K"])
def test_phone_that_declares_a_crawler_is_a_bot(model: str, declaration: str) -> None:
    assert decide(android(model, declaration), INDEX).kind == BOT


@pytest.mark.parametrize(
    "headers",
    [
        {"sec-fetch-site": "none", "sec-fetch-mode": "navigate"},
        {"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors"},
        {"sec-ch-ua": '"Chromium";v="146", "Not?A_Brand";v="24", "Android WebView";v="146"'},
    ],
)
@pytest.mark.parametrize("desktop", DESKTOPS)
def test_headers_of_a_browser_outweigh_a_pattern(desktop: str, headers: dict[str, str]) -> None:
    agent, origin = f"{DESKTOPS[desktop]} Radar/1", sent_by(scope_request("/", headers))
    assert decide(agent, INDEX) == (BOT, r"(^| )Radar\/[0-9]")
    assert decide(agent, INDEX, origin=origin) == (PERSON, "")
    # What declares itself, what drives a browser, and what has no browser's user agent stay what they are.
    assert decide(f"{agent} Examplebot/1.0", INDEX, origin=origin).kind == BOT
    assert decide(f"{DESKTOPS[desktop]} WatchSynthetics", INDEX, origin=origin).kind == BOT
    assert decide(f"{agent} HeadlessChrome/146", INDEX, origin=origin).kind == TOOL
    assert decide("curl/8.5.0", INDEX, origin=origin).kind == TOOL


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"sec-fetch-mode": "navigate"},
        {"sec-fetch-site": "yes", "sec-fetch-mode": "navigate"},
        {"sec-fetch-site": "none", "sec-fetch-mode": "browse"},
        {"sec-ch-ua": "Chromium"},
    ],
)
def test_headers_that_no_browser_sends_count_for_nothing(headers: dict[str, str]) -> None:
    assert sent_by(scope_request("/", headers)) == Origin(is_browser=False, is_headless=False)


def test_client_hints_reveal_an_automated_browser() -> None:
    origin = sent_by(scope_request("/", {"sec-ch-ua": '"HeadlessChrome";v="146", "Chromium";v="146"'}))
    assert decide(DESKTOPS["chrome"], INDEX, origin=origin) == (TOOL, "HeadlessChrome")


@pytest.mark.parametrize(
    ("rules", "kind", "pattern"),
    [
        ([], BOT, r"Examplebot\/"),
        (["+examplebot"], PERSON, "+examplebot"),
        (["-chrome", "+examplebot"], BOT, "-chrome"),
        (["+examplebot", "-chrome"], PERSON, "+examplebot"),
        (["+other"], BOT, r"Examplebot\/"),
    ],
)
def test_first_rule_that_matches_decides(rules: list[str], kind: str, pattern: str) -> None:
    parsed = [BotRule(rule[0] == "+", rule, re.compile(rule[1:], re.IGNORECASE)) for rule in rules]
    agent = f"{DESKTOPS['chrome']} (compatible; Examplebot/1.0)"
    assert decide(agent, INDEX, parsed) == (kind, pattern)


@pytest.mark.parametrize(
    "worst", ["Android 1;", ";", "; Build/", "(", "Mozilla/5.0 (", "a.", "@a", "-", "bot", "\x00", '"']
)
def test_any_user_agent_is_decided_at_once(worst: str) -> None:
    decide(worst * (32_768 // len(worst)), INDEX)
