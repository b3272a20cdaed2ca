// Behind the base code, for TIKTOK_SNIPPET=adopt: our page view waits for another base code, which a tag manager may bring
// late and which counts the page view for all pixels. It does not wait longer than the visitor stays.
var plain = run;
run = function (limited) {
  try {
    var isDone = !c.v, start;
    c.v = 0;
    plain(limited);
    c.v = !isDone;
    start = JSON.stringify(w.ttq._t);
    function count() {
      if (isDone || t.off) return;
      isDone = 1;
      check();
      if (!isViewed && JSON.stringify(w.ttq._t) === start) for (var id in own) w.ttq.instance(id).page();
    }
    function later() { setTimeout(count, 3000); }
    w.addEventListener('pagehide', count);
    if (d.readyState === 'complete') later(); else w.addEventListener('load', later);
  } catch (e) {}
};
