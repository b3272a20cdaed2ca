"""The corners that platforms' own pages and captured headers show: defaults, regional opt-outs, renamed and old shapes."""

from __future__ import annotations

import base64

import pytest

from tests.core.consent.platforms.headers_seen import DENIED, GRANTED, UNKNOWN
from tiktok_middleware.core.consent.consent import State
from tiktok_middleware.core.consent.platforms import reader_for


def check(setting: str, header: str, answer: State, lenient: State | None = None) -> None:
    assert reader_for(setting, implied=UNKNOWN)(header) is answer
    assert reader_for(setting, implied=GRANTED)(header) is (lenient or answer)


def token(json: str) -> str:
    return base64.b64encode(json.encode()).decode()


CLICKED = "OptanonAlertBoxClosed=2026-02-03T10:00:00.000Z; "


@pytest.mark.parametrize(
    ("header", "answer", "lenient"),
    [
        (CLICKED + "OptanonConsent=groups=C0004%3A1", GRANTED, GRANTED),
        (CLICKED + "OptanonConsent=groups=C0004:1,C0005:0", GRANTED, GRANTED),
        ("OptanonConsent=interactionCount=3&groups=C0004%3A1", GRANTED, GRANTED),
        ("OptanonConsent=interactionCount=10&groups=C0004%3A0", DENIED, DENIED),
        ("OptanonConsent=interactionCount=00&groups=C0004%3A1", UNKNOWN, GRANTED),
        ("OptanonConsent=interactionCount=-1&groups=C0004%3A1", UNKNOWN, GRANTED),
        ("OptanonConsent=interactionCount=%C2%B2&groups=C0004%3A1", UNKNOWN, GRANTED),
        ("OptanonConsent=interactionCount=\xb2&groups=C0004%3A1", UNKNOWN, GRANTED),
        ("OptanonAlertBoxClosed=2026-02; OptanonConsent=groups=C0004%3A1", UNKNOWN, GRANTED),
        ("OptanonAlertBoxClosed=; OptanonConsent=groups=C0004%3A1", UNKNOWN, GRANTED),
        ("OptanonAlertBoxClosed=2026-02-03T10%3A00%3A00.000Z; OptanonConsent=groups=C0004%3A1", GRANTED, GRANTED),
        ("OptanonAlertBoxClosed=%; OptanonConsent=groups=C0004%3A1", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=C0004%3A1&AwaitingReconsent=true", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=C0004%3A1&AwaitingReconsent=True", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=C0004%3A1&AwaitingReconsent=1", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=C0004%3A1&AwaitingReconsent=", GRANTED, GRANTED),
        (CLICKED + 'OptanonConsent="groups=C0004%3A1&intType=1"', GRANTED, GRANTED),
        (CLICKED + 'OptanonConsent="groups=C0004%3A0&intType=2"', DENIED, DENIED),
        (CLICKED + 'OptanonConsent="groups=C0004%3A1', UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=C0004%3A1%2CSSPD_BG%3A0", DENIED, DENIED),
        (CLICKED + "OptanonConsent=groups=C0004%3A1%2CSSPD_BG%3A1", GRANTED, GRANTED),
        ("OptanonAlertBoxClosed=2026-02-03T10:00:00.000+00:00; OptanonConsent=groups=C0004%3A1", GRANTED, GRANTED),
        ("OptanonAlertBoxClosed=2026-02-03T10:00:00.000+01:00; OptanonConsent=groups=C0004%3A1", UNKNOWN, GRANTED),
        (CLICKED + "OptanonConsent=groups=1%3A1%2C4%3A1", UNKNOWN, UNKNOWN),  # ids of another account
        (CLICKED + "OptanonConsent=groups=C0004%3A0&AwaitingReconsent=true", DENIED, DENIED),
        (CLICKED + "OptanonConsent=groups=C0001%3A1", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=C0004%3A2", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=C0004%3Atrue", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=xC0004%3A1", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=hosts=C0004%3A1", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=C0004%3A1&groups=C0004%3A0", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=C0004%3A1%2CC0004%3A0", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups=C0004%3A1%2CSPD_BG%3A0", DENIED, DENIED),
        (CLICKED + "OptanonConsent=groups=C0004%3A1%2CSPD_BG%3A", UNKNOWN, UNKNOWN),
        ("OptanonConsent=isGpcEnabled=1&groups=C0004%3A0", DENIED, DENIED),
        ("OptanonConsent=isGpcEnabled=0&browserGpcFlag=1&groups=C0004%3A0", UNKNOWN, UNKNOWN),
        (CLICKED + "OptanonConsent=groups%3DC0004%253A1", UNKNOWN, UNKNOWN),
        (
            CLICKED + "OptanonConsent=groups=" + "%2C".join(f"{n}%3A1" for n in range(63)) + "%2CC0004%3A1",
            GRANTED,
            GRANTED,
        ),
        (CLICKED + "OptanonConsent=groups=C0004%3A1%2C" + "%2C".join(f"{n}%3A1" for n in range(64)), UNKNOWN, UNKNOWN),
    ],
)
def test_onetrust(header: str, answer: State, lenient: State) -> None:
    check("onetrust", header, answer, lenient)


@pytest.mark.parametrize(
    ("groups", "answer"),
    [
        ("BG17%3A1%2CC0005%3A1", GRANTED),
        ("BG17%3A1%2CC0005%3A0", DENIED),
        ("BG17%3A1", UNKNOWN),
        ("C0004%3A1%2CC0005%3A1", UNKNOWN),
    ],
)
def test_onetrust_needs_all_of_the_ids(groups: str, answer: State) -> None:
    check("onetrust:BG17,C0005", f"{CLICKED}OptanonConsent=groups={groups}", answer)
    check("onetrust:BG17, C0005", f"{CLICKED}OptanonConsent=groups={groups}", answer)


@pytest.mark.parametrize(
    ("value", "answer", "lenient"),
    [
        ("{marketing:true,method:'explicit'}", GRANTED, GRANTED),
        ("{stamp:'x', marketing:true, method:'explicit'}", GRANTED, GRANTED),
        ("{stamp:'x', marketing: true, method:'explicit'}", UNKNOWN, UNKNOWN),
        ("{marketing:true,method:'explicit',iab2:'CQ',gacm:'1~2.3',region:'us-06'}", GRANTED, GRANTED),
        ("{marketing:true,method:'implied'}", UNKNOWN, GRANTED),
        ("{marketing:true}", UNKNOWN, UNKNOWN),
        ("{marketing:true,method:'strict'}", UNKNOWN, UNKNOWN),
        ("{marketing:true,method:explicit}", UNKNOWN, UNKNOWN),
        ("{marketing:false,method:'implied'}", DENIED, DENIED),
        ("{marketing:True,method:'explicit'}", UNKNOWN, UNKNOWN),
        ("{marketing:'true',method:'explicit'}", UNKNOWN, UNKNOWN),
        ("{xmarketing:true,method:'explicit'}", UNKNOWN, UNKNOWN),
        ("{stamp:'marketing:true,method:',method:'explicit'}", UNKNOWN, UNKNOWN),
        ("{stamp:',marketing:true,',marketing:false,method:'explicit'}", DENIED, DENIED),
        ("{marketing:true,marketing:false,method:'explicit'}", UNKNOWN, UNKNOWN),
        ("{marketing:true,method:'explicit'", UNKNOWN, UNKNOWN),
        ("marketing:true,method:'explicit'}", UNKNOWN, UNKNOWN),
        ("{marketing:true,method:'explicit}", UNKNOWN, UNKNOWN),
        ('{"marketing":true,"method":"explicit"}', UNKNOWN, UNKNOWN),
        ("{" + ",".join(f"a{n}:1" for n in range(62)) + ",marketing:true,method:'explicit'}", GRANTED, GRANTED),
        ("{" + ",".join(f"a{n}:1" for n in range(63)) + ",marketing:true,method:'explicit'}", UNKNOWN, UNKNOWN),
        ("{}", UNKNOWN, UNKNOWN),
        ("true", UNKNOWN, UNKNOWN),
        ("1", UNKNOWN, UNKNOWN),
        ("-2", UNKNOWN, UNKNOWN),
        ("%2D1", UNKNOWN, GRANTED),
    ],
)
def test_cookiebot(value: str, answer: State, lenient: State) -> None:
    check("cookiebot", f"CookieConsent={value}", answer, lenient)


@pytest.mark.parametrize(
    ("value", "answer", "lenient"),
    [
        ("action:yes,advertisement:yes", GRANTED, GRANTED),
        ("action%3Ayes%2Cadvertisement%3Ayes", GRANTED, GRANTED),
        ("consent:yes,advertisement:yes", UNKNOWN, UNKNOWN),
        ("action:,advertisement:yes", UNKNOWN, UNKNOWN),
        ("action:no,advertisement:no", UNKNOWN, UNKNOWN),
        ("action:no,advertisement:yes", UNKNOWN, GRANTED),
        ("action:yes,xadvertisement:yes", UNKNOWN, UNKNOWN),
        ("action:yes,advertisement:Yes", UNKNOWN, UNKNOWN),
        ("action:yes,advertisement:yes,advertisement:no", UNKNOWN, UNKNOWN),
        ("action:yes,advertisement", UNKNOWN, UNKNOWN),
    ],
)
def test_cookieyes(value: str, answer: State, lenient: State) -> None:
    check("cookieyes", f"cookieyes-consent={value}", answer, lenient)


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("viewed_cookie_policy=yes; cookielawinfo-checkbox-non-necessary=yes", GRANTED),
        ("viewed_cookie_policy=yes; cookielawinfo-checkbox-non-necessary=no", DENIED),
        ("viewed_cookie_policy=no; cookielawinfo-checkbox-advertisement=yes", DENIED),
        ("viewed_cookie_policy=yes; viewed_cookie_policy=no; cookielawinfo-checkbox-advertisement=yes", DENIED),
        ("viewed_cookie_policy=yes; viewed_cookie_policy=; cookielawinfo-checkbox-advertisement=yes", UNKNOWN),
        ("viewed_cookie_policy=yes", UNKNOWN),
        ("viewed_cookie_policy=yes; cookielawinfo-checkbox-analytics=yes", UNKNOWN),
        ("viewed_cookie_policy=true; cookielawinfo-checkbox-advertisement=yes", UNKNOWN),
        ("viewed_cookie_policy=yes; cookielawinfo-checkbox-advertisement=true", UNKNOWN),
        ("xviewed_cookie_policy=no", UNKNOWN),
        # The newer plugin's cookie decides as soon as it is there.
        (
            "cookieyes-consent=action:,advertisement:; viewed_cookie_policy=yes; cookielawinfo-checkbox-advertisement=yes",
            UNKNOWN,
        ),
        ("cookieyes-consent=action:yes,advertisement:yes; viewed_cookie_policy=no", GRANTED),
    ],
)
def test_cookieyes_of_old(header: str, answer: State) -> None:
    check("cookieyes", header, answer)


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ("cmplz_rt_marketing=allow", GRANTED),
        ("cmplz_marketing=allow; cmplz_rt_marketing=deny", DENIED),
        ("cmplz_marketing=Allow", UNKNOWN),
        ("cmplz_marketing=", UNKNOWN),
        ("cmplz_marketing_x=allow; cmplz_statistics=allow", UNKNOWN),
    ],
)
def test_complianz(header: str, answer: State) -> None:
    check("complianz", header, answer)


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ('_iub_cs-s12345={"purposes":{"5":true}}', GRANTED),
        ('_iub_cs-12345={"purposes":{"1":true}}', DENIED),
        ('_iub_cs-12345={"purposes":{"5":1}}', UNKNOWN),
        ('_iub_cs-12345={"purposes":[5]}', UNKNOWN),
        ('_iub_cs-12345={"consent":false}', DENIED),
        ('_iub_cs-12345={"consent":false,"purposes":{"5":true}}', DENIED),
        ('_iub_cs-12345={"consent":true,"purposes":{"5":false}}', DENIED),
        ('_iub_cs-12345={"consent":"true"}', UNKNOWN),
        ('_iub_cs-1={"consent":true}; _iub_cs-2={"consent":false}', DENIED),
        ('_iub_cs-1={"consent":true}; _iub_cs-1-granular={"consent":false}', GRANTED),
        ('_iub_cs-1={"consent":true}; _iub_cs-1-uspr={"s":true,"sh":true,"adv":true}', GRANTED),
        ('_iub_cs-1={"consent":true}; _iub_cs-1-uspr={"s":true,"sh":true,"adv":false}', DENIED),
        ('_iub_cs-1={"consent":true}; _iub_cs-1-uspr={"s":true', UNKNOWN),
        ('_iub_cs-1-uspr={"s":true,"sh":true,"adv":true}', UNKNOWN),
        ('_iub_cs-1-uspr={"s":false}', DENIED),
        ('_iub_cs-x1={"consent":true}', UNKNOWN),
    ],
)
def test_iubenda(header: str, answer: State) -> None:
    check("iubenda", header, answer)


