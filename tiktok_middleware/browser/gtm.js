// In place of the part of `pixel.js` between its marks, for TIKTOK_SNIPPET=gtm: events go to Tag Manager's `dataLayer`
// in the form that TikTok's own GTM template reads. Nothing of TikTok's is loaded from here.
var sent = [], waiting = [], layer, word;
function push(entry) {
  try {
    var a = w.dataLayer = w.dataLayer || [];
    // A page may replace the array before Tag Manager has taken it over, which replaces its `push`.
    if (layer && a !== layer && layer.push === [].push) sent.forEach(function (e) { if (a.indexOf(e) < 0) a.push(e); });
    layer = a;
    sent.push(entry);
    a.push(entry);
    // Tag Manager reads an array, and the same one each time.
    if (!a.slice || w.dataLayer !== a) throw a;
  } catch (e) {
    if (!t.warned) console.warn('tiktok-middleware: window.dataLayer takes no entries, so that Tag Manager gets no events');
    t.warned = 1;
  }
}
function tell(next) {
  if (word !== next) push({event: 'tiktok.consent', tiktok_consent: word = next, tiktok_pixel_codes: c.p, tiktok_limited_data_use: !!c.o.limited_data_use});
}
// What an earlier entry of the page has set, so that ours does not stay.
function before(key) {
  try {
    for (var a = w.dataLayer || [], n = a.length; n--;) if (a[n] && sent.indexOf(a[n]) < 0 && a[n][key] !== undefined) return a[n][key];
  } catch (e) {}
  return null;
}
function entry(event) {
  var given = event[1], p = {}, i = c.i || {}, made;
  for (var key in given) p[key] = given[key];
  if (c.o.limited_data_use && !('limited_data_use' in p)) p.limited_data_use = true;
  made = {event: event[0], tiktok: {event: event[0], event_id: event[2], pixel_codes: c.p, properties: p, identity: i}, tt_content_type: p.content_type};
  for (key in p) made.tiktok[key] = p[key];
  made.ecommerce = {value: p.value, currency: p.currency, transaction_id: p.order_id, items: (p.contents || []).map(function (x) {
    return {item_id: x.content_id, item_name: x.content_name, item_brand: x.brand, item_category: x.content_category, price: x.price, quantity: x.quantity};
  })};
  if (c.i) made.user_data = {sha256_email_address: i.sha256_email, sha256_phone_number: i.sha256_phone_number}, made.tt_external_id = i.external_id;
  return made;
}
function emit(events, names) {
  if (t.off || t.off !== 0 && isRefused()) return;
  events.forEach(function (event) {
    // A route change is a page view, which Tag Manager counts.
    if (!event[0] || isFired(event[2])) return;
    t.fired[event[2]] = 1;
    waiting.push(event);
    var made = entry(event), rest = {tiktok: null, tt_content_type: null, tt_external_id: null, ecommerce: null, user_data: null}, old = {};
    made.eventCallback = function () {
      try {
        (names || []).forEach(function (name) { d.cookie = name + '=; Max-Age=0; Path=/'; });
        sessionStorage.setItem('tiktok:' + event[2], '1');
      } catch (e) {}
    };
    for (var key in rest) if (before(key)) old[key] = before(key);
    // Tag Manager merges entries: the page's values are put back after ours are gone.
    push({ecommerce: null, user_data: null});
    push(made);
    push(rest);
    if (Object.keys(old)[0]) push(old);
  });
}
function run(limited) {
  try {
    var held = t.held || [];
    t.held = [];
    if (limited) c.o.limited_data_use = true;
    tell('granted');
    t.emit = emit;
    t.emit(c.e || [], c.k);
    held.forEach(function (events) { t.emit(events); });
  } catch (e) {}
}
// The helper notes a refusal in `off`.
var off = t.off;
try {
  Object.defineProperty(t, 'off', {configurable: true, get: function () { return off; }, set: function (value) {
    if (value && layer && layer.slice && layer.push === [].push) {
      // Tag Manager has not come yet, and would read all entries in order: take back what only waits for it.
      sent.splice(0).forEach(function (e) { var n = layer.indexOf(e); if (n >= 0) layer.splice(n, 1); });
      waiting.splice(0).forEach(function (event) {
        delete t.fired[event[2]];
        (t.held = t.held || []).push([event]);
      });
      word = 0;
    }
    if (off = value) tell('denied');
  }});
  ['DOMContentLoaded', 'load'].forEach(function (name) { w.addEventListener(name, function () { if (layer && layer !== w.dataLayer) push({}); }, true); });
} catch (e) {}
