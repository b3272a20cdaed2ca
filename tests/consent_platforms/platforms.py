"""Each consent platform as a site would configure it: its setting here, its own code in the page, and its own buttons."""

from __future__ import annotations

import json
from typing import NamedTuple

__all__ = ["PLATFORMS", "Buttons", "Platform", "page"]


class Buttons(NamedTuple):
    """What a visitor clicks: selectors, or JavaScript after ``js:`` where the platform has an interface and no button.

    Attributes:
        accept, refuse, partial: in the first banner; ``partial`` agrees to something else.
        accept_later, refuse_later: once a choice is there and the banner is gone.
    """

    accept: str
    refuse: str
    partial: str
    accept_later: str
    refuse_later: str


class Platform(NamedTuple):
    """One platform on one site.

    Attributes:
        name: for the table of results.
        package: the name and version of the code that runs.
        setting: ``TIKTOK_CONSENT``.
        head: markup of the platform's own code and configuration; ``REVISION`` stands for the site's policy version.
        buttons: what the visitor clicks.
        has_revision: whether a new policy version asks again.
        variables: further options of the middleware.
        is_quick: whether it runs with every test run.
        is_django: whether the site of ``django_site`` serves it.
        ready: JavaScript that is true once the platform hears clicks; empty where it does as soon as it shows its buttons.
    """

    name: str
    package: str
    setting: str
    head: str
    buttons: Buttons
    has_revision: bool = False
    variables: tuple[tuple[str, str], ...] = ()
    is_quick: bool = False
    ready: str = ""
    is_django: bool = False


def _script(path: str) -> str:
    return f'<script src="/modules/{path}"></script>'


_KLARO = """<script>var klaroConfig = {version: 1, elementID: 'klaro', lang: 'en', acceptAll: true, mustConsent: false, %s
  privacyPolicy: '/privacy', translations: {zz: {privacyPolicyUrl: '/privacy'}},
  services: [{name: 'tiktok-pixel', title: 'TikTok', purposes: ['ads']}, {name: 'matomo', title: 'Matomo', purposes: ['stats']}]
    .concat(REVISION > 1 ? [{name: 'another', title: 'Another', purposes: ['ads']}] : [])};</script>"""
_KLARO_BUTTONS = Buttons(
    ".klaro .cm-btn-success",
    ".klaro .cn-decline",
    "js:{const m = klaro.getManager(); m.updateConsent('matomo', true); m.saveAndApplyConsents();}",
    "js:{const m = klaro.getManager(); m.changeAll(true); m.saveAndApplyConsents();}",
    "js:{const m = klaro.getManager(); m.changeAll(false); m.saveAndApplyConsents();}",
)

_TARTEAUCITRON = """<script>
tarteaucitron.init({privacyUrl: '', bodyPosition: 'bottom', hashtag: '#tarteaucitron', cookieName: '%s', orientation: 'bottom',
  groupServices: false, showDetailsOnClick: true, serviceDefaultState: '%s', showAlertSmall: false, cookieslist: false,
  closePopup: false, showIcon: true, iconPosition: 'BottomRight', adblocker: false, DenyAllCta: true, AcceptAllCta: true,
  highPrivacy: %s, handleBrowserDNTRequest: false, removeCredit: true, moreInfoLink: false, useExternalCss: false,
  useExternalJs: false, mandatory: true, mandatoryCta: false, googleConsentMode: false, partnersList: false});
(tarteaucitron.job = tarteaucitron.job || []).push('tiktok', 'etracker');</script>"""

_VANILLA = """<link rel="stylesheet" href="/modules/%s.css"><script>addEventListener('DOMContentLoaded', () => {%s});</script>"""
_VANILLA3 = """CookieConsent.run({revision: REVISION, hideFromBots: false, %s
  categories: {necessary: {enabled: true, readOnly: true}, marketing: {}, analytics: {}},
  language: {default: 'en', translations: {en: {
    consentModal: {title: 'Cookies', description: 'May we?', acceptAllBtn: 'Yes', acceptNecessaryBtn: 'No', showPreferencesBtn: 'Choose'},
    preferencesModal: {title: 'Choose', acceptAllBtn: 'Yes', acceptNecessaryBtn: 'No', savePreferencesBtn: 'Save', sections: []}}}}});"""
