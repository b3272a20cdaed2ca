// Read the events that come with answers, post sealed events to our endpoint, follow changes of consent, and provide
// `window.tiktok`. Nothing of the page's own is wrapped or replaced, and nothing is thrown.
(d => {
let t = window.tiktok, pages = [];
if (!t || !t.todo || t.listens) return;
t.listens = 1;
// live: events may go; t.off: consent was refused here. items wait for the endpoint, as [kind, what to post, copy to fire
// once that is answered, time]; refs name copies that wait there. said: further fields of the next post. platform: what
// the bridge has reported. parked: calls that TikTok's script has not run yet, of a visitor who has refused since.
// t.s: p says that there is a platform, m matches its cookies, x says that pages cannot read them, d lists the domains of our cookies.
let script = d.currentScript || {src: ''}, url = script.src.replace(/helper-[^\/]*$/, 'collect'), nonce = script.nonce,
  settings = t.s || {}, items = [], refs = [], parked = [], pause = 1, idle = 0,
  said, posts, live, paused, busy, at, seen, heard, platform, needs, watcher;

// Our cookies go to all hosts of the site: the broadest domain that the browser takes is the site's own.
let domains = settings.d || location.hostname.split('.').map((_, at, all) => all.slice(at).join('.')).reverse();
let write = (name, value, age) => {
  for (let domain of [...domains, '']) {
    d.cookie = name + '=' + value + '; Max-Age=' + age + '; Path=/; SameSite=Lax' + (domain && '; Domain=' + domain);
    if (age && holds(name, value)) return;
  }
};
let holds = (name, value) => ('; ' + d.cookie + ';').includes('; ' + name + '=' + (value ? value + ';' : ''));
let end = (...names) => names.forEach(name => holds(name) && write(name, '', 0));
let own = () => (/(?:^|; )_tt_consent=(.)/.exec(d.cookie) || [])[1];
let record = (text = d.cookie) => text.split('; ')
  .filter(pair => settings.m ? RegExp(settings.m).test(pair) : !/^_?tt/.test(pair)).join();

// All that a page, a visitor or another script can set off; none of it may disturb them.
let act = (call, ...args) => {
  try { call(...args); } catch {}
};
let isNews = () => said || live && (items[0] || refs[0]);

// What is not answered before the page is left goes with the next page's first post.
let later = () => {
  if (live || t.off) act(() => sessionStorage.setItem('tiktok:kept', JSON.stringify(t.off ? [] : items.slice(-20))));
  Promise.resolve().then(flush).catch(() => {});
};

// An id that sorts by time, as the server's own ids do.
let mint = () => {
  let id = ('0' + Date.now().toString(16)).slice(-12);
  for (let byte of crypto.getRandomValues(new Uint8Array(10))) id += (256 + byte).toString(16).slice(1);
  return id;
};

// A sealed event with an id may have been counted elsewhere: it is confirmed before it fires. Others fire, then are.
// One that is too large to be sealed has an empty token.
let take = (name, props, given, token) => {
  watch();
  route();
  if (t.off) return;
  let id = given || mint();
  let copy = JSON.parse(JSON.stringify([name, props || {}, id])), kind = token ? 'c' : token == null && posts ? 'e' : 0;
  let waits = kind && (!live || given && token) && copy;
  if (!waits) act(t.emit, [copy]);
  if (kind) items.push([kind, token ? [token, id] : copy, waits, Date.now()]);
  later();
};

let flush = async () => {
  if (busy || d.prerendering || !url || !isNews()) return;
  // Another tab has refused since: what this page's platform said before counts no longer.
  if (!said && own() === 'd' && heard !== 'd') return refuse();
  let sent = t.off ? [] : items.splice(0, 5), was = said || {}, asked = record(), mine = own(), off = t.off;
  let body = {u: location.href, r: d.referrer, x: refs, c: [], e: [], m: [], ...platform, ...needs, ...said};
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
  seen = asked;
  heard = own();
  let fire = () => sent.forEach(item => {
    if (item[2]) act(t.emit, [item[2]]);
    item[2] = 0;
  });
  if (!answer.load) items = [...sent, ...items];
  if (!answer) {
    // Without leave the page waits on; with it, what waited for the answer fires, and is confirmed later.
    said = {...was, ...said};
    if (live) fire();
    return;
  }
  for (let id of answer.no || []) t.fired[id] = 1;
  // A refusal that another tab has stored meanwhile counts.
  if (answer.load && heard === 'd' && mine !== 'd') answer = {};
  if (answer.load && t.off === off && was.w !== 'd' && was.b !== 'd') {
    if (!was.h) pause = 1;
    if (!live) start(answer);
    fire();
    t.emit(answer.e || []);
  } else if (answer.told) t.held = [];
  else if (live || paused) refuse();
  later();
};

// The page of a visitor who had refused has no pixel: the answer brings it.
let start = answer => {
  live = 1;
  paused = 0;
  t.off = t.off && 0;
  if (answer.js && needs) {
    needs = 0;
    let element = d.createElement('script');
    element.nonce = nonce;
    element.textContent = answer.js;
    d.head.append(element);
  }
  for (let page of pages) page.r && page.r(answer.ldu);
  if (t.off != null) act(() => {
    ttq.enableCookie();
    ttq.grantConsent();
    for (let [id, call] of parked.splice(0)) ttq.instance(id)[call[0]](...call.slice(1));
  });
};

// A later address that may hold identity is judged by the endpoint before anything is told of it. Where the browser tells
// of route changes, they are page views.
let here = () => location.href.replace(/#\w.*/, '');
let route = () => {
  if (at === (at = here()) || !live && !paused) return;
  if (paused || t.suspects(at)) ask();
  if (t.routes) t.emit([[]]);
};

// Hold events back until the endpoint has answered: the record of consent has changed.
let ask = () => {
  if (live) {
    live = 0;
    paused = 1;
    t.emit = events => t.held.push(events);
  }
  say('h', 1);
};

// Stop both channels. What TikTok's script has not taken yet it does not find; it waits here for a change of mind.
let refuse = () => {
  if (paused) items = t.held = [];
  live = paused = 0;
  t.off = 1;
  t.emit = () => {};
  act(() => {
    for (let page of pages) for (let id of page.p || []) for (let call of ttq._i[id].splice(0)) parked.push([id, call]);
    ttq.revokeConsent();
    ttq.disableCookie();
  });
  end('_ttp', 'ttclid', '_tt_fresh');
};

// A hello (h), what the visitor told this site (w), or what the bridge reads (b). A refusal is stored here at once: the
// post may not arrive.
let say = (key, word) => {
  said = {...said, [key]: word};
  if (t.off && word === 'g') t.off = 0;
  if (key === 'w' && word === 'g') end('_tt_consent', '_tt_said');
  if (word === 'd') {
    write('_tt_consent', 'd', 15552000);
    if (key === 'w' && settings.p) write('_tt_said', 'd.' + Date.now(), 15552000);
    else end('_tt_said');
    refuse();
  }
  heard = own();
  later();
};

let calls = {
  page(c) {
    let all = d.cookie, click = new URLSearchParams(location.search).get('ttclid');
    pages.push(c);
    at = here();
    url = c.n ? new URL(c.n, location) : url;
    posts = posts || c.n;
    refs.push(...c.x || []);
    if (c.w && c.q) needs = {q: 1};
    if (!c.w) live = 1;
    else if (live) c.r && c.r();
    if (seen == null) seen = record(c.d), heard = own();
    // On a page that many share: a click id or the pixel's cookie that no server has written, or not for a day.
    if (c.h && (c.w || click && !(/_tt_fresh=c/.test(all) && all.includes('ttclid=' + click)) || /_ttp=/.test(all) && !/_tt_fresh=c?p/.test(all))) say('h', 1);
    for (let event of c.s || []) take(...event);
    later();
  },
  seal: take,
  track(name, props, options) { take(name, props, (options || {}).event_id); },
  grantConsent() { say('w', 'g'); },
  revokeConsent() { say('w', 'd'); },
  // What the bridge reads: granted, denied, or no choice (any more). A grant that an earlier page has reported ends with
  // the platform's record.
  report(word) {
    platform = word && {b: word};
    if (!word && own() === 'g' && !holds('_tt_said')) end('_tt_consent');
    word ? say('b', word) : ask();
  }
};

// The browser reports an answer's Server-Timing header with its resource timing.
let hear = ({name, description: text}) => {
  if (name !== 'tiktok') return;
  if (text[0] !== '~') return t.emit(JSON.parse(atob(text)));
  refs.push(text.slice(1));
  later();
};
// Ours are those of this host and of hosts below it, as an API has them.
let read = entry => {
  if (settings.x && /^(fetch|xml)/.test(entry.initiatorType) && /accept|decline|reject|revoke/i.test(entry.name) && !entry.name.includes(url)) ask();
  ('.' + new URL(entry.name).hostname).endsWith('.' + location.hostname.replace(/^www\./, '')) && entry.serverTiming.forEach(hear);
};

// Markup: data-tiktok-on says when the event happens whose signed token is in data-tiktok-envelope. The page fires what the
// endpoint reads in the token, never what the markup says.
let open = element => {
  let token = JSON.parse(element.dataset.tiktokEnvelope)[3];
  if (!token || t.off) return;
  items.push(['m', [token, mint()], 0, Date.now()]);
  later();
};
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

// A change of the platform's cookies is a reason to ask; a refusal that another tab has stored counts at once. Where the
// platform's cookies have no known name, each question makes the next one later.
let watch = () => {
  if (t.off) end('_ttp', 'ttclid', '_tt_fresh');
  if (busy || said || seen == null) return;
  let now = own();
  if (now !== heard && now === 'd') heard = now, refuse();
  else if ((settings.m || idle <= 0) && (now !== heard || seen !== record())) {
    if (!settings.m) idle = pause *= 1.5;
    ask();
  }
};
let tick = () => {
  if (--idle > 0) return;
  if (isNews()) idle = pause *= 1.5, later();
};

let todo = t.todo, push = call => act(calls[call[0]], ...call.slice(1));
t.todo = {push};
for (let name in calls) t[name] = (...args) => push([name, ...args]);
act(() => { items = JSON.parse(sessionStorage.getItem('tiktok:kept')).filter(item => item[3] > Date.now() - 36e5); });
todo.forEach(push);
act(() => new PerformanceObserver(list => list.getEntries().forEach(entry => act(read, entry))).observe({type: 'resource', buffered: true}));
for (let kind of ['click', 'submit']) d.addEventListener(kind, event => {
  act(() => open(event.target.closest('[data-tiktok-on=' + kind + ']')));
  act(setTimeout, watch);
}, true);
act(() => navigation.addEventListener('currententrychange', route));
act(() => cookieStore.addEventListener('change', watch));
d.addEventListener('readystatechange', scan);
scan();
setInterval(tick, 1000);
setInterval(watch, 400);
})(document);
