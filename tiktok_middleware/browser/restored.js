// Loaded by the helper if the page was restored from the back/forward cache. Such a page does not request TikTok's script
// again if that had not come. Events that the next page has fired leave its queue. Two seconds suffice for a script that
// is on its way after all.
((t, queue, d) => {
try {
  let nonce = d.currentScript.nonce, isThere;
  queue.ready(() => isThere = 1);
  setTimeout(() => {
    try {
      for (let page of t.pages) for (let id of page.p || []) {
        let calls = queue._i[id], element = d.createElement('script');
        if (isThere || t.off || !calls) return;
        calls.push(...calls.splice(0).filter(call => !call[3] || !sessionStorage.getItem('tiktok:' + call[3].event_id)));
        element.nonce = nonce;
        element.src = page.u + '?sdkid=' + id + '&lib=ttq';
        d.head.append(element);
      }
    } catch {}
  }, 2000);
} catch {}
})(window.tiktok, window.ttq, document);
