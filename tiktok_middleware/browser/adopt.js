// Behind `waits.js`, for TIKTOK_SNIPPET=adopt: our page view waits for another base code, which a tag manager may bring
// late. It does not wait longer than the visitor stays.
var counts = c.v;
run = function (limited) {
  c.v = 0;
  plain(limited);
  if (counts && !(c.h && w.top !== w)) wait(1, function () { for (var id in own) w.ttq.instance(id).page(); });
};
