// Google Consent Mode: read the state of advertising after the last `update` in the data layer. A field without
// `update` keeps its `default`. Of the defaults for regions the strictest counts, because the page does not contain
// the visitor's region. A `default` is no choice, nor is a refusal without an action of the visitor.
(() => {
let fields = ['ad_storage', 'ad_user_data', 'ad_personalization'], base = {}, strict = {}, updated = {}, count, last, choice = null;
window.tiktok && tiktok.bridge && tiktok.bridge(isActing => {
  let isThere;
  count = 0;
  for (let one of window[(tiktok.s || {}).google || 'dataLayer'] || []) {
    if (!one || one[0] !== 'consent' || !one[2]) continue;
    isThere = 1;
    for (let name of fields) {
      let value = one[2][name];
      if (!value) continue;
      if (one[1] === 'update') updated[name] = value, count++;
      else if (one[1] === 'default' && !one[2].region) base[name] = value;
      else if (one[1] === 'default' && value === 'denied') strict[name] = value;
    }
  }
  let state = fields.map(name => updated[name] || strict[name] || base[name]), key = JSON.stringify([state, count]);
  if (key !== last && count) {
    let isGranted = state[0] === 'granted' && !state.includes('denied');
    choice = isGranted || (isActing || choice != null ? false : null);
  }
  last = key;
  return isThere ? choice : undefined;
});
})();