@pytest.mark.parametrize(
    ("setting", "json", "answer"),
    [
        ("didomi:ads", '{"purposes":{"enabled":["ads"]}}', GRANTED),
        ("didomi:ads", '{"purposes":{"disabled":["ads"]}}', DENIED),
        ("didomi:ads", '{"purposes":{"enabled":["ads"],"disabled":["ads"]}}', DENIED),
        ("didomi:ads", '{"purposes":{"enabled":["adsx"]}}', UNKNOWN),
        ("didomi:ads", '{"purposes":{"enabled":"ads"}}', UNKNOWN),
        ("didomi:ads", '{"purposes":{}}', UNKNOWN),
        ("didomi:ads", '{"purposes_li":{"enabled":["ads"]}}', UNKNOWN),
        ("didomi:ads,c:tt", '{"purposes":{"enabled":["ads"]},"vendors":{"enabled":["c:tt"]}}', GRANTED),
        ("didomi:ads,c:tt", '{"purposes":{"enabled":["ads"]},"vendors":{"disabled":["c:tt"]}}', DENIED),
        ("didomi:ads,c:tt", '{"purposes":{"enabled":["ads"]},"vendors":{"enabled":[]}}', UNKNOWN),
        ("didomi:ads,c:tt", '{"purposes":{"enabled":["ads"]}}', UNKNOWN),
        ("didomi:ads", "[]", UNKNOWN),
        ("didomi:ads", "ads", UNKNOWN),
    ],
)
def test_didomi(setting: str, json: str, answer: State) -> None:
    check(setting, f"didomi_token={token(json)}", answer)
    check(setting, f"didomi_token={token(json).replace('=', '%3D')}", answer)
    check(setting, f"didomi_token={token(json)[:4]}!{token(json)[4:]}", UNKNOWN)


