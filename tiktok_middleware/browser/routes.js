// Report route changes as matched page views. The helper has judged the new URL before: while the endpoint is asked about
// it, the page view waits. `routes` tells whether the browser reports route changes; the pixel's own observer is off then.
(t => {
if (!t || !t.seal || t.matches) return;
t.matches = 1;
let here = () => location.href.replace(/#\w.*/, ''), at = here(), isOn = t.routes;
try {
  Object.defineProperty(t, 'routes', {get() {}, set(value) { isOn = value; }});
  navigation.addEventListener('currententrychange', () => {
    if (at !== (at = here()) && isOn) t.seal('Pageview', {}, '', t.s.v);
  });
} catch {}
})(window.tiktok);
