// vanilla-cookieconsent 3: read the category that the setting names, after a choice for the current revision.
(() => {
let category = (window.tiktok && tiktok.s || {}).cc_cookie;
window.tiktok && tiktok.bridge && tiktok.bridge(() => {
  let platform = window.CookieConsent;
  if (!platform || !platform.validConsent) return;
  return platform.validConsent() ? platform.acceptedCategory(category) : null;
}, 'cc:onFirstConsent', 'cc:onConsent', 'cc:onChange');
})();