@pytest.mark.parametrize(
    ("header", "answer", "lenient"),
    [
        ("cmapi_cookie_privacy=permit 1,2,3", GRANTED, GRANTED),
        ("cmapi_cookie_privacy=permit%201%2C2%2C3", GRANTED, GRANTED),
        ("notice_behavior=expressed,eu; cmapi_cookie_privacy=permit 1,2,3", GRANTED, GRANTED),
        ("notice_behavior=implied,us; cmapi_cookie_privacy=permit 1,2,3", UNKNOWN, GRANTED),
        ("notice_behavior=implied,us; notice_preferences=2:; cmapi_cookie_privacy=permit 1,2,3", GRANTED, GRANTED),
        ("notice_behavior=implied,us; cmapi_cookie_privacy=permit 1,2", DENIED, DENIED),
        ("cmapi_cookie_privacy=permit 1", DENIED, DENIED),
        ("cmapi_cookie_privacy=permit 1 requir", UNKNOWN, UNKNOWN),
        ("cmapi_cookie_privacy=permit 1,2,13", DENIED, DENIED),
        ("cmapi_cookie_privacy=permit 1,2,3,4", GRANTED, GRANTED),
        ("cmapi_cookie_privacy=permit 1,2,", UNKNOWN, UNKNOWN),
        ("cmapi_cookie_privacy=xpermit 1,2,3", UNKNOWN, UNKNOWN),
        ("cmapi_cookie_privacy=Permit 1,2,3", UNKNOWN, UNKNOWN),
        ("notice_gdpr_prefs=0,1,2:", GRANTED, GRANTED),
        ("notice_gdpr_prefs=0,1,2:cb8350a2759273dc", GRANTED, GRANTED),
        ("notice_gdpr_prefs=0,1,2", UNKNOWN, UNKNOWN),
        ("notice_gdpr_prefs=0,1:2", DENIED, DENIED),
        ("notice_preferences=3:", GRANTED, GRANTED),
        ("notice_preferences=1:", DENIED, DENIED),
        ("notice_preferences=2", UNKNOWN, UNKNOWN),
        ("notice_preferences=%D9%A2:", UNKNOWN, UNKNOWN),
        ("notice_preferences=2:; notice_gdpr_prefs=0:", DENIED, DENIED),
        ("notice_preferences=2:; cmapi_cookie_privacy=permit 1", DENIED, DENIED),
        ("notice_preferences=2:; gpcishonored=true", DENIED, DENIED),
        ("notice_preferences=2:; gpcishonored=false", GRANTED, GRANTED),
    ],
)
def test_trustarc(header: str, answer: State, lenient: State) -> None:
    check("trustarc", header, answer, lenient)


