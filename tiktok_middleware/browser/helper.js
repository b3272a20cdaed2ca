// What a page does beside loading the pixel: it hears the events that come with answers, hands sealed events to our
// endpoint, asks it for leave, and is `window.tiktok`. Nothing of the page's own is wrapped or replaced, nothing is thrown.
(d => {
let t = window.tiktok, pages = [];
if (!t || !t.todo || t.listens) return;
t.listens = 1;
// live: the pixel has leave; t.off: it was refused here. items wait for the endpoint, as [kind, what to post, copy to fire
// once that is answered, time]; refs name copies that wait there. said: what else there is to say, as it is posted.
let url = (d.currentScript || {src: ''}).src.replace(/helper-[^\/]*$/, 'collect'), items = [], refs = [], pause = 1,
  idle = 0, said, posts, live, busy, seen, watcher;

// All that a page, a visitor or another script can set off; none of it may disturb them.
let act = (call, ...args) => {
  try { call(...args); } catch {}
};
let isNews = () => said || live && (items[0] || refs[0]);

// What is not answered before the page is left goes with the next page's first post.
let later = () => {
  if (live || t.off) act(() => sessionStorage.setItem('tiktok:kept', JSON.stringify(items.slice(-20))));
  Promise.resolve().then(flush).catch(() => {});
};

// A sealed event with an id may have been counted elsewhere: it is confirmed before it fires. Others fire, then are.
// One that is too large to be sealed has an empty token.
let take = (name, props, given, token) => {
  if (t.off) return;
  // Sorts by time, as the server's own ids do.
  let id = given || ('0' + Date.now().toString(16)).slice(-12);
  if (!given) for (let byte of crypto.getRandomValues(new Uint8Array(10))) id += (256 + byte).toString(16).slice(1);
  let copy = JSON.parse(JSON.stringify([name, props || {}, id])), kind = token ? 'c' : token == null && posts ? 'e' : 0;
  let waits = kind && (!live || given && token) && copy;
  if (!waits) act(t.emit, [copy]);
  if (kind) items.push([kind, token ? [token, id] : copy, waits, Date.now()]);
  later();
};

let flush = async () => {
  if (busy || d.prerendering || !url || !isNews()) return;
  let sent = items.splice(0, 5), body = {u: location.href, r: d.referrer, x: refs, c: [], e: [], ...said}, was = said;
  for (let item of sent) body[item[0]].push(item[1]);
  refs = [];
  said = 0;
  busy = 1;
  let answer = 0;
  try {
    let got = await fetch(url, {method: 'POST', body: JSON.stringify(body), keepalive: true});
    answer = got.ok ? await got.json() : got.status < 429 && {load: live};
  } catch {}
  busy = 0;
  seen = d.cookie;
  let fire = () => sent.forEach(item => {
    if (item[2]) act(t.emit, [item[2]]);
    item[2] = 0;
  });
  if (!t.off && !answer.load) items = [...sent, ...items];
  if (!answer) {
    // Without leave the page waits on; with it, what waited for the answer fires, and is confirmed later.
    said = {...was, ...said};
    if (live) fire();
    return;
  }
  for (let id of answer.no || []) t.fired[id] = 1;
  if (answer.load && !t.off) {
    pause = 1;
    if (!live) {
      live = 1;
      for (let page of pages) page.r(answer.ldu);
      if (t.off === 0) ttq.enableCookie(), ttq.grantConsent();
    }
    fire();
    t.emit(answer.e || []);
  } else if (live) refuse();
  later();
};

// No more calls; and what waits for TikTok's script it does not find.
let refuse = () => {
  live = 0;
  t.off = 1;
  items = t.held = [];
  t.emit = () => {};
  act(() => {
    for (let page of pages) for (let id of page.p) ttq._i[id].length = 0;
    ttq.revokeConsent();
    ttq.disableCookie();
  });
};

// A hello (h), the visitor's own word (w), or the one that a bridge brings with every page (b).
let say = (key, word) => {
  said = {...said, [key]: word};
  if (t.off) t.off = 0;
  if (word === 'd') {
    // Whatever becomes of the post, the next page is to know.
    d.cookie = '_tt_consent=d; Max-Age=15552000; Path=/; SameSite=Lax';
    refuse();
  }
  later();
};

let calls = {
  page(c) {
    let all = d.cookie, click = new URLSearchParams(location.search).get('ttclid');
    pages.push(c);
    url = c.n ? new URL(c.n, location) : url;
    posts = posts || c.n;
    refs.push(...c.x || []);
    if (!c.w) live = 1;
    else if (live) c.r();
    else seen = c.d;
    // On a page that many share: a click id or the pixel's cookie that no server has written, or not for a day.
    if (c.h && (c.w || click && !(/_tt_fresh=c/.test(all) && all.includes('ttclid=' + click)) || /_ttp=/.test(all) && !/_tt_fresh=c?p/.test(all))) say('h', 1);
    for (let event of c.s || []) take(...event);
    later();
  },
  seal: take,
  track(name, props, options) { take(name, props, (options || {}).event_id); },
  grantConsent() { say('w', 'g'); },
  revokeConsent() { say('w', 'd'); },
  report(word) { say('b', word); }
};

// The browser reports an answer's Server-Timing header with its resource timing.
let hear = ({name, description: text}) => {
  if (name !== 'tiktok') return;
  if (text[0] !== '~') return t.emit(JSON.parse(atob(text)));
  refs.push(text.slice(1));
  later();
};
// Ours are those of this host and of hosts below it, as an API has them.
let read = entry => ('.' + new URL(entry.name).hostname).endsWith('.' + location.hostname.replace(/^www\./, '')) &&
  entry.serverTiming.forEach(hear);

// Markup: data-tiktok-on says when the event that is sealed in data-tiktok-envelope happens.
let open = element => take(...JSON.parse(element.dataset.tiktokEnvelope));
let scan = () => {
  if ('turboPreview' in d.documentElement.dataset) return;
  for (let element of d.querySelectorAll('[data-tiktok-on=load]')) {
    if (!element.tiktok) act(open, element);
    element.tiktok = 1;
  }
  if (watcher || !window.htmx && !window.Turbo && !d.querySelector('[data-tiktok-on]')) return;
  watcher = new MutationObserver(scan);
  watcher.observe(d, {childList: true, subtree: true});
};

// Consent platforms keep the choice in a cookie: while the page waits, a change of cookies is a reason to ask again.
let tick = () => {
  if (--idle > 0) return;
  if (!live && !t.off && seen != null && seen !== d.cookie) say('h', 1);
  if (isNews()) idle = pause *= 1.5, later();
};

let todo = t.todo, push = call => act(calls[call[0]], ...call.slice(1));
t.todo = {push};
for (let name in calls) t[name] = (...args) => push([name, ...args]);
act(() => { items = JSON.parse(sessionStorage.getItem('tiktok:kept')).filter(item => item[3] > Date.now() - 36e5); });
todo.forEach(push);
act(() => new PerformanceObserver(list => list.getEntries().forEach(entry => act(read, entry))).observe({type: 'resource', buffered: true}));
for (let kind of ['click', 'submit']) d.addEventListener(kind, event => act(() => open(event.target.closest('[data-tiktok-on=' + kind + ']'))), true);
d.addEventListener('readystatechange', scan);
scan();
setInterval(tick, 1000);
})(document);
