// Report the choices that the page's consent platforms hold. Each file of `bridges` adds a function that reads one.
// It returns true, false, null (the platform is there and holds no choice), undefined (the platform is not there yet),
// or a promise of one of these. If several platforms hold a choice, one refusal counts. Each change is reported once.
(t => {
if (!t || !t.report || t.bridge) return;
let reads = [], said, silent = 0, acted = 0;
let decide = found => {
  let words = found.filter(one => typeof one === 'boolean'), word = words.includes(false) ? 'd' : words[0] ? 'g' : '';
  // The end of a grant counts at once. Any other empty record counts after five seconds: the platform may be loading.
  if (word === said || !word && said !== 'g' && !(found.includes(null) && ++silent > 5)) return;
  said = word;
  t.report(word);
};
let look = () => {
  // A platform stores a choice right after a click or a key press.
  let isActing = Date.now() - acted < 3000;
  let found = reads.map(read => {
    try { return read(isActing, look); } catch {}
  });
  if (found.some(one => one && one.then)) Promise.all(found.map(one => Promise.resolve(one).catch(() => {}))).then(decide);
  else decide(found);
};
let soon = event => {
  if (event.isTrusted) acted = Date.now();
  for (let wait of [0, 100, 300]) setTimeout(look, wait);
};
t.bridge = (read, ...events) => {
  reads.push(read);
  for (let name of events) for (let target of [window, document]) target.addEventListener(name, look);
};
for (let name of ['click', 'keydown', 'touchend']) document.addEventListener(name, soon, true);
for (let name of ['pagehide', 'storage', 'focus']) window.addEventListener(name, look);
document.addEventListener('visibilitychange', look);
// Read before a navigation requests its page, so that the request carries a refusal.
if (window.navigation) navigation.addEventListener('navigate', look);
Promise.resolve().then(look);
setInterval(look, 1000);
})(window.tiktok);