@pytest.mark.parametrize(
    ("setting", "header", "answer"),
    [
        ("klaro:tt", 'klaro={"tt":true}', GRANTED),
        ("klaro:tt", 'klaro={"tt":"true"}', UNKNOWN),
        ("klaro:tt", 'klaro={"tt":1}', UNKNOWN),
        ("klaro:tt", 'klaro={"TT":true}', UNKNOWN),
        ("klaro:tt", 'klaro={"ttx":true}', UNKNOWN),
        ("klaro:tt", 'klaro=[{"tt":true}]', UNKNOWN),
        ("klaro:tt", "klaro=%257B%2522tt%2522%253Atrue%257D", UNKNOWN),
        ("klaro:tt", 'klaro={"tt":true}}', UNKNOWN),
        ("klaro:é", 'klaro={"Ã©":true}', GRANTED),
        ("klaro:é", "klaro=%7B%22%C3%A9%22:true%7D", GRANTED),
        ("klaro:é", 'klaro={"\xe9":true}', UNKNOWN),
        ("klaro:é", 'klaro={"\u20ac":true}', UNKNOWN),
        ("klaro:tt", 'klaro={"tt":true,"a":"100%"}', UNKNOWN),
        ("tarteaucitron:tiktokpixel", "tarteaucitron=!tiktokpixel=true", GRANTED),
        ("tarteaucitron:tiktokpixel", "tarteaucitron=!tiktok=true", UNKNOWN),
        ("tarteaucitron", "tarteaucitron=tiktok=true", UNKNOWN),
        ("tarteaucitron", "tarteaucitron=x!tiktok=true", UNKNOWN),
        ("tarteaucitron", "tarteaucitron=!tiktok=true!tiktok=false", UNKNOWN),
        ("tarteaucitron", "tarteaucitron=!tiktok=TRUE", UNKNOWN),
        ("tarteaucitron", "tarteaucitron=%21tiktok%3Dtrue", GRANTED),
        ("cookiefirst", 'cookiefirst-consent={"advertising":1}', UNKNOWN),
        ("cookiefirst", 'cookiefirst-consent={"type":"service","marketing":true}', UNKNOWN),
        ("borlabs", 'borlabs-cookie={"consents":{"marketing":["x"]}}', GRANTED),
        ("borlabs", 'borlabs-cookie={"consents":{"marketing":[]}}', DENIED),
        ("borlabs", 'borlabs-cookie={"consents":{"marketing":false}}', DENIED),
        ("borlabs", 'borlabs-cookie={"consents":{"marketing":true}}', UNKNOWN),
        ("borlabs", 'borlabs-cookie={"consents":[]}', UNKNOWN),
        ("borlabs", 'borlabs-cookie={"uid":"anonymous"}', UNKNOWN),
        ("borlabs:tt", 'borlabs-cookie={"consents":{"marketing":["x"]}}', DENIED),
        ("borlabs:tt", 'borlabs-cookie={"consents":{"marketing":["ttx"],"essential":["tt"]}}', DENIED),
        ("cc_cookie:ads", 'cc_cookie={"categories":["necessary","ads"]}', GRANTED),
        ("cc_cookie:ads", 'cc_cookie={"categories":["necessary","ADS"]}', DENIED),
        ("cc_cookie:ads", 'cc_cookie={"categories":"ads"}', UNKNOWN),
        ("cc_cookie:ads", 'cc_cookie={"services":{"ads":[]}}', UNKNOWN),
        ("django:ads", "cookie_consent=ads=2026-02-03T10:00:00", GRANTED),
        ("django:ads", "cookie_consent=ads=2026-02-03T10:00:00.000000+00:00", GRANTED),
        ("django:ads", "cookie_consent=ads=2026-02-03", UNKNOWN),
        ("django:ads", "cookie_consent=ads=1", UNKNOWN),
        ("django:ads", "cookie_consent=xads=2026-02-03T10:00:00", UNKNOWN),
        ("django:ads", "cookie_consent=ads=2026-02-03T10:00:00|ads=-1", UNKNOWN),
        ("django:ads", 'cookie_consent="ads=-1', UNKNOWN),
        ("django:ads", 'cookie_consent="', UNKNOWN),
        ("django:ads", 'cookie_consent="ads=-1"', DENIED),
        ("shopify", 'shopify_tracking_consent={"con":{"CMP":{"m":"1"}}}', UNKNOWN),
        ("shopify", '_tracking_consent={"con":{"CMP":{"m":1}}}', UNKNOWN),
        ("shopify", "_tracking_consent=3.AMPS_DEBE_t_f_AbCdEf", UNKNOWN),
    ],
)
def test_one_cookie_and_one_name(setting: str, header: str, answer: State) -> None:
    check(setting, header, answer)


