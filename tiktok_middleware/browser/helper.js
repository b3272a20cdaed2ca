// Events that come with the answers to fetch, XHR, htmx and the like. The browser reports an answer's Server-Timing
// header with its resource timing, so nothing of the page's own is wrapped or replaced to read it.
(function (w) {
var t = w.tiktok;
if (!t || !t.emit || t.listens || !w.PerformanceObserver) return;
t.listens = true;
function hear(timing) {
  if (timing.name !== 'tiktok') return;
  try {
    t.emit(JSON.parse(atob(timing.description.replace(/-/g, '+').replace(/_/g, '/'))));
  } catch (e) {}
}
function read(entry) {
  if (entry.name.indexOf(w.location.origin + '/') === 0) (entry.serverTiming || []).forEach(hear);
}
try {
  new PerformanceObserver(function (list) { list.getEntries().forEach(read); }).observe({type: 'resource', buffered: true});
} catch (e) {}
})(window);
