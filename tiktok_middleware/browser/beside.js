// Loaded by the helper if the page may hold another base code of TikTok's, and in few other pages. A base code that runs
// after ours replaces the queue of its pixel: what TikTok's script has not taken from the old queue is fired again. What
// was found is reported to the endpoint, once in a tab.
((t, d) => {
try {
  let q = window.ttq, own = t.own, page = t.pages[0], entries = performance.getEntriesByType('resource');
  let collect = d.currentScript.src.replace(/beside-.*/, 'collect');
  let times = q && q._t || {}, others = Object.keys(times).filter(id => times[id] !== (own[id] || {}).t);
  let begun = Math.min(...Object.values(own).map(queue => queue.t)), later = others.filter(id => times[id] >= begun);
  // TikTok's script ran before the other base code, which then has counted one more page view.
  let came = Math.min(...entries.filter(one => /[?&]sdkid=/.test(one.name)).map(one => one.responseEnd)) + performance.timeOrigin;
  // A queue that holds calls was not taken: the script had arrived, but had not run.
  let taken = Object.keys(own).filter(id => !own[id].length);
  let isLate = taken.length === Object.keys(own).length && later.some(id => times[id] > came);
  let gateway = entries.find(one => /[/]api[/]v[0-9]+[/]pixel($|[?])/.test(one.name)
    && !/(^|[.])(tiktok[.]com|tiktokw[.](us|eu)|byteoversea[.]com)$/.test(new URL(one.name).hostname) && new URL(one.name).origin !== new URL(page.u).origin);
  let isBroken = !q || !q.push && !q.instance;
  let tell = (kind, detail) => {
    let word = kind + ' ' + String(detail || '').slice(0, 60);
    if (sessionStorage.getItem('tiktok:beside') === word) return;
    sessionStorage.setItem('tiktok:beside', word);
    fetch(collect, {method: 'POST', body: JSON.stringify({u: location.href, r: d.referrer, o: word}), keepalive: true}).catch(() => {});
  };
  if (isBroken) return tell('broken', typeof q);
  if (gateway) tell('gateway', new URL(gateway.name).hostname);
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
  mend();
  if (isLate) setInterval(mend, 1000);
} catch {}
})(window.tiktok, document);
