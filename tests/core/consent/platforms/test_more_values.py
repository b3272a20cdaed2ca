"""More values of each platform: other names, quoted, encoded in part or wholly, older versions, incomplete, doubled."""

from __future__ import annotations

import base64
from urllib.parse import quote

import pytest

from tests.core.consent.platforms.headers_seen import DENIED, GRANTED, UNKNOWN
from tiktok_middleware.core.consent.platforms import reader_for
from tiktok_middleware.core.consent.state import State


def token(json: str) -> str:
    return base64.b64encode(json.encode()).decode()


EMPTY, KETCH = token('{"purposes":{}}'), token('{"ta":"granted"}')

VALUES: list[tuple[str, str, State]] = [
    # Cookiebot
    (
        "cookiebot",
        "CookieConsent={stamp:'-1',necessary:true,marketing:true,method:'explicit',utc:1770112800000}",
        GRANTED,
    ),
    (
        "cookiebot",
        "CookieConsent=" + quote("{stamp:'a/b+c==',marketing:true,method:'explicit',region:'us-06'}"),
        GRANTED,
    ),
    ("cookiebot", r'CookieConsent="{stamp:\'x\'\054marketing:true\054method:\'explicit\'}"', GRANTED),
    ("cookiebot", "CookieConsent={stamp:'x',marketing:true,ver:1}", UNKNOWN),  # an old record does not say who agreed
    ("cookiebot", "CookieConsent=-2", UNKNOWN),
    # CookieYes
    ("cookieyes", "cookieyes-consent=consentid:x,consent:yes,action:yes,advertisement:yes", GRANTED),
    ("cookieyes", r'cookieyes-consent="consentid:x\054consent:yes\054action:yes\054advertisement:yes"', GRANTED),
    (
        "cookieyes",
        "cookieyes-consent=consentid:a=b,action:yes,advertisement:yes,lastRenewedDate:1700000000000",
        GRANTED,
    ),
    ("cookieyes", "cookieyes-consent=consentid:x,consent:no,action:yes,advertisement:", UNKNOWN),
    ("cookieyes", "cookieyes-consent=consentid:x,consent:yes,action:yes,advertisement:no", DENIED),
    (
        "cookieyes",
        "cookieyes-consent=consentid:x,consent:yes,action:yes,advertisement:yes; cookieyes-consent=x",
        UNKNOWN,
    ),
    # Complianz
    ("complianz", 'cmplz_marketing="allow"', GRANTED),
    ("complianz", "cmplz_rt_marketing=allow; cmplz_rt_banner-status=dismissed", GRANTED),
    ("complianz", "cmplz_marketing=allow%20", UNKNOWN),
    ("complianz", "cmplz_marketing=1", UNKNOWN),
    # iubenda
    ("iubenda", '_iub_cs-1={"version":"1.49.0","purposes":{"1":true,"5":true},"id":1}', GRANTED),
    ("iubenda", r'_iub_cs-1="{\"purposes\":{\"5\":true}\054\"id\":1}"', GRANTED),
    ("iubenda", "_iub_cs-1=" + quote('{"purposes":{"5":"true"},"id":1}'), UNKNOWN),
    ("iubenda", "_iub_cs-1-granular=" + quote('{"tcfv2":{"consent":true}}'), UNKNOWN),
    ("iubenda", '_iub_cs-1={"consent":true,"purposes":{"1":true}}', DENIED),
    # klaro and orejime
    ("klaro:tt", r'klaro="{\"tt\":true}"', GRANTED),
    ("klaro:tt", 'klaro={ "tt" : true , "x" : null }', GRANTED),
    ("klaro:tt", 'klaro={"tt":false,"tt":true,"tt":false}', DENIED),
    ("klaro:tt", "klaro=%EF%BB%BF%7B%22tt%22%3Atrue%7D", UNKNOWN),
    ("klaro:tt", "KLARO=%7B%22tt%22%3Atrue%7D", UNKNOWN),
    ("orejime:tt", "eu-consent=%7B%22tt%22%3Atrue%7D", GRANTED),
    ("orejime:tt", 'eu-consent={"tt":true}; orejime={"tt":true}', GRANTED),
    ("orejime:tt", 'eu-consent={"x":true}; orejime={"tt":true}', UNKNOWN),
    # CookieFirst
    ("cookiefirst", 'cookiefirst-consent={"necessary":true,"advertising":null}', UNKNOWN),
    ("cookiefirst", 'cookiefirst-consent={"necessary":true,"performance":true}', UNKNOWN),
    # tarteaucitron
    ("tarteaucitron", 'tarteaucitron="!gtag=true!tiktok=true"', GRANTED),
    ("tarteaucitron", "tarteaucitron=%21gtag%3Dwait%21tiktok%3Dtrue", GRANTED),
    ("tarteaucitron", "tarteaucitron=!tiktok=wait!tiktok=true", UNKNOWN),
    ("tarteaucitron", "tarteaucitron=!tiktok = true", UNKNOWN),
    ("tarteaucitron", "tarteaucitron=!tiktok=true!", UNKNOWN),  # cut
    # vanilla-cookieconsent
    ("cc_cookie:ads", 'cc_cookie={"level":["necessary","ads"],"revision":0,"data":null,"rfc_cookie":false}', GRANTED),
    ("cc_cookie:ads", "cc_cookie=" + quote('{"categories":[],"revision":0}'), DENIED),
    ("cc_cookie:ads", 'cc_cookie={"categories":["ads"],"level":[]}', GRANTED),  # the newer name decides
    ("cc_cookie:ads,revision=1", 'cc_cookie={"categories":["ads"],"revision":true}', UNKNOWN),
    # Django and Flask packages
    ("django:ads", "cookie_consent=ads%3D2026-02-03T10%3A00%3A00.000000%7Csocial%3D-1", GRANTED),
    ("django:ads", 'cookie_consent="ads=2026-02-03T10:00:00.000000Z"', GRANTED),
    ("django:ads", 'cookie_consent="ads=2026-02-03 10:00:00"', UNKNOWN),
    ("django:ads", 'cookie_consent="ads=-1|ads=-1"', DENIED),
    ("django:ads", "cookie_consent=", UNKNOWN),
    ("flask_consent:ads", "_consent=" + quote('{"enabled":["ads"],"last_updated":"x"}'), GRANTED),
    ("cookiebanner:ads", 'cookiebanner="needed\\054ads"', GRANTED),
    # Didomi and Ketch: base64
    ("didomi:ads", "didomi_token=" + token('{"purposes":{"enabled":["ads"]}}').rstrip("="), GRANTED),
    ("didomi:ads", f'didomi_token="{EMPTY}"', UNKNOWN),
    ("didomi:ads", "didomi_token=" + token('{"purposes":{"enabled":[],"disabled":[]},"vendors":{}}'), UNKNOWN),
    ("didomi:ads", "didomi_dcs=CA.AAAA", UNKNOWN),
    ("ketch:ta", f'_ketch_consent_v1_="{KETCH}"', GRANTED),
    ("ketch:ta", "_ketch_consent_v1_=" + quote(token('{"ta":{"status":"granted"}}')), GRANTED),
    # TrustArc
    ("trustarc", 'notice_preferences="2:"; notice_gdpr_prefs="0,1,2:"; cmapi_cookie_privacy="permit 1,2,3"', GRANTED),
    ("trustarc", "notice_gdpr_prefs=0%2C1%2C2%3A; cmapi_cookie_privacy=permit%201%2C2%2C3", GRANTED),
    ("trustarc", "notice_preferences=2:x; cmapi_cookie_privacy=permit 1 2 3", UNKNOWN),
    ("trustarc", "notice_gdpr_prefs=0, 1, 2:", UNKNOWN),
    # Axeptio, Borlabs, Civic, Securiti
    (
        "axeptio:tt",
        'axeptio_cookies={"$$cookiesVersion":{"name":"en","identifier":"a"},"tt":true,"$$completed":true}',
        GRANTED,
    ),
    ("axeptio:tt", "axeptio_cookies=" + quote('{"tt":true,"$$completed":true}'), GRANTED),
    ("axeptio:TikTok", 'axeptio_cookies={"tiktok":true,"$$completed":true}', DENIED),
    ("borlabs", "borlabs-cookie=" + quote('{"consents":{"marketing":["tiktok"]},"version":"1"}'), GRANTED),
    ("borlabs:tt", 'borlabs-cookie={"consents":{"marketing":{"0":"tt"}},"version":"1"}', UNKNOWN),
    ("borlabs", 'borlabs-cookie={"consents":{"essential":["x"],"statistics":["ga"]}}', DENIED),
    ("civic:ads", "CookieControl=" + quote('{"optionalCookies":{"ads":"accepted"},"interactedWith":true}'), GRANTED),
    ("civic:ads", 'CookieControl={"optionalCookies":{"Ads":"accepted"},"interactedWith":true}', DENIED),
    ("securiti:14", "__privaci_cookie_consents=" + quote('{"consents":{"14":1},"implicit_consent":false}'), GRANTED),
    ("securiti:14", '__privaci_cookie_consents={"consents":{"14":-1}}', DENIED),
    # cookieconsent and c15t
    ("cookieconsent", 'cookieconsent_status="allow"', GRANTED),
    ("cookieconsent", "cookieconsent_status=allow; cookieconsent_status_ads=deny", GRANTED),
    ("cookieconsent", "cookieconsent_status_ads=allow", UNKNOWN),
    ("c15t", "c15t=" + quote("c.marketing:1,i.t:1764500000000"), GRANTED),
    ("c15t", 'c15t="c.marketing:1\\054i.t:1764500000000"', GRANTED),
    ("c15t", "c15t=c.Marketing:1,i.t:1764500000000", DENIED),
]


@pytest.mark.parametrize(("setting", "header", "state"), VALUES)
def test_state(setting: str, header: str, state: State) -> None:
    assert reader_for(setting, implied=UNKNOWN)(header) is state
