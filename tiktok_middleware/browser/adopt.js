// Behind the base code, for TIKTOK_SNIPPET=adopt: the page may hold another base code of TikTok's, before ours or after it.
// That one counts the page view, for all pixels. If it runs after ours, it replaces the queue of a pixel: what waits there
// is fired again. `own` holds our queues, and as `i` the instances of TikTok's script.
var own = t.own = t.own || {}, plain = run;
function say(level, text) {
  if (!t.said) console[level]('tiktok-middleware: ' + text);
  t.said = 1;
}
function times() { return JSON.stringify(q._t || {}); }
each = function (call) {
  c.p.forEach(function (id) { call(own[id] && own[id].i || (q.instance ? q.instance(id) : q)); });
};
run = function (limited) {
  try {
    var found = w.ttq, known = found && found._i || {}, isView = c.v, waits, start;
    if (found && !found.load && !found.push) say('warn', 'window.ttq is no array, so that TikTok gets nothing from this page. Remove the code that sets it');
    var fresh = c.p.filter(function (id) { return !known[id]; });
    // The other base code came first, and its page view still waits for TikTok's script: it will count for our pixels too.
    waits = found && [].some.call(found, function (x) { return x[0] === 'page'; });
    var others = c.p.some(function (id) { return known[id] && !own[id]; });
    c.v = 0;
    plain(limited);
    c.v = isView;
    // The other base code has its own options, so that its observer counts route changes.
    if (others) t.routes = 0;
    // Times of loading are whole numbers, but ours.
    fresh.forEach(function (id) {
      own[id] = q._i[id];
      (q._t = q._t || {})[id] = Math.floor(q._t[id] || 0) + .5;
    });
    start = times();
    if (q.ready) q.ready(function () {
      fresh.forEach(function (id) {
        var calls = own[id], i = calls.i = q.instance(id);
        if (q._t[id] % 1 === 0) calls.splice(0).forEach(function (x) { i[x[0]].apply(i, x.slice(1)); });
      });
    });
    // A tag manager brings its base code later. Wait for it, but not longer than the visitor stays.
    var isDone = !isView, view = function () {
      if (isDone || t.off) return;
      isDone = 1;
      if (waits || times() !== start) return;
      fresh.forEach(function (id) { (own[id].i || q.instance(id)).page(); });
    };
    function check() {
      if (times() !== start) t.routes = 0;
      if (waits || times() !== start || others) say('info', 'another base code of TikTok runs in this page and counts its page view. Remove it, then set TIKTOK_SNIPPET=pixel');
      view();
    }
    w.addEventListener('pagehide', view);
    function later() { setTimeout(check, 3000); }
    if (d.readyState === 'complete') later(); else w.addEventListener('load', later);
  } catch (e) {}
};