_VANILLA2 = """window.cc = initCookieConsent(); cc.run({current_lang: 'en', revision: REVISION, autorun: true, hide_from_bots: false, %s
  languages: {en: {consent_modal: {title: 'Cookies', description: 'May we? {{revision_message}}',
    primary_btn: {text: 'Yes', role: 'accept_all'}, secondary_btn: {text: 'No', role: 'accept_necessary'}, revision_message: 'New.'},
    settings_modal: {title: 'Choose', save_settings_btn: 'Save', accept_all_btn: 'Yes', reject_all_btn: 'No', close_btn_label: 'x',
      blocks: [{title: 'Needed', toggle: {value: 'necessary', enabled: true, readonly: true}},
        {title: 'Ads', toggle: {value: 'marketing', enabled: false, readonly: false}},
        {title: 'Stats', toggle: {value: 'analytics', enabled: false, readonly: false}}]}}}});"""
_VANILLA3_BUTTONS = Buttons(
    "#cc-main .cm [data-role=all]",
    "#cc-main .cm [data-role=necessary]",
    "js:CookieConsent.acceptCategory(['analytics']); CookieConsent.hide()",
    "js:CookieConsent.acceptCategory('all')",
    "js:CookieConsent.acceptCategory([])",
)

_TCF = """<script type="importmap">{"imports": {"@iabtcf/core": "/modules/@iabtcf/core/lib/mjs/index.js"}}</script>
<script type="module">
import {CmpApi} from '/modules/@iabtcf/cmpapi/lib/mjs/index.js';
import {TCModel, TCString, GVL} from '@iabtcf/core';
const list = {gvlSpecificationVersion: 3, vendorListVersion: 143, tcfPolicyVersion: 5, lastUpdated: '2026-01-22T16:00:20Z',
  purposes: Object.fromEntries([1,2,3,4,5,6,7,8,9,10,11].map(id => [id, {id, name: 'p' + id, description: '', illustrations: []}])),
  specialPurposes: {}, features: {}, specialFeatures: {}, stacks: {}, dataCategories: {},
  vendors: {28: {id: 28, name: 'A vendor', purposes: [1,2,3,4,7], legIntPurposes: [], flexiblePurposes: [], specialPurposes: [],
    features: [], specialFeatures: [], usesCookies: true, urls: []}}};
const api = new CmpApi(880, 2, true), gvl = new GVL(list);
window.choose = purposes => {
  const model = new TCModel(gvl);
  Object.assign(model, {cmpId: 880, cmpVersion: 2, isServiceSpecific: true, publisherCountryCode: 'DE', vendorListVersion: 143});
  model.setAllVendorsDisclosed();
  purposes.forEach(id => model.purposeConsents.set(id));
  const text = TCString.encode(model);
  STORE
  api.update(text, true);
  api.update(text, false);
};
const stored = KEPT;
if (stored) api.update(stored, false); else api.update('', true);
</script>
<script>document.addEventListener('click', event => {
  const list = event.target.dataset && event.target.dataset.purposes;
  if (list != null) choose(list ? list.split(',').map(Number) : []);
});
addEventListener('DOMContentLoaded', () => document.body.insertAdjacentHTML('beforeend',
  '<button id=yes data-purposes="1,2,3,4,7,9,10">Yes</button><button id=no data-purposes="">No</button><button id=some data-purposes="1,7">Some</button>'));
</script>"""
_TCF_COOKIE = _TCF.replace("STORE", "document.cookie = 'euconsent-v2=' + text + '; path=/; max-age=33696000';").replace(
    "KEPT", "(document.cookie.match('euconsent-v2=([^;]*)') || [])[1]"
)
_TCF_STORE = _TCF.replace("STORE", "localStorage.setItem('tc', text);").replace("KEPT", "localStorage.getItem('tc')")
_BUTTONS = Buttons("#yes", "#no", "#some", "#yes", "#no")