@pytest.mark.parametrize(
    ("json", "answer"),
    [
        ('{"optionalCookies":{"ads":"accepted"},"interactedWith":true}', GRANTED),
        ('{"optionalCookies":{"ads":"accepted"},"interactedWith":false}', UNKNOWN),
        ('{"optionalCookies":{"ads":"accepted"}}', UNKNOWN),
        ('{"optionalCookies":{"ads":"revoked"},"interactedWith":true}', DENIED),
        ('{"optionalCookies":{"ads":"revoked"},"interactedWith":false}', DENIED),
        ('{"optionalCookies":{"ads":"legitimate interest"},"interactedWith":true}', UNKNOWN),
        ('{"optionalCookies":{"ads":true},"interactedWith":true}', UNKNOWN),
        ('{"optionalCookies":{"social":"accepted"},"interactedWith":true}', DENIED),
        ('{"optionalCookies":{},"interactedWith":false}', UNKNOWN),
        ('{"optionalCookies":null,"interactedWith":true}', UNKNOWN),
        ('{"interactedWith":true}', UNKNOWN),
    ],
)
def test_civic(json: str, answer: State) -> None:
    check("civic:ads", f"CookieControl={json}", answer)


@pytest.mark.parametrize(
    ("header", "answer"),
    [
        ('axeptio_cookies={"$$completed":true,"tt":true}', GRANTED),
        ('axeptio_cookies={"$$completed":true}; axeptio_authorized_vendors=,a,tt,', GRANTED),
        ('axeptio_cookies={"$$completed":true}; axeptio_authorized_vendors=,a,ttx,', DENIED),
        ('axeptio_cookies={"$$completed":true}', DENIED),
        ('axeptio_cookies={"$$completed":true,"tt":true}; axeptio_authorized_vendors=,a,', DENIED),
        ('axeptio_cookies={"$$completed":true,"tt":false}; axeptio_authorized_vendors=,tt,', DENIED),
        ('axeptio_cookies={"$$completed":true,"tt":true}; axeptio_authorized_vendors=,t', UNKNOWN),
        ('axeptio_cookies={"$$completed":true,"tt":true}; axeptio_authorized_vendors=,', UNKNOWN),
        ('axeptio_cookies={"$$completed":true,"tt":1}', UNKNOWN),
        ('axeptio_cookies={"$$completed":"true","tt":true}', UNKNOWN),
        ('axeptio_cookies={"tt":true}', UNKNOWN),
        ("axeptio_authorized_vendors=,tt,", UNKNOWN),
        ("axeptio_cookies_x=1; axeptio_authorized_vendors=,tt,", UNKNOWN),
    ],
)
def test_axeptio(header: str, answer: State) -> None:
    check("axeptio:tt", header, answer)


