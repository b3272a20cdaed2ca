// Follow the operator's rules, which are part of this file: [selector, moment, event name, token]. The page's content
// cannot add one. The endpoint reads the event from the token, so that a report can name no other event.
(t => {
if (!t || !t.seal || t.follows) return;
t.follows = 1;
let path = (document.currentScript || document.head).getAttribute('src'), matches = Element.prototype.matches, counts = {}, begun = new WeakMap();
// Limits for each rule: one event a second, twenty on a page, and for `input` one for each element.
let isDue = (token, moment, element) => {
  let count = counts[token] = counts[token] || {last: -1e9, all: 0}, now = performance.now();
  let ended = begun.get(element) || begun.set(element, {}).get(element);
  if (count.all > 19 || now - count.last < 1000 || moment === 'input' && ended[token]) return;
  count.last = now;
  return ended[token] = ++count.all;
};
let follow = event => {
  for (let [selector, moment, name, token] of t.s.r) try {
    if (moment !== event.type) continue;
    let element = event.composedPath().find(one => one instanceof Element && matches.call(one, selector));
    if (element && isDue(token, moment, element)) t.seal(name, {}, '', token);
  } catch {}
};
for (let moment of new Set(t.s.r.map(rule => rule[1]))) document.addEventListener(moment, follow, true);
// A report may wait for an earlier one when the visitor leaves. A copy goes as a beacon; the endpoint counts an id once.
addEventListener('pagehide', () => {
  try {
    let left = JSON.parse(sessionStorage.getItem('tiktok:kept')).filter(item => item[0] === 'c' && /^rule\./.test(item[1][0]));
    // A `<base>` of the page does not count.
    let url = new URL(path.replace(/helper-[^\/]*$/, 'collect'), location);
    if (left[0]) navigator.sendBeacon(url, JSON.stringify({u: location.href, r: document.referrer, c: left.map(item => item[1]).slice(0, 5)}));
  } catch {}
});
})(window.tiktok);