_GOOGLE = """<script>window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments); }
gtag('consent', 'default', {ad_storage: 'denied', ad_user_data: 'denied', ad_personalization: 'denied', wait_for_update: 500});
const choose = (ads, rest) => { localStorage.setItem('choice', JSON.stringify([ads, rest])); update(ads, rest); };
const update = (ads, rest) => gtag('consent', 'update', {ad_storage: ads, ad_user_data: rest, ad_personalization: rest});
const kept = localStorage.getItem('choice');
%s
addEventListener('DOMContentLoaded', () => document.body.insertAdjacentHTML('beforeend',
  `<button id=yes onclick="choose('granted', 'granted')">Yes</button><button id=no onclick="choose('denied', 'denied')">No</button>
   <button id=some onclick="choose('granted', 'denied')">Some</button>`));</script>"""

_OREJIME = """<link rel="stylesheet" href="/modules/orejime/dist/orejime-standard.css"><script>
window.orejimeConfig = {privacyPolicyUrl: '/privacy', purposes: [{id: 'tiktok', title: 'TikTok', cookies: []},
  {id: 'stats', title: 'Stats', cookies: []}].concat(REVISION > 1 ? [{id: 'another', title: 'Another', cookies: []}] : []), %s};</script>"""

_C15T = """<script type="importmap">{"imports": {"c15t": "/modules/c15t/dist/index.js", "valibot": "/modules/valibot/dist/index.min.mjs",
  "@c15t/schema/types": "/modules/@c15t/schema/dist/types.js", "@c15t/translations": "/modules/@c15t/translations/dist/index.js",
  "zustand/vanilla": "/modules/zustand/esm/vanilla.mjs"}}</script>
<script type="module">
import {getOrCreateConsentRuntime} from 'c15t';
const {consentStore} = getOrCreateConsentRuntime({mode: 'offline', consentCategories: ['necessary', 'measurement', 'marketing']});
window.state = () => consentStore.getState();
window.some = () => { state().setConsent('marketing', false); state().setConsent('measurement', true); state().saveConsents('custom'); };
document.body.insertAdjacentHTML('beforeend', `<button id=yes onclick="state().saveConsents('all')">Yes</button>
  <button id=no onclick="state().saveConsents('necessary')">No</button><button id=some onclick="some()">Some</button>`);
</script>"""

_DJANGO = Buttons(
    "#yes", "#no", "js:return choose('acceptUrl', 'stats')",
    "js:return choose('acceptUrl', 'marketing')", "js:return choose('declineUrl', 'marketing')",
)  # fmt: skip

_COOKIECONSENT = """<link rel="stylesheet" href="/modules/cookieconsent/build/cookieconsent.min.css">
<script>addEventListener('load', () => cookieconsent.initialise({type: '%s', revokable: true, law: {regionalLaw: false}, location: false,
  palette: {popup: {background: '#000'}, button: {background: '#f1d600'}}, %s onPopupOpen() {}},
  popup => { window.popup = popup; }));</script>"""

