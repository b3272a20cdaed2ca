// The script of a page whose visitor has refused: it loads nothing of TikTok, and lets the visitor grant consent. Calls
// wait for the helper. `j` is the helper's path if a `<base>` of the page would change an element's URL, else 0.
(function (w, d, j) {
try {
  var me = d.currentScript, t = w.tiktok = w.tiktok || {};
  t.todo = t.todo || [];
  ['track', 'receive', 'grantConsent', 'revokeConsent'].forEach(function (name) {
    t[name] = t[name] || function () { t.todo.push([name].concat([].slice.call(arguments))); };
  });
  t.emit = t.emit || function () {};
  t.fired = t.fired || {};
  t.todo.push(['page', {w: 1, q: 1, d: d.cookie}]);
  if (j) {
    var s = d.createElement('script');
    s.async = true;
    s.nonce = me.nonce;
    s.src = w.location.origin + j;
    me.parentNode.insertBefore(s, me);
  }
} catch (e) {}
})(window, document,
