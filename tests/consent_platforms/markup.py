"""The platforms' own code and configuration as markup, and their buttons."""

from __future__ import annotations

from tests.consent_platforms.platform import Buttons


def script(path: str) -> str:
    return f'<script src="/modules/{path}"></script>'


KLARO = """<script>var klaroConfig = {version: 1, elementID: 'klaro', lang: 'en', acceptAll: true, mustConsent: false, %s
  privacyPolicy: '/privacy', translations: {zz: {privacyPolicyUrl: '/privacy'}},
  services: [{name: 'tiktok-pixel', title: 'TikTok', purposes: ['ads']}, {name: 'matomo', title: 'Matomo', purposes: ['stats']}]
    .concat(REVISION > 1 ? [{name: 'another', title: 'Another', purposes: ['ads']}] : [])};</script>"""
KLARO_BUTTONS = Buttons(
    ".klaro .cm-btn-success",
    ".klaro .cn-decline",
    "js:{const m = klaro.getManager(); m.updateConsent('matomo', true); m.saveAndApplyConsents();}",
    "js:{const m = klaro.getManager(); m.changeAll(true); m.saveAndApplyConsents();}",
    "js:{const m = klaro.getManager(); m.changeAll(false); m.saveAndApplyConsents();}",
)

TARTEAUCITRON = """<script>
tarteaucitron.init({privacyUrl: '', bodyPosition: 'bottom', hashtag: '#tarteaucitron', cookieName: '%s', orientation: 'bottom',
  groupServices: false, showDetailsOnClick: true, serviceDefaultState: '%s', showAlertSmall: false, cookieslist: false,
  closePopup: false, showIcon: true, iconPosition: 'BottomRight', adblocker: false, DenyAllCta: true, AcceptAllCta: true,
  highPrivacy: %s, handleBrowserDNTRequest: false, removeCredit: true, moreInfoLink: false, useExternalCss: false,
  useExternalJs: false, mandatory: true, mandatoryCta: false, googleConsentMode: false, partnersList: false});
(tarteaucitron.job = tarteaucitron.job || []).push('tiktok', 'etracker');</script>"""

VANILLA = """<link rel="stylesheet" href="/modules/%s.css"><script>addEventListener('DOMContentLoaded', () => {%s});</script>"""
VANILLA3 = """CookieConsent.run({revision: REVISION, hideFromBots: false, %s
  categories: {necessary: {enabled: true, readOnly: true}, marketing: {}, analytics: {}},
  language: {default: 'en', translations: {en: {
    consentModal: {title: 'Cookies', description: 'May we?', acceptAllBtn: 'Yes', acceptNecessaryBtn: 'No', showPreferencesBtn: 'Choose'},
    preferencesModal: {title: 'Choose', acceptAllBtn: 'Yes', acceptNecessaryBtn: 'No', savePreferencesBtn: 'Save', sections: []}}}}});"""
VANILLA2 = """window.cc = initCookieConsent(); cc.run({current_lang: 'en', revision: REVISION, autorun: true, hide_from_bots: false, %s
  languages: {en: {consent_modal: {title: 'Cookies', description: 'May we? {{revision_message}}',
    primary_btn: {text: 'Yes', role: 'accept_all'}, secondary_btn: {text: 'No', role: 'accept_necessary'}, revision_message: 'New.'},
    settings_modal: {title: 'Choose', save_settings_btn: 'Save', accept_all_btn: 'Yes', reject_all_btn: 'No', close_btn_label: 'x',
      blocks: [{title: 'Needed', toggle: {value: 'necessary', enabled: true, readonly: true}},
        {title: 'Ads', toggle: {value: 'marketing', enabled: false, readonly: false}},
        {title: 'Stats', toggle: {value: 'analytics', enabled: false, readonly: false}}]}}}});"""
VANILLA3_BUTTONS = Buttons(
    "#cc-main .cm [data-role=all]",
    "#cc-main .cm [data-role=necessary]",
    "js:CookieConsent.acceptCategory(['analytics']); CookieConsent.hide()",
    "js:CookieConsent.acceptCategory('all')",
    "js:CookieConsent.acceptCategory([])",
)

