// Tells the endpoint what the visitor chose in a consent platform that no server can read. Each file of `bridges` brings
// one question, answered by true, false, nothing (no choice yet), or a promise of that; where several platforms answer,
// one refusal is enough. It only asks and listens: a change is said once, also when the site has its own word since.
(t => {
if (!t || !t.report || t.bridge) return;
let reads = [], said;
let look = async () => {
  let found = [];
  for (let read of reads) {
    try { found.push(await read()); } catch {}
  }
  found = found.filter(one => typeof one === 'boolean');
  let word = found.every(one => one) ? 'g' : 'd', own = (document.cookie.match('_tt_consent=(.)') || [])[1], told;
  if (!found.length || word === said) return;
  try { told = localStorage.getItem('tiktok:bridge'); } catch {}
  said = word;
  if (!own || own !== word && told !== word) t.report(word);
  try { localStorage.setItem('tiktok:bridge', word); } catch {}
};
t.bridge = (read, ...events) => {
  reads.push(read);
  for (let name of events) window.addEventListener(name, look);
};
queueMicrotask(look);
setInterval(look, 1000);
})(window.tiktok);
