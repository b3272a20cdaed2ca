// Behind the base code, where the page view waits: another base code counts it for all pixels. `start`: the times of
// loading when our pixels were loaded.
var isOver, start;
function isTag(script) {
  return /sdkid|gtm\.js|utag\.js/.test(script.src + script.text) && !/^.function.w,d,c/.test(script.text) && script.src.indexOf(c.u) < 0;
}
// While TikTok's script has not come, calls wait in the queue; later a new time of loading tells of another base code.
function times() { return JSON.stringify((w.ttq || 0)._t); }
function isElsewhere() {
  check();
  return isViewed || !(w.ttq || 0).length && times() !== start;
}
// Call `count` once, unless another base code has counted the page view.
function wait(isLong, count) {
  function decide() {
    try {
      if (!isOver && !t.off && (isOver = 1) && !isElsewhere()) count();
    } catch (e) {}
  }
  function later() { setTimeout(decide, 3000); }
  function parsed() {
    if (!isLong && ![].some.call(d.scripts, isTag)) decide();
    else if (d.readyState === 'complete') later();
    else w.addEventListener('load', later);
  }
  start = times();
  w.addEventListener('pagehide', decide);
  if (d.readyState === 'loading') d.addEventListener('DOMContentLoaded', parsed);
  else parsed();
}
var plain = run;