ADS = '{"ads":{"status":"%s","canonicalPurposes":["behavioral_advertising"]}}'


@pytest.mark.parametrize(
    ("setting", "json", "answer", "lenient"),
    [
        ("ketch", ADS % "granted", UNKNOWN, GRANTED),
        ("ketch", ADS % "denied", DENIED, DENIED),
        ("ketch:ads", ADS % "granted", GRANTED, GRANTED),
        ("ketch:ads", ADS % "Granted", UNKNOWN, UNKNOWN),
        ("ketch:other", ADS % "granted", UNKNOWN, UNKNOWN),
        ("ketch:ads", '{"ads":"granted"}', GRANTED, GRANTED),
        ("ketch:ads", '{"ads":"denied"}', DENIED, DENIED),
        ("ketch:ads", '{"ads":true}', UNKNOWN, UNKNOWN),
        ("ketch", '{"ads":"granted"}', UNKNOWN, UNKNOWN),
        ("ketch", '{"ads":{"status":"granted"}}', UNKNOWN, UNKNOWN),
        ("ketch", '{"ads":{"status":"granted","canonicalPurposes":"behavioral_advertising"}}', UNKNOWN, UNKNOWN),
        ("ketch", (ADS % "granted")[:-1] + "," + (ADS % "denied").replace("ads", "more")[1:], DENIED, DENIED),
    ],
)
def test_ketch(setting: str, json: str, answer: State, lenient: State) -> None:
    check(setting, f"_ketch_consent_v1_={token(json)}", answer, lenient)
    check(setting, f"_ketch_consent_v1_={token(json)}; gpcsignal=true", DENIED)
    check(setting, f"_ketch_consent_v1_={token(json)}; gpcsignal=false", answer, lenient)


