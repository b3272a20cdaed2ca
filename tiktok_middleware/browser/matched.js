// Behind `waits.js`, for TIKTOK_PAGE_VIEW=matched: the page view is a sealed event, which the helper gets once it is sure
// that no base code of the page counts it. It waits until the page is parsed, and longer where a tag manager may bring one.
var views = [];
c.s = (c.s || []).filter(function (event) { return event[0] !== 'Pageview' || !views.push(event); });
run = function (limited) {
  plain(limited);
  // A base code that ran before ours has loaded our pixel, and has counted the page view.
  c.p.forEach(function (id) { isViewed = isViewed || !own[id] && ((w.ttq || 0)._i || 0)[id]; });
  if (views[0] && !(c.h && w.top !== w)) wait(0, function () { views.forEach(function (event) { t.todo.push(['seal'].concat(event)); }); });
};
