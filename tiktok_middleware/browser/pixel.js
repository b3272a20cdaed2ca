// Our own version of the TikTok Pixel's base code: an array that keeps every call until events.js replays it.
// `c` holds the server's values: u script URL, p pixels, o load options, v page view, i identity hashes, e events as
// [name, properties, id], k names of cookies to clear once the events have fired, w wait for consent, h page that
// many visitors share, j path of the helper unless the page has it, g gate: 1 checks Global Privacy
// Control and our refusal cookie first, 2 checks the cookie only, 3 checks the cookie and leaves the Control to the server.
// y domains of our cookies, unless all hosts of the site share them. `todo` holds the tasks for the helper.
(function (w, d, c) {
var t = w.tiktok = w.tiktok || {}, l = w.location;
var q;
function load(x) {
  var s = d.createElement('script');
  s.nonce = nonce;
  s.src = x;
  d.head.appendChild(s);
}
// An event fires once in a tab: history navigation and restored pages run this code again with the same ids. An id is
// stored as fired when TikTok's script has taken it over; if the visitor leaves earlier, the next page takes it along.
function isFired(id) {
  try {
    return t.fired[id] || sessionStorage['tiktok:' + id];
  } catch (e) {}
}
t.fired = t.fired || {};
// <ttq> Another file replaces what stands between these marks. own: the queues that were made here, with the times
// of loading as `t`.
var own = t.own = t.own || {}, isViewed;
function methods(target) {
  q.methods.forEach(function (name) { q.setAndDefer(target, name); });
  return target;
}
function stub() {
  w.TiktokAnalyticsObject = 'ttq';
  q.methods = 'page track identify instances debug on off once ready alias group enableCookie disableCookie holdConsent revokeConsent grantConsent'.split(' ');
  q.setAndDefer = function (target, name) {
    target[name] = function () { target.push([name].concat([].slice.call(arguments))); };
  };
  methods(q);
  q._i = {}, q._t = {}, q._o = {};
  q.instance = function (id) { return methods(q._i[id] || []); };
  q.load = function (id, x) {
    q._i[id] = [];
    q._i[id]._u = c.u;
    q._t[id] = Date.now();
    q._o[id] = x;
    load(c.u + '?sdkid=' + id + '&lib=ttq');
  };
}
// The site may have another pixel: our events go to our pixels only.
function each(call) {
  c.p.forEach(function (id) { call(q.instance ? q.instance(id) : q); });
}
// The page view of another base code counts for all pixels. While it waits for TikTok's script, ours is taken back.
function isView(x) { return x[0] === 'page'; }
function check() {
  try {
    isViewed = isViewed || [].some.call(w.ttq, isView);
    if (isViewed) for (var id in own) own[id].forEach(function (x, n) { isView(x) && own[id].splice(n, 1); });
  } catch (e) {}
}
function emit(events, names) {
  // The page may have replaced our queue since: see beside.js.
  if ((w.ttq || 0).instance) q = w.ttq;
  // The visitor may have refused in another tab.
  if (t.off || t.off !== 0 && isRefused()) return;
  events.forEach(function (event) {
    // A route change.
    if (!event[0]) return each(function (pixel) { pixel.page(); });
    if (isFired(event[2])) return;
    t.fired[event[2]] = 1;
    each(function (pixel) { pixel.track(event[0], event[1], {event_id: event[2]}); });
    q.ready(function () { try { sessionStorage['tiktok:' + event[2]] = 1; } catch (e) {} });
  });
  q.ready(function () {
    try {
      names && names.forEach(function (name) { d.cookie = name + '=; Max-Age=0; Path=/'; });
    } catch (e) {}
  });
}
function run(limited) {
  try {
    if (limited) c.o.limited_data_use = true;
    q = w.ttq = w.ttq || [];
    // TikTok's script takes nothing from a value that is no array.
    if (!q.splice && !q.instance) return;
    if (!q.load) stub();
    t.q = q;
    check();
    // If the browser reports route changes, the helper checks each URL first: the pixel's own observer stays off.
    if (w.navigation && c.o.historyObserver !== false) c.o.historyObserver = !(t.routes = 1);
    var fresh = c.p.filter(function (id) {
      if (q._i && q._i[id]) return;
      q.load(id, c.o);
      own[id] = q._i[id];
      return own[id].t = q._t[id];
    });
    if (c.i) each(function (pixel) { pixel.identify(c.i); });
    if (c.v && !isViewed) fresh.forEach(function (id) { q.instance(id).page(); });
    t.emit = emit;
    t.emit(c.e || [], c.k);
    t.held.splice(0).forEach(function (events) { t.emit(events); });
    // Another base code inserts TikTok's script here.
    new MutationObserver(check).observe(d.head, {childList: true});
  } catch (e) {}
}
// </ttq>
// Return whether URLs may contain identity. If so, the endpoint checks them before the pixel, which reports them, may
// load. A click id is TikTok's own value and is ignored.
t.suspects = function (x) {
  x = x.replace(/[?&]ttclid=[^&#\s]*/g, '');
  return /SUSPECT/i.test(x) || /SUSPECT_BASE64/.test(x);
};
function isRefused() {
  return /(^|;\s)_tt_consent=d/.test(d.cookie);
}
// Store a refusal and its time at once, whether or not the helper loads later: for the broadest domain for which this
// page may write cookies, or for the domain that the site has set.
function refuse() {
  var domains = c.y || l.hostname.split('.').map(function (x, at, all) { return all.slice(-1 - at).join('.'); });
  ['_tt_consent=d', '_tt_said=d.' + Date.now()].forEach(function (pair) {
    domains.concat('').forEach(function (x) {
      if (d.cookie.indexOf(pair) < 0) d.cookie = pair + '; Max-Age=15552000; Path=/; SameSite=Lax' + (x && '; Domain=' + x);
    });
  });
  t.off = 1;
  w.ttq.revokeConsent(), w.ttq.disableCookie();
}
function begin() {
  // A sandboxed page must not even read its cookies: reading raises.
  try {
    // A cache returns the same page to a frame and to a window: only in a window it is a page view.
    if (c.h && w.top !== w) c.v = 0, c.s = (c.s || []).filter(function (event) { return event[0] !== 'Pageview'; });
    var signal = c.g && navigator.globalPrivacyControl;
    if (t.off || signal && c.g < 2 || c.g && isRefused()) c.w = 1, c.h = 0;
    else if (signal && c.g > 2 || c.g && /gpp|us_?privacy=\W*1.Y/i.test(d.cookie) || t.suspects(l + ' ' + d.referrer)) c.w = c.h = 1;
    if (!c.w) run();
    c.r = run;
    c.d = d.cookie;
    t.todo.push(['page', c]);
  } catch (e) {}
}
try {
  var nonce = (d.currentScript || 0).nonce;
  t.todo = t.todo || [];
  ['track', 'receive', 'grantConsent', 'revokeConsent'].forEach(function (name) {
    t[name] = t[name] || function () {
      try {
        t.todo.push([name].concat([].slice.call(arguments)));
        if (name[2] === 'v') refuse();
      } catch (e) {}
    };
  });
  // Events that arrive before the page is visible, or before consent, wait in `held`.
  t.held = t.held || [];
  t.emit = t.emit || function (events) { t.held.push(events); };
  // An engine that is too old for the language of the helper must not report a syntax error: the helper is not requested
  // without these two methods. They are as old as Safari 12 and Chrome 69; a page may add one of them itself, hardly both.
  if (c.j && [].flat && d.head.toggleAttribute) load(l.origin + c.j);
  // A page that is restored from the back/forward cache does not request the helper again if that had not come.
  w.addEventListener('pageshow', function (x) {
    x.persisted && !t.listens && [].some.call(d.scripts, function (s) {
      return /[/]helper-\w{16}.js$/.test(s.src) && !load(s.src, t.back = 1);
    });
  });
  if (d.prerendering) d.addEventListener('prerenderingchange', begin);
  else begin();
} catch (e) {}
})(window, document,
