// For a consent platform that stores a choice by a request, in a cookie that pages cannot read: ask the endpoint after
// each request of the page whose URL looks like one of the platform's.
(t => {
if (!t || !t.ask || t.asks) return;
t.asks = 1;
let collect = (document.currentScript || {src: ''}).src.replace(/helper-.*/, 'collect');
let isChoice = entry => /^(fetch|xml)/.test(entry.initiatorType) && /accept|decline|reject|revoke/i.test(entry.name) && entry.name !== collect;
try {
  new PerformanceObserver(list => list.getEntries().some(isChoice) && t.ask()).observe({type: 'resource', buffered: true});
} catch {}
})(window.tiktok);
