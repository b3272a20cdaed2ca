"""The browsers inside apps are told from browsers of their own."""

from __future__ import annotations

import pytest

from tests.core.core_world import runtime_of, tracker_of
from tests.timing import least_s
from tiktok_middleware import Client, Config
from tiktok_middleware.core.visitor.in_app import IN_APP, _app, in_app

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
ANDROID = (
    "Mozilla/5.0 (Linux; Android 15; SM-S921B Build/AP3A; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0"
    " Chrome/137.0.7151.61 Mobile Safari/537.36"
)


@pytest.mark.parametrize(
    ("agent", "app"),
    [
        (f"{IPHONE} musical_ly_39.8.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en Region/US", "tiktok"),
        (
            f"{ANDROID} musical_ly_2023908030 JsSdk/1.0 NetType/MOBILE AppName/musical_ly BytedanceWebview/d8a21c6",
            "tiktok",
        ),
        (f"{ANDROID} trill_2023908030 JsSdk/1.0 NetType/WIFI AppName/trill ByteLocale/de-DE", "tiktok"),
        (f"{IPHONE} TikTok 39.8.0 rv:398012", "tiktok"),
        (f"{IPHONE} Instagram 382.0.0.28.88 (iPhone16,1; iOS 18_5; de_DE; de; scale=3.00)", "instagram"),
        (f"{ANDROID} Instagram 382.0.0.49.84 Android (35/15; 480dpi; 1080x2340; samsung)", "instagram"),
        (f"{IPHONE} [FBAN/FBIOS;FBAV/515.0.0.54.90;FBBV/738212345;FBDV/iPhone16,1]", "facebook"),
        (f"{ANDROID} [FB_IAB/FB4A;FBAV/515.0.0.49.77;IABMV/1;]", "facebook"),
        (f"{IPHONE} [FBAN/MessengerForiOS;FBAV/508.0.0.41.85]", "messenger"),
        (f"{ANDROID} [FB_IAB/Orca-Android;FBAV/508.0.0.42.101;]", "messenger"),
        (f"{IPHONE} Instagram 382.0 [FBAN/FBIOS;FBAV/515.0]", "instagram"),
        (f"{IPHONE} Snapchat/13.40.0.45 (like Safari/8618.2.12, panda)", "snapchat"),
        (f"{IPHONE} [Pinterest/iOS]", "pinterest"),
        (f"{IPHONE} LinkedInApp/9.30", "linkedin"),
        (f"{IPHONE} Twitter for iPhone/11.4", "x"),
        (f"{IPHONE} Safari Line/15.8.0", "line"),
        (f"{IPHONE} MicroMessenger/8.0.60 NetType/WIFI Language/zh_CN", "wechat"),
    ],
)
def test_a_web_view_is_named_by_its_app(agent: str, app: str) -> None:
    assert in_app(agent) == app
    assert app in IN_APP


@pytest.mark.parametrize(
    ("package", "app"),
    [
        ("com.zhiliaoapp.musically", "tiktok"),
        ("com.ss.android.ugc.trill", "tiktok"),
        ("com.instagram.android", "instagram"),
        ("com.facebook.katana", "facebook"),
        ("com.facebook.orca", "messenger"),
        ("XMLHttpRequest", ""),
        ("com.example.shop", ""),
    ],
)
def test_androids_package_name_tells_too(package: str, app: str) -> None:
    assert in_app(ANDROID, package) == app


@pytest.mark.parametrize(
    "agent",
    [
        "",
        f"{IPHONE} Version/18.5 Safari/604.1",
        ANDROID,
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/137.0.0.0 Safari/537.36",
        "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
        "Mozilla/5.0 (compatible; TikTokSpider; ttspider-feedback@tiktok.com)",
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        "Mozilla/5.0 (compatible; Bytespider; spider-feedback@bytedance.com)",
        "LinkedInBot/1.0",
        "Outline/3 Instagrammer",
    ],
)
def test_any_other_agent_is_no_app(agent: str) -> None:
    assert in_app(agent) == ""


def test_the_time_is_bounded() -> None:
    def read() -> None:
        _app.cache_clear()
        for worst in ("F", "FB", "Instagra", "musical_l", "Twitter for ", "\u00e9"):
            in_app(worst * 32_768, worst * 32_768)

    assert least_s(read, 0.2) < 0.2


def test_stats_count_events_by_app() -> None:
    client = Client(Config(pixel_id="C0000000000000000000", outbox="memory://"))
    for agent in (f"{IPHONE} musical_ly_39", f"{IPHONE} musical_ly_39", f"{IPHONE} Instagram 382", "Mozilla/5.0", ""):
        tracker_of(client.runtime, "/", {"user-agent": agent} if agent else {}).track("ViewContent")
    assert client.stats()["in_app"] == {"tiktok": 2, "instagram": 1}
    assert tracker_of(runtime_of(), "/", {"user-agent": f"{IPHONE} musical_ly_39"}).track("Lead").channels.server
    client.close(0)
