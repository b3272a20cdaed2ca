"""People's phones of 2024 to 2026 in browsers and in the web views of apps are no bots."""

from __future__ import annotations

import pytest

from tiktok_middleware._bots import agent_of
from tiktok_middleware.core.visitor.bots import PERSON

#: Android's version, model and build.
ANDROIDS = [
    "Android 16; SM-S938U Build/BP2A.250605.031.A3; wv",
    "Android 16; Pixel 10 Pro Build/BD1A.250702.001; wv",
    "Android 15; CPH2649 Build/AP3A.240617.008; wv",
    "Android 15; RMX5010 Build/AP3A.240617.008; wv",
    "Android 15; OPD2404 Build/AP3A.240617.008",
    "Android 14; 23117RA68G Build/UP1A.231005.007; wv",
    "Android 15; 24129PN74G Build/AQ3A.240912.001; wv",
    "Android 14; V2318 Build/UP1A.231005.007; wv",
    "Android 15; V2424 Build/AP3A.240905.015.A2_V000L1",
    "Android 14; TECNO KM5 Build/UP1A.231005.007; wv",
    "Android 15; Infinix X6870 Build/AP3A.240905.015.A2; wv",
    "Android 14; itel P671L Build/UP1A.231005.007; wv",
    "Android 15; motorola edge 60 pro Build/V1VD35H.70-28-3; wv",
    "Android 14; moto g84 5G Build/U1TCS34.22-66-7-2; wv",
    "Android 14; XQ-DQ72 Build/67.2.A.2.108; wv",
    "Android 13; LM-V600 Build/TKQ1.220829.002; wv",
    "Android 12; HUAWEI NOH-NX9 Build/HUAWEINOH-N29; wv",
    "Android 15; ELN-NX9 Build/HONORELN-N29; wv",
    "Android 14; A142P Build/UP1A.231005.007; wv",
    "Android 15; Fairphone 5 Build/UKQ1.240116.001; wv",
    "Android 14; ASUS_AI2401_D Build/UKQ1.231003.002; wv",
    "Android 14; Lenovo TB370FU Build/UKQ1.230917.001; wv",
    "Android 13; SM-T500 Build/TP1A.220624.014; wv",
    "Android 11; Robotic Z1 Build/RP1A.200720.011; wv",
    "Android 10; Spider-Phone X Build/QP1A.190711.020; wv",
    "Android 15; PreviewTab 9 Build/AP31.240517.022; wv",
]
#: What a browser or an app on Android adds.
ANDROID_APPS = [
    "",
    " musical_ly_2024102030 JsSdk/1.0 NetType/5G Channel/googleplay AppName/musical_ly ByteLocale/de-DE Region/DE BytedanceWebview/d8a21c6",
    " trill_2024102030 JsSdk/1.0 NetType/WIFI AppName/trill BytedanceWebview/d8a21c6",
    " ultralite_370100 NetType/4G AppName/tiktok_lite BytedanceWebview/d8a21c6",
    " Instagram 409.0.0.48.170 Android (36/16; 450dpi; 1080x2340; samsung; SM-S938U; pa3q; qcom; de_DE; 841234567; IABMV/1)",
    " [FB_IAB/FB4A;FBAV/535.0.0.48.67;IABMV/1;]",
    " [FB_IAB/Orca-Android;FBAV/530.0.0.42.101;]",
    " [Pinterest/Android]",
    " Snapchat/13.60.0.41 (SM-S938U; Android 16#S938USQU1AYA1#36; gzip; )",
    " Twitter/10.90",
    " LinkedInApp/4.1.1090",
    " Line/15.18.0/IAB",
    " Reddit/Version 2025.40.0/Build 2540123/Android 15",
    " WhatsApp/2.25.30.70 A",
    " GSA/16.40.31.29.arm64",
    " Barcelona 400.0.0.40.109 Android (36/16; 450dpi; 1080x2340; samsung; SM-S938U; pa3q; qcom; de_DE; 841234567)",
    " Viber/26.0",
    " KAKAOTALK/25.9.1",
]
#: The platform comment of an iPhone or iPad.
IPHONES = [
    "iPhone; CPU iPhone OS 17_7 like Mac OS X",
    "iPhone; CPU iPhone OS 18_6_2 like Mac OS X",
    "iPhone; CPU iPhone OS 26_1 like Mac OS X",
    "iPad; CPU OS 18_6 like Mac OS X",
    "iPhone; CPU iPhone OS 26_2 like Mac OS X",
]
#: What a browser or an app on iOS adds.
IPHONE_APPS = [
    " Version/26.1 Safari/604.1",
    " musical_ly_42.3.0 JsSdk/2.0 NetType/WIFI Channel/App Store ByteLocale/en Region/US isDarkMode/1 WKWebView/1 RevealType/Dialog BytedanceWebview/d8a21c6",
    " trill_42.3.0 JsSdk/2.0 BytedanceWebview/d8a21c6",
    " Instagram 409.0.0.33.72 (iPhone17,1; iOS 26_1; de_DE; de; scale=3.00; 1206x2622; IABMV/1; 841234567)",
    " [FBAN/FBIOS;FBAV/535.0.0.48.103;FBBV/829312345;FBDV/iPhone17,1;FBMD/iPhone;FBSN/iOS;FBSV/26.1;FBSS/3;FBCR/;FBID/phone;FBLC/de_DE;FBOP/80;IABMV/1]",
    " [Pinterest/iOS]",
    " Snapchat/13.60.0.38 (like Safari/8622.2.11.119.1, panda)",
    " GSA/392.0.820000000 Safari/604.1",
    " Barcelona 400.0.0.30.72 (iPhone17,1; iOS 26_1; de_DE; de; scale=3.00; 1206x2622; 841234567)",
    " LinkedInApp/9.31.7105",
    " Twitter for iPhone/11.40",
    " Safari Line/15.18.0",
    " CriOS/142.0.7444.46 Safari/604.1",
    " FxiOS/145.0 Safari/605.1.15",
    " EdgiOS/142.0 Safari/604.1",
    " DuckDuckGo/7 Safari/605.1.15",
]


@pytest.mark.parametrize("app", ANDROID_APPS, ids=[app.split("/")[0].strip() or "web view" for app in ANDROID_APPS])
def test_android_in_any_app_is_a_person(app: str) -> None:
    agents = [
        f"Mozilla/5.0 (Linux; {device}) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.48"
        f" Mobile Safari/537.36{app}"
        for device in ANDROIDS
    ]
    assert [agent for agent in agents if agent_of(agent).kind != PERSON] == []


@pytest.mark.parametrize("app", IPHONE_APPS, ids=[app.split("/")[0].strip() for app in IPHONE_APPS])
def test_iphone_in_any_app_is_a_person(app: str) -> None:
    agents = [
        f"Mozilla/5.0 ({device}) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148{app}" for device in IPHONES
    ]
    assert [agent for agent in agents if agent_of(agent).kind != PERSON] == []