TCF = """<script type="importmap">{"imports": {"@iabtcf/core": "/modules/@iabtcf/core/lib/mjs/index.js"}}</script>
<script type="module">
import {CmpApi} from '/modules/@iabtcf/cmpapi/lib/mjs/index.js';
import {GVL, Segment, TCModel, TCString} from '@iabtcf/core';
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
  const text = TCString.encode(model, {segments: [SEGMENTS]});
  STORE
  api.update(text, true);
  api.update(text, false);
};
const stored = KEPT;
if (stored) api.update(stored, false); else api.update('', true);
document.addEventListener('click', event => {
  const list = event.target.dataset && event.target.dataset.purposes;
  if (list != null) choose(list ? list.split(',').map(Number) : []);
});
document.body.insertAdjacentHTML('beforeend',
  '<button id=yes data-purposes="1,2,3,4,7,9,10">Yes</button><button id=no data-purposes="">No</button><button id=some data-purposes="1,7">Some</button>');
</script>"""
_COOKIE = TCF.replace("STORE", "document.cookie = 'euconsent-v2=' + text + '; path=/; max-age=33696000';").replace(
    "KEPT", "(document.cookie.match('euconsent-v2=([^;]*)') || [])[1]"
)
_DISCLOSED = "Segment.CORE, Segment.VENDORS_DISCLOSED, Segment.PUBLISHER_TC"
TCF_COOKIE = _COOKIE.replace("SEGMENTS", _DISCLOSED)
#: As the library writes strings by its defaults. From March 2026 the server does not read such a string.
TCF_OLD_COOKIE = _COOKIE.replace("SEGMENTS", "Segment.CORE, Segment.PUBLISHER_TC")
TCF_STORE = (
    TCF.replace("STORE", "localStorage.setItem('tc', text);")
    .replace("KEPT", "localStorage.getItem('tc')")
    .replace("SEGMENTS", _DISCLOSED)
)
BUTTONS = Buttons("#yes", "#no", "#some", "#yes", "#no")

GOOGLE = """<script>window.dataLayer = window.dataLayer || []; function gtag() { dataLayer.push(arguments); }
gtag('consent', 'default', {ad_storage: 'denied', ad_user_data: 'denied', ad_personalization: 'denied', wait_for_update: 500});
const choose = (ads, rest) => { localStorage.setItem('choice', JSON.stringify([ads, rest])); update(ads, rest); };
const update = (ads, rest) => gtag('consent', 'update', {ad_storage: ads, ad_user_data: rest, ad_personalization: rest});
const kept = localStorage.getItem('choice');
%s
addEventListener('DOMContentLoaded', () => document.body.insertAdjacentHTML('beforeend',
  `<button id=yes onclick="choose('granted', 'granted')">Yes</button><button id=no onclick="choose('denied', 'denied')">No</button>
   <button id=some onclick="choose('granted', 'denied')">Some</button>`));</script>"""

OREJIME = """<link rel="stylesheet" href="/modules/orejime/dist/orejime-standard.css"><script>
window.orejimeConfig = {privacyPolicyUrl: '/privacy', purposes: [{id: 'tiktok', title: 'TikTok', cookies: []},
  {id: 'stats', title: 'Stats', cookies: []}].concat(REVISION > 1 ? [{id: 'another', title: 'Another', cookies: []}] : []), %s};</script>"""

C15T = """<script type="importmap">{"imports": {"c15t": "/modules/c15t/dist/index.js", "valibot": "/modules/valibot/dist/index.min.mjs",
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

COOKIEYES = """<script type="module">
import {initCookieYes} from '/modules/@cookieyes/core/dist/index.js';
const {consentStore} = initCookieYes({mode: 'cookie-only', regulation: 'GDPR'});
window.state = () => consentStore.getState();
window.some = () => state().saveConsents(['analytics']);
document.body.insertAdjacentHTML('beforeend', `<button id=yes onclick="state().saveConsents('all')">Yes</button>
  <button id=no onclick="state().saveConsents('necessary')">No</button><button id=some onclick="some()">Some</button>`);
