// Google Consent Mode: what the last `update` in the data layer says of advertising. A `default` is nobody's choice.
(() => {
let found;
window.tiktok && tiktok.bridge && tiktok.bridge(() => {
  for (let one of window.dataLayer || []) {
    if (one && one[0] === 'consent' && one[1] === 'update') found = {...found, ...one[2]};
  }
  if (!found || !found.ad_storage) return;
  return found.ad_storage === 'granted' && found.ad_user_data !== 'denied' && found.ad_personalization !== 'denied';
});
})();
