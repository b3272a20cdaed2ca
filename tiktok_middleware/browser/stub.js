// The script of a page whose visitor has refused: it loads nothing of TikTok, and lets the visitor grant consent. Calls
// wait for the helper, whose path is `j`; as in pixel.js, an engine that is too old for it does not request it.
(function (w, d, j) {
try {
  var t = w.tiktok = w.tiktok || {};
  t.todo = t.todo || [];
  ['track', 'receive', 'grantConsent', 'revokeConsent'].forEach(function (name) {
    t[name] = t[name] || function () { t.todo.push([name].concat([].slice.call(arguments))); };
  });
  t.emit = t.emit || function () {};
  t.fired = t.fired || {};
  t.todo.push(['page', {w: 1, q: 1, d: d.cookie}]);
  if ([].flat && d.head.toggleAttribute) {
    var s = d.createElement('script');
    s.nonce = d.currentScript.nonce;
    s.src = w.location.origin + j;
    d.head.appendChild(s);
  }
} catch (e) {}
})(window, document,