</script>"""

DJANGO = Buttons(
    "#yes", "#no", "js:return choose('acceptUrl', 'stats')",
    "js:return choose('acceptUrl', 'marketing')", "js:return choose('declineUrl', 'marketing')",
)  # fmt: skip

COOKIECONSENT = """<link rel="stylesheet" href="/modules/cookieconsent/build/cookieconsent.min.css">
<script>addEventListener('load', () => cookieconsent.initialise({type: '%s', revokable: true, law: {regionalLaw: false}, location: false,
  palette: {popup: {background: '#000'}, button: {background: '#f1d600'}}, %s onPopupOpen() {}},
  popup => { window.popup = popup; }));</script>"""

#: A Django template.
COOKIE_CONSENT_BAR = """{{ groups|json_script:"cookie-consent__cookie-groups" }}
<template id="cookie-consent__cookie-bar"><div class="bar">
<button id="yes" class="cookie-consent__accept">Yes</button><button id="no" class="cookie-consent__decline">No</button></div></template>
<script type="module">
import {showCookieBar, FetchClient} from '/static/cookie_consent/cookiebar.module.js';
window.choose = async (url, ...names) => {
  const client = new FetchClient('/cookies/status/', 'X-CSRFToken');
  await client.saveCookiesStatusBackend(url, names.map(varname => ({varname})));
};
showCookieBar({statusUrl: '/cookies/status/'});
</script>"""

COOKIE_BANNER = Buttons(
    "#cookiebannerModal [name=enable_all]",
    "#cookiebannerModal [name=save]",
    "js:document.querySelector('[name=stats]').checked = true; document.querySelector('[name=save]').click()",
    "js:document.querySelector('[name=enable_all]').click()",
    "js:document.querySelectorAll('[name=marketing], [name=stats], [name=social]').forEach(box => { box.checked = false; });"
    "document.querySelector('[name=save]').click()",
)

WAGTAIL = Buttons(
    ".cookie-banner .accept",
    ".cookie-banner .necessary",
    "js:document.querySelector('[name=stats]').checked = true; document.getElementById('confirm_choices').click()",
    "js:return accept('allow')",
    "js:return accept('deny')",
)

_SEND = "fetch('/consent', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: JSON.stringify(%s)})"
#: Flask-Consent's own page script has a syntax error: these are the requests that it would send.
FLASK_CONSENT = Buttons(
    "js:" + _SEND % "['required', 'marketing', 'stats']",
    "js:return " + _SEND % "['required']",
    "js:" + _SEND % "['required', 'stats']",
    "js:" + _SEND % "['required', 'marketing', 'stats']",
    "js:return " + _SEND % "['required']",
)

#: The IAB's GPP library as a platform would use it: a string in the cookie, and the library in the page.
GPP = """<script type="module">
import {CmpApi} from '/modules/@iabgpp/cmpapi/lib/mjs/index.js';
const api = new CmpApi(31, 1);
const kept = (document.cookie.match('__gpp=([^;]*)') || [])[1];
const show = isNew => {
  api.setApplicableSections([SECTION]);
  api.setSignalStatus('ready');
  if (isNew) api.fireSectionChange('NAME');
};
window.choose = answer => {
  SET
  document.cookie = '__gpp=' + api.getGppString() + '; path=/; max-age=33696000';
  show(true);
};
if (kept) { api.setGppString(kept); show(false); }
document.body.insertAdjacentHTML('beforeend', '<button id=yes onclick="choose(1)">Yes</button>' +
  '<button id=no onclick="choose(0)">No</button><button id=some onclick="choose(2)">Some</button>');
</script>"""
GPP_US = (
    GPP.replace("SECTION", "7")
    .replace("NAME", "usnat")
    .replace(
        "SET",
        """const fields = {SaleOptOut: answer ? 2 : 1, SharingOptOut: answer === 1 ? 2 : 1, TargetedAdvertisingOptOut: answer ? 2 : 1,
    SaleOptOutNotice: 1, SharingOptOutNotice: 1, TargetedAdvertisingOptOutNotice: 1, MspaCoveredTransaction: 2, Gpc: false};
  for (const name in fields) api.setFieldValueBySectionId(7, name, fields[name]);""",
    )
)
GPP_TCF = (
    GPP.replace("SECTION", "2")
    .replace("NAME", "tcfeuv2")
    .replace(
        "SET",
        """const purposes = [[], [1, 2, 3, 4, 7], [1, 7]][answer], fields = {PolicyVersion: 5, IsServiceSpecific: true,
    PurposeConsents: Array.from({length: 24}, (_, at) => purposes.includes(at + 1)), VendorsDisclosed: [28]};
  for (const name in fields) api.setFieldValueBySectionId(2, name, fields[name]);""",
    )
)
