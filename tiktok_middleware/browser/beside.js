// Loaded by the helper if the page may hold another base code of TikTok's, or has replaced `window.ttq`, and in few other
// pages. A base code that runs after ours replaces the queue of its pixel: what TikTok's script has not taken from the old
// queue is fired again. What was found is reported to the endpoint, once in a tab.
((t, d) => {
try {
  let own = t.own, page = t.pages[0], script = d.currentScript, entries = performance.getEntriesByType('resource');
  let tell = (kind, detail) => {
    let word = kind + ' ' + String(detail || '').slice(0, 60);
    if (sessionStorage.getItem('tiktok:beside') === word) return;
    sessionStorage.setItem('tiktok:beside', word);
    let body = JSON.stringify({u: location.href, r: d.referrer, o: word});
    fetch(script.src.replace(/beside-.*/, 'collect'), {method: 'POST', body, keepalive: true}).catch(() => {});
  };
  let nameOf = url => new URL(url).hostname;
  let gateway = entries.find(one => /[/]api[/]v[0-9]+[/]pixel([/]|$|[?])/.test(one.name)
    && !/(^|[.])(tiktok[.]com|tiktokw[.](us|eu)|byteoversea[.]com)$/.test(nameOf(one.name)) && new URL(one.name).origin !== new URL(page.u).origin);
  if (gateway) tell('gateway', nameOf(gateway.name));

  // The page has put an array of its own in place of the queue: make it one. TikTok's script takes its calls if it comes
  // later; if it was there before and found no queue, it is loaded once more.
  let isWaiting = t.q && t.q.length, q, kind = 'getter';
  let revive = () => {
    let calls = q.splice(0), came = entries.some(one => /[?&]sdkid=/.test(one.name));
    Object.assign(q, t.q);
    if (isWaiting) for (let name of q.methods) q.setAndDefer(q, name);
    for (let call of calls) if (call && q[call[0]]) q[call[0]](...[].slice.call(call, 1));
    t.q = q;
    if (isWaiting && came) for (let id of Object.keys(own)) {
      let element = d.createElement('script');
      element.nonce = script.nonce;
      element.src = page.u + '?sdkid=' + id + '&lib=ttq';
      d.head.append(element);
    }
  };
  try {
    q = window.ttq;
    kind = q === null ? 'null' : Array.isArray(q) ? 'fixed-array' : typeof q;
    if (!q.instance && Array.isArray(q) && t.q) {
      revive();
      tell('replaced', 'array');
    }
  } catch {}
  if (!(q || 0).instance) return tell('broken', kind);

  let times = q._t || {}, others = Object.keys(times).filter(id => times[id] !== (own[id] || {}).t);
  let begun = Math.min(...Object.values(own).map(queue => queue.t)), later = others.filter(id => times[id] >= begun);
  // TikTok's script ran before the other base code, which then has counted one more page view.
  let came = Math.min(...entries.filter(one => /[?&]sdkid=/.test(one.name)).map(one => one.responseEnd)) + performance.timeOrigin;
  // A queue that holds calls was not taken: the script had arrived, but had not run.
  let taken = Object.keys(own).filter(id => !own[id].length);
  let isLate = taken.length === Object.keys(own).length && later.some(id => times[id] > came);
  if (!others[0]) return;
  tell(isLate ? 'late' : 'found', q._partner);
  let move = (from, to) => {
    for (let call of from.splice(0)) if (call[0] !== 'page' && to[call[0]]) to[call[0]](...call.slice(1));
  };
  // A queue that was taken keeps TikTok's methods; one that replaced it is dead.
  let mend = () => {
    for (let id of Object.keys(own)) try {
      let old = own[id], now = q._i[id];
      if (now === old || t.off) continue;
      if (!taken.includes(id)) move(old, q.instance(id));
      else if (isLate) move(now, old);
    } catch {}
  };
  // The other base code has made an array of its own: what waits in ours for TikTok's script, such as its arrival, goes there.
  if (isWaiting && t.q !== q) move(t.q, q);
  mend();
  if (isLate) setInterval(mend, 1000);
} catch {}
})(window.tiktok, document);