PLATFORMS: tuple[Platform, ...] = (
    Platform(
        "klaro", "klaro 0.7.22", "klaro:tiktok-pixel", _KLARO % "" + _script("klaro/dist/klaro.js"),
        _KLARO_BUTTONS, is_quick=True,
    ),
    Platform(
        "klaro, other cookie name", "klaro 0.7.22", "klaro:tiktok-pixel@choices",
        _KLARO % "storageName: 'choices'," + _script("klaro/dist/klaro.js"), _KLARO_BUTTONS,
    ),
    Platform(
        "klaro in localStorage", "klaro 0.7.22", "bridge:klaro:tiktok-pixel",
        _KLARO % "storageMethod: 'localStorage'," + _script("klaro/dist/klaro.js"), _KLARO_BUTTONS, has_revision=True,
    ),
    Platform(
        "tarteaucitron", "tarteaucitronjs 1.34.0", "tarteaucitron",
        _script("tarteaucitronjs/tarteaucitron.js") + _TARTEAUCITRON % ("tarteaucitron", "wait", "true"),
        Buttons(
            # What its two buttons call; they hear clicks a while after they are shown.
            "js:tarteaucitron.userInterface.respondAll(true)", "js:tarteaucitron.userInterface.respondAll(false)",
            "js:tarteaucitron.userInterface.respond(document.getElementById('etrackerAllowed'), true);"
            "tarteaucitron.userInterface.respond(document.getElementById('tiktokDenied'), false)",
            "js:tarteaucitron.userInterface.respondAll(true)", "js:tarteaucitron.userInterface.respondAll(false)",
        ), is_quick=True, ready="/!tiktok=.*!etracker=|!etracker=.*!tiktok=/.test(document.cookie)",
    ),
    Platform(
        "vanilla-cookieconsent 3", "vanilla-cookieconsent 3.1.0", "cc_cookie:marketing",
        _script("vanilla-cookieconsent3/dist/cookieconsent.umd.js")
        + _VANILLA % ("vanilla-cookieconsent3/dist/cookieconsent", _VANILLA3 % ""),
        _VANILLA3_BUTTONS, is_quick=True,
    ),
    Platform(
        "vanilla-cookieconsent 3 in localStorage", "vanilla-cookieconsent 3.1.0", "bridge:cc_cookie:marketing",
        _script("vanilla-cookieconsent3/dist/cookieconsent.umd.js")
        + _VANILLA % ("vanilla-cookieconsent3/dist/cookieconsent", _VANILLA3 % "cookie: {useLocalStorage: true},"),
        _VANILLA3_BUTTONS, has_revision=True,
    ),
    Platform(
        "vanilla-cookieconsent 2", "vanilla-cookieconsent 2.9.2", "cc_cookie:marketing",
        _script("vanilla-cookieconsent2/dist/cookieconsent.js")
        + _VANILLA % ("vanilla-cookieconsent2/dist/cookieconsent", _VANILLA2 % ""),
        Buttons("#c-p-bn", "#c-s-bn", "js:cc.accept(['analytics']); cc.hide()", "js:cc.accept('all')", "js:cc.accept([])"),
    ),
    Platform("TCF, cookie", "@iabtcf/cmpapi 1.5.6", "tcf", _TCF_COOKIE, _BUTTONS, is_quick=True),
    Platform("TCF, page only", "@iabtcf/cmpapi 1.5.6", "tcf", _TCF_STORE, _BUTTONS),
    Platform("TCF bridge", "@iabtcf/cmpapi 1.5.6", "bridge:sourcepoint", _TCF_STORE, _BUTTONS),
    Platform(
        "Google Consent Mode", "gtag's data layer", "bridge:google",
        _GOOGLE % "if (kept) update(...JSON.parse(kept));", _BUTTONS,
    ),
    Platform(
        "Google Consent Mode, denied on load", "gtag's data layer", "bridge:google",
        _GOOGLE % "if (kept) update(...JSON.parse(kept)); else update('denied', 'denied');", _BUTTONS,
    ),
    Platform(
        "Google Consent Mode, late", "gtag's data layer", "bridge:google",
        _GOOGLE % "if (kept) setTimeout(() => update(...JSON.parse(kept)), 1500);", _BUTTONS,
    ),
    Platform(
        "orejime", "orejime 3.2.1", "orejime:tiktok", _OREJIME % "" + _script("orejime/dist/orejime-standard-en.js"),
        Buttons(
            ".orejime-Banner-saveButton", ".orejime-Banner-declineButton",
            "js:orejime.manager.setConsents({stats: true, tiktok: false})",
            "js:orejime.manager.acceptAll()", "js:orejime.manager.declineAll()",
        ),
    ),
    Platform(
        "django-cookie-consent", "django-cookie-consent 1.0.0", "django:marketing", "", _DJANGO,
        is_django=True, has_revision=True,
    ),
    Platform(
        "django-cookie-consent, groups without cookies", "django-cookie-consent 1.0.0", "django:marketing", "", _DJANGO,
        is_django=True, variables=(("GROUPS", "empty"),),
    ),
    Platform("c15t", "c15t 2.2.1", "c15t", _C15T, _BUTTONS),
    Platform(
        "cookieconsent, opt-in", "cookieconsent 3.1.1", "cookieconsent",
        _script("cookieconsent/build/cookieconsent.min.js") + _COOKIECONSENT % ("opt-in", ""),
        Buttons(
            ".cc-window .cc-allow", ".cc-window .cc-deny", "",
            "js:document.querySelector('.cc-window .cc-allow').click()",
            "js:document.querySelector('.cc-window .cc-deny').click()",
        ),
    ),
)  # fmt: skip


def page(platform: Platform, revision: int) -> str:
    """The head of a page of this platform's site."""
    return platform.head.replace("REVISION", json.dumps(revision))
