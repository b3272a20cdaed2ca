"""Raw ``Cookie`` headers as platforms write them, and what each means; typed by hand, no browser wrote them here."""

from __future__ import annotations

from typing import NamedTuple

from tiktok_middleware.core.consent.consent import State

GRANTED, DENIED, UNKNOWN = State.GRANTED, State.DENIED, State.UNKNOWN


class Seen(NamedTuple):
    """One header.

    Attributes:
        name: platform and choice.
        setting: what the site configured.
        answer: where a default that nobody clicked counts for nothing.
        lenient: where such a default counts as granted.
        header: the raw header.
    """

    name: str
    setting: str
    answer: State
    lenient: State
    header: str


SEEN = [
    Seen(
        "onetrust granted",
        "onetrust",
        GRANTED,
        GRANTED,
        "OptanonAlertBoxClosed=2026-02-03T10:00:00.000Z; OptanonConsent=isGpcEnabled=0&datestamp=Tue+Feb+03+2026+11%3A00%3A00+GMT%2B0100+(Central+European+Standard+Time)&version=202601.1.0&browserGpcFlag=0&isIABGlobal=false&hosts=&consentId=11111111-2222-4333-8444-555555555555&interactionCount=1&isAnonUser=1&landingPath=NotLandingPage&groups=C0001%3A1%2CC0002%3A1%2CC0003%3A1%2CC0004%3A1&intType=1&geolocation=DE%3BBE&AwaitingReconsent=false",
    ),
    Seen(
        "onetrust denied",
        "onetrust",
        DENIED,
        DENIED,
        "OptanonAlertBoxClosed=2026-02-03T10:00:00.000Z; OptanonConsent=isGpcEnabled=0&version=202601.1.0&browserGpcFlag=0&interactionCount=1&groups=C0001%3A1%2CC0002%3A0%2CC0003%3A0%2CC0004%3A0&intType=2&AwaitingReconsent=false",
    ),
    Seen(
        "onetrust unset",
        "onetrust",
        UNKNOWN,
        UNKNOWN,
        "OptanonConsent=isGpcEnabled=0&version=202601.1.0&browserGpcFlag=0&interactionCount=0&landingPath=https%3A%2F%2Fshop.example%2F&groups=C0001%3A1%2CC0002%3A0%2CC0003%3A0%2CC0004%3A0",
    ),
    Seen(
        "onetrust implied",
        "onetrust",
        UNKNOWN,
        GRANTED,
        "OptanonConsent=isGpcEnabled=0&version=202601.1.0&interactionCount=0&groups=C0001%3A1%2CC0002%3A1%2CC0004%3A1%2COSSTA_BG%3A1&geolocation=US%3BTX",
    ),
    Seen(
        "onetrust gpc deny",
        "onetrust",
        DENIED,
        DENIED,
        "OptanonConsent=isGpcEnabled=1&version=202601.1.0&browserGpcFlag=1&interactionCount=0&GPPCookiesCount=1&gppSid=7&groups=C0001%3A1%2CC0002%3A1%2COSSTA_BG%3A0%2CC0004%3A0; OTGPPConsent=DBABLA~BVQVAAAAAY.YA; usprivacy=1YYY",
    ),
    Seen(
        "cookiebot granted",
        "cookiebot",
        GRANTED,
        GRANTED,
        "CookieConsent={stamp:%27AbCdEfGh==%27%2Cnecessary:true%2Cpreferences:true%2Cstatistics:true%2Cmarketing:true%2Cmethod:%27explicit%27%2Cver:1%2Cutc:1770112800000%2Cregion:%27de%27}",
    ),
    Seen(
        "cookiebot denied",
        "cookiebot",
        DENIED,
        DENIED,
        "CookieConsent=%7Bstamp%3A%27AbCdEfGh%3D%3D%27%2Cnecessary%3Atrue%2Cpreferences%3Afalse%2Cstatistics%3Afalse%2Cmarketing%3Afalse%2Cmethod%3A%27explicit%27%2Cver%3A1%2Cutc%3A1770112800000%2Cregion%3A%27de%27%7D",
    ),
    Seen("cookiebot declined", "cookiebot", DENIED, DENIED, "CookieConsent=0"),
    Seen("cookiebot implied", "cookiebot", UNKNOWN, GRANTED, "CookieConsent=-1"),
    Seen(
        "cookieyes granted",
        "cookieyes",
        GRANTED,
        GRANTED,
        "cookieyes-consent=consentid:QUJDREVGR0hJSktMTU5PUFFS,consent:yes,action:yes,necessary:yes,functional:yes,analytics:yes,performance:yes,advertisement:yes,other:yes",
    ),
    Seen(
        "cookieyes denied",
        "cookieyes",
        DENIED,
        DENIED,
        "cookieyes-consent=consentid:QUJDREVGR0hJSktMTU5PUFFS,consent:no,action:yes,necessary:yes,functional:no,analytics:no,performance:no,advertisement:no,other:no",
    ),
    Seen(
        "cookieyes unset",
        "cookieyes",
        UNKNOWN,
        UNKNOWN,
        "cookieyes-consent=consentid:QUJDREVGR0hJSktMTU5PUFFS,consent:,action:,necessary:,functional:,analytics:,performance:,advertisement:,other:",
    ),
    Seen(
        "cookieyes implied",
        "cookieyes",
        UNKNOWN,
        GRANTED,
        "cookieyes-consent=consentid:QUJDREVGR0hJSktMTU5PUFFS,consent:no,action:no,necessary:yes,functional:yes,analytics:yes,performance:yes,advertisement:yes,other:yes",
    ),
    Seen(
        "cookieyes us deny",
        "cookieyes",
        DENIED,
        DENIED,
        "cookieyes-consent=consentid:QUJDREVGR0hJSktMTU5PUFFS,consent:yes,action:yes,necessary:yes,functional:no,analytics:no,performance:no,advertisement:no,other:no",
    ),
    Seen(
        "cli-old granted",
        "cookieyes",
        GRANTED,
        GRANTED,
        "viewed_cookie_policy=yes; cookielawinfo-checkbox-necessary=yes; cookielawinfo-checkbox-advertisement=yes",
    ),
    Seen(
        "cli-old denied",
        "cookieyes",
        DENIED,
        DENIED,
        "viewed_cookie_policy=yes; cookielawinfo-checkbox-necessary=yes; cookielawinfo-checkbox-advertisement=no",
    ),
    Seen(
        "cli-old unset",
        "cookieyes",
        UNKNOWN,
        UNKNOWN,
        "cookielawinfo-checkbox-necessary=yes; cookielawinfo-checkbox-advertisement=yes",
    ),
    Seen(
        "complianz granted",
        "complianz",
        GRANTED,
        GRANTED,
        "cmplz_consented_services=; cmplz_policy_id=14; cmplz_marketing=allow; cmplz_statistics=allow; cmplz_preferences=allow; cmplz_functional=allow; cmplz_banner-status=dismissed",
    ),
    Seen(
        "complianz denied",
        "complianz",
        DENIED,
        DENIED,
        "cmplz_policy_id=14; cmplz_marketing=deny; cmplz_statistics=allow; cmplz_preferences=deny; cmplz_functional=allow; cmplz_banner-status=dismissed",
    ),
    Seen("complianz unset", "complianz", UNKNOWN, UNKNOWN, "cmplz_saved_categories=[]; cmplz_saved_services={}"),
    Seen(
        "iubenda granted",
        "iubenda",
        GRANTED,
        GRANTED,
        "_iub_cs-12345678=%7B%22timestamp%22%3A%222026-02-03T10%3A00%3A00.000Z%22%2C%22version%22%3A%221.108.0%22%2C%22purposes%22%3A%7B%221%22%3Atrue%2C%222%22%3Atrue%2C%223%22%3Atrue%2C%224%22%3Atrue%2C%225%22%3Atrue%7D%2C%22id%22%3A12345678%2C%22cons%22%3A%7B%22rand%22%3A%22a1b2c3%22%7D%7D",
    ),
    Seen(
        "iubenda denied",
        "iubenda",
        DENIED,
        DENIED,
        "_iub_cs-12345678=%7B%22timestamp%22%3A%222026-02-03T10%3A00%3A00.000Z%22%2C%22version%22%3A%221.108.0%22%2C%22purposes%22%3A%7B%221%22%3Atrue%2C%222%22%3Afalse%2C%223%22%3Afalse%2C%224%22%3Atrue%2C%225%22%3Afalse%7D%2C%22id%22%3A12345678%7D",
    ),
    Seen(
        "iubenda simple",
        "iubenda",
        GRANTED,
        GRANTED,
        "_iub_cs-12345678=%7B%22consent%22%3Atrue%2C%22timestamp%22%3A%222026-02-03T10%3A00%3A00.000Z%22%2C%22version%22%3A%221.51.0%22%2C%22id%22%3A12345678%7D",
    ),
    Seen("iubenda unset", "iubenda", UNKNOWN, UNKNOWN, "_iub_cs-12345678=%7B%22id%22%3A12345678%7D"),
    Seen(
        "iubenda us deny",
        "iubenda",
        DENIED,
        DENIED,
        "_iub_cs-12345678=%7B%22id%22%3A12345678%7D; _iub_cs-12345678-uspr=%7B%22s%22%3Afalse%2C%22sh%22%3Afalse%2C%22adv%22%3Afalse%7D",
    ),
    Seen(
        "didomi granted",
        "didomi:advertising-Ab12Cd34,c:tiktok-Xy98Zw76",
        GRANTED,
        GRANTED,
        "didomi_token=eyJ1c2VyX2lkIjoiMTliMGMwZGUtMTExMS02MjIyLTgzMzMtNDQ0NDU1NTU2NjY2IiwiY3JlYXRlZCI6IjIwMjYtMDItMDNUMTA6MDA6MDAuMDAwWiIsInVwZGF0ZWQiOiIyMDI2LTAyLTAzVDEwOjAwOjA1LjAwMFoiLCJ2ZW5kb3JzIjp7ImVuYWJsZWQiOlsiYzp0aWt0b2stWHk5OFp3NzYiXSwiZGlzYWJsZWQiOltdfSwicHVycG9zZXMiOnsiZW5hYmxlZCI6WyJhZHZlcnRpc2luZy1BYjEyQ2QzNCJdLCJkaXNhYmxlZCI6W119LCJ2ZXJzaW9uIjoyfQ==",
    ),
    Seen(
        "didomi denied",
        "didomi:advertising-Ab12Cd34,c:tiktok-Xy98Zw76",
        DENIED,
        DENIED,
        "didomi_token=eyJ1c2VyX2lkIjoiMTliMGMwZGUtMTExMS02MjIyLTgzMzMtNDQ0NDU1NTU2NjY2IiwiY3JlYXRlZCI6IjIwMjYtMDItMDNUMTA6MDA6MDAuMDAwWiIsInVwZGF0ZWQiOiIyMDI2LTAyLTAzVDEwOjAwOjA1LjAwMFoiLCJ2ZW5kb3JzIjp7ImVuYWJsZWQiOltdLCJkaXNhYmxlZCI6WyJjOnRpa3Rvay1YeTk4Wnc3NiJdfSwicHVycG9zZXMiOnsiZW5hYmxlZCI6W10sImRpc2FibGVkIjpbImFkdmVydGlzaW5nLUFiMTJDZDM0Il19LCJ2ZXJzaW9uIjoyfQ==",
    ),
    Seen(
        "trustarc granted",
        "trustarc",
        GRANTED,
        GRANTED,
        "notice_behavior=expressed,eu; notice_preferences=2:; notice_gdpr_prefs=0,1,2:; cmapi_gtm_bl=; cmapi_cookie_privacy=permit 1,2,3",
    ),
    Seen(
        "trustarc denied",
        "trustarc",
        DENIED,
        DENIED,
        "notice_behavior=implied,eu; notice_preferences=0:; notice_gdpr_prefs=0::implied,eu; cmapi_cookie_privacy=permit 1 required",
    ),
    Seen(
        "trustarc functional only",
        "trustarc",
        DENIED,
        DENIED,
        "notice_preferences=1:; notice_gdpr_prefs=0,1:; cmapi_cookie_privacy=permit 1,2",
    ),
    Seen(
        "trustarc piped",
        "trustarc",
        GRANTED,
        GRANTED,
        "notice_preferences=2:; notice_gdpr_prefs=0|1|2:; cmapi_cookie_privacy=permit_1|2|3",
    ),
    Seen(
        "trustarc unset",
        "trustarc",
        UNKNOWN,
        UNKNOWN,
        "notice_behavior=implied,us; TAsessionID=11111111-2222-4333-8444-555555555555|NEW",
    ),
    Seen(
        "klaro granted",
        "klaro:tiktok-pixel",
        GRANTED,
        GRANTED,
        "klaro=%7B%22session%22%3Atrue%2C%22tiktok-pixel%22%3Atrue%7D",
    ),
    Seen(
        "klaro denied",
        "klaro:tiktok-pixel",
        DENIED,
        DENIED,
        "klaro=%7B%22session%22%3Atrue%2C%22tiktok-pixel%22%3Afalse%7D",
    ),
    Seen("tarteaucitron granted", "tarteaucitron", GRANTED, GRANTED, "tarteaucitron=!youtube=false!tiktok=true"),
    Seen("tarteaucitron denied", "tarteaucitron", DENIED, DENIED, "tarteaucitron=!tiktokvideo=true!tiktok=false"),
    Seen("tarteaucitron unset", "tarteaucitron", UNKNOWN, UNKNOWN, "tarteaucitron=!tiktokvideo=true!tiktok=wait"),
    Seen(
        "axeptio granted",
        "axeptio:tiktok_pixel",
        GRANTED,
        GRANTED,
        "axeptio_cookies={%22$$token%22:%22abcdefghijklmnop%22%2C%22$$date%22:%222026-02-03T10:00:00.000Z%22%2C%22$$completed%22:true%2C%22tiktok_pixel%22:true}; axeptio_authorized_vendors=%2Ctiktok_pixel%2C; axeptio_all_vendors=%2Ctiktok_pixel%2C",
    ),
    Seen(
        "axeptio denied",
        "axeptio:tiktok_pixel",
        DENIED,
        DENIED,
        'axeptio_cookies={"$$token":"abcdefghijklmnop","$$date":"2026-02-03T10:00:00.000Z","tiktok_pixel":false,"$$completed":true}; axeptio_authorized_vendors=,,; axeptio_all_vendors=,tiktok_pixel,',
    ),
    Seen(
        "axeptio unset",
        "axeptio:tiktok_pixel",
        UNKNOWN,
        UNKNOWN,
        "axeptio_cookies={%22$$token%22:%22abcdefghijklmnop%22%2C%22$$date%22:%222026-02-03T10:00:00.000Z%22%2C%22$$completed%22:false}; axeptio_authorized_vendors=%2C%2C; axeptio_all_vendors=%2C%2C",
    ),
    Seen(
        "borlabs3 granted",
        "borlabs:tiktok-pixel",
        GRANTED,
        GRANTED,
        "borlabs-cookie=%7B%22consents%22%3A%7B%22essential%22%3A%5B%22borlabs-cookie%22%5D%2C%22marketing%22%3A%5B%22tiktok-pixel%22%5D%7D%2C%22domainPath%22%3A%22shop.example%2F%22%2C%22expires%22%3A%22Tue%2C%2002%20Feb%202027%2010%3A00%3A00%20GMT%22%2C%22uid%22%3A%22anonymous%22%2C%22v3%22%3Atrue%2C%22version%22%3A1%7D",
    ),
    Seen(
        "borlabs2 denied",
        "borlabs:tiktok-pixel",
        DENIED,
        DENIED,
        "borlabs-cookie=%7B%22consents%22%3A%7B%22essential%22%3A%5B%22borlabs-cookie%22%5D%7D%2C%22domainPath%22%3A%22shop.example%2F%22%2C%22expires%22%3A%22Tue%2C%2002%20Feb%202027%2010%3A00%3A00%20GMT%22%2C%22uid%22%3A%22anonymous%22%2C%22version%22%3A%221%22%7D",
    ),
    Seen(
        "cookiefirst granted",
        "cookiefirst",
        GRANTED,
        GRANTED,
        "cookiefirst-consent=%7B%22necessary%22%3Atrue%2C%22performance%22%3Atrue%2C%22functional%22%3Atrue%2C%22advertising%22%3Atrue%2C%22timestamp%22%3A1770112800%2C%22type%22%3A%22category%22%2C%22version%22%3A%2211111111-2222-4333-8444-555555555555%22%7D",
    ),
    Seen(
        "cookiefirst denied",
        "cookiefirst",
        DENIED,
        DENIED,
        'cookiefirst-consent={"necessary":true,"performance":true,"functional":true,"advertising":false,"timestamp":"2026-02-03T10:00:00.000Z","type":"category"}',
    ),
    Seen(
        "civic granted",
        "civic:marketing",
        GRANTED,
        GRANTED,
        'CookieControl={"necessaryCookies":["PHPSESSID"],"optionalCookies":{"analytics":"accepted","marketing":"accepted"},"statement":{"shown":true,"updated":"01/01/2026"},"consentDate":1770112800000,"consentExpiry":90,"interactedWith":true,"user":"11111111-2222-4333-8444-555555555555"}',
    ),
    Seen(
        "civic denied",
        "civic:marketing",
        DENIED,
        DENIED,
        'CookieControl={"necessaryCookies":[],"optionalCookies":{},"statement":{},"consentDate":1770112800000,"consentExpiry":90,"interactedWith":true,"user":"11111111-2222-4333-8444-555555555555"}',
    ),
    Seen(
        "civic unset",
        "civic:marketing",
        UNKNOWN,
        UNKNOWN,
        'CookieControl={"necessaryCookies":[],"optionalCookies":{"marketing":"legitimate interest"},"initialState":{"type":"notify"},"statement":{},"consentDate":1770112800000,"consentExpiry":90,"interactedWith":false,"user":"1"}',
    ),
    Seen(
        "ketch granted",
        "ketch:targeted_advertising",
        GRANTED,
        GRANTED,
        "_ketch_consent_v1_=eyJlc3NlbnRpYWxfc2VydmljZXMiOnsic3RhdHVzIjoiZ3JhbnRlZCIsImNhbm9uaWNhbFB1cnBvc2VzIjpbImVzc2VudGlhbF9zZXJ2aWNlcyJdfSwidGFyZ2V0ZWRfYWR2ZXJ0aXNpbmciOnsic3RhdHVzIjoiZ3JhbnRlZCIsImNhbm9uaWNhbFB1cnBvc2VzIjpbImJlaGF2aW9yYWxfYWR2ZXJ0aXNpbmciXX19",
    ),
    Seen(
        "ketch denied",
        "ketch:targeted_advertising",
        DENIED,
        DENIED,
        "_ketch_consent_v1_=eyJlc3NlbnRpYWxfc2VydmljZXMiOnsic3RhdHVzIjoiZ3JhbnRlZCIsImNhbm9uaWNhbFB1cnBvc2VzIjpbImVzc2VudGlhbF9zZXJ2aWNlcyJdfSwidGFyZ2V0ZWRfYWR2ZXJ0aXNpbmciOnsic3RhdHVzIjoiZGVuaWVkIiwiY2Fub25pY2FsUHVycG9zZXMiOlsiYmVoYXZpb3JhbF9hZHZlcnRpc2luZyJdfX0%3D",
    ),
    Seen(
        "securiti granted",
        "securiti:14",
        GRANTED,
        GRANTED,
        '__privaci_cookie_consents={"consents":{"13":1,"14":1,"15":1},"location":"BE#DE","lang":"en","gpcInBrowserOnConsent":false,"gpcStatusInPortalOnConsent":true,"status":"record-consent-success","implicit_consent":false}',
    ),
    Seen(
        "securiti denied",
        "securiti:14",
        DENIED,
        DENIED,
        '__privaci_cookie_consents={"consents":{"13":1},"location":"BE#DE","lang":"en","gpcInBrowserOnConsent":false,"status":"record-consent-success","implicit_consent":false}',
    ),
    Seen(
        "cc_cookie granted",
        "cc_cookie:marketing",
        GRANTED,
        GRANTED,
        "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%2C%22marketing%22%5D%2C%22revision%22%3A0%2C%22data%22%3Anull%2C%22consentTimestamp%22%3A%222026-02-03T10%3A00%3A00.000Z%22%2C%22consentId%22%3A%2211111111-2222-4333-8444-555555555555%22%2C%22services%22%3A%7B%22necessary%22%3A%5B%5D%2C%22marketing%22%3A%5B%5D%7D%2C%22languageCode%22%3A%22en%22%2C%22expirationTime%22%3A1785837600000%7D",
    ),
    Seen(
        "cc_cookie denied",
        "cc_cookie:marketing",
        DENIED,
        DENIED,
        "cc_cookie=%7B%22categories%22%3A%5B%22necessary%22%5D%2C%22revision%22%3A0%2C%22services%22%3A%7B%22necessary%22%3A%5B%5D%7D%7D",
    ),
    Seen(
        "django granted",
        "django:marketing",
        GRANTED,
        GRANTED,
        'cookie_consent="social=-1|marketing=2026-02-03T10:00:00.000000"',
    ),
    Seen(
        "django denied",
        "django:marketing",
        DENIED,
        DENIED,
        'cookie_consent="marketing=-1|analytics=2026-02-03T10:00:00.000000"',
    ),
    Seen(
        "osano opaque",
        "auto",
        UNKNOWN,
        UNKNOWN,
        "osano_consentmanager_uuid=11111111-2222-4333-8444-555555555555; osano_consentmanager=q1W2e3R4t5Y6u7I8o9P0-_AbCdEfGhIjKlMnOpQrStUvWxYz",
    ),
    Seen(
        "osano plain denied",
        "auto",
        DENIED,
        DENIED,
        "osano_consentmanager=%7B%22ESSENTIAL%22%3A%22ACCEPT%22%2C%22MARKETING%22%3A%22DENY%22%2C%22ANALYTICS%22%3A%22DENY%22%7D",
    ),
    Seen(
        "sourcepoint",
        "auto",
        UNKNOWN,
        UNKNOWN,
        "consentUUID=11111111-2222-4333-8444-555555555555_38; consentDate=2026-02-03T10:00:00.000Z",
    ),
    Seen(
        "shopify granted",
        "shopify",
        GRANTED,
        GRANTED,
        "_tracking_consent=%7B%22con%22%3A%7B%22CMP%22%3A%7B%22a%22%3A%221%22%2C%22m%22%3A%221%22%2C%22p%22%3A%221%22%2C%22s%22%3A%22%22%7D%7D%2C%22v%22%3A%222.1%22%2C%22region%22%3A%22DEBE%22%2C%22reg%22%3A%22GDPR%22%7D",
    ),
    Seen(
        "shopify denied",
        "shopify",
        DENIED,
        DENIED,
        "_tracking_consent=%7B%22con%22%3A%7B%22CMP%22%3A%7B%22a%22%3A%221%22%2C%22m%22%3A%220%22%2C%22p%22%3A%221%22%2C%22s%22%3A%22%22%7D%7D%2C%22v%22%3A%222.1%22%2C%22region%22%3A%22DEBE%22%2C%22reg%22%3A%22GDPR%22%7D",
    ),
    Seen(
        "shopify unset",
        "shopify",
        UNKNOWN,
        UNKNOWN,
        "_tracking_consent=%7B%22con%22%3A%7B%22CMP%22%3A%7B%22a%22%3A%221%22%2C%22m%22%3A%22%22%2C%22p%22%3A%221%22%2C%22s%22%3A%22%22%7D%7D%2C%22v%22%3A%222.1%22%2C%22region%22%3A%22DEBE%22%2C%22reg%22%3A%22GDPR%22%7D",
    ),
]