@pytest.mark.parametrize(
    ("json", "answer", "lenient"),
    [
        ('{"consents":{"7":1}}', GRANTED, GRANTED),
        ('{"consents":{"7":true}}', DENIED, DENIED),
        ('{"consents":{"7":0}}', DENIED, DENIED),
        ('{"consents":{"77":1}}', DENIED, DENIED),
        ('{"consents":{"7":1},"implicit_consent":true}', UNKNOWN, GRANTED),
        ('{"consents":{"7":0},"implicit_consent":true}', UNKNOWN, UNKNOWN),
        ('{"consents":{"7":1},"implicit_consent":"false"}', UNKNOWN, UNKNOWN),
        ('{"consents":{"7":1},"gpcInBrowserOnConsent":true}', DENIED, DENIED),
        ('{"consents":{"7":1},"gpcInBrowserOnConsent":1}', UNKNOWN, UNKNOWN),
        ('{"consents":[7]}', UNKNOWN, UNKNOWN),
        ("{}", UNKNOWN, UNKNOWN),
    ],
)
def test_securiti(json: str, answer: State, lenient: State) -> None:
    check("securiti:7", f"__privaci_cookie_consents={json}", answer, lenient)


def test_securiti_without_an_action_is_a_default() -> None:
    consents = '__privaci_cookie_consents={"consents":{"7":1}}'
    check("securiti:7", f"__privaci_cookie_no_action=true; {consents}", UNKNOWN, GRANTED)
    check("securiti:8", f"__privaci_cookie_no_action=true; {consents}", DENIED)
