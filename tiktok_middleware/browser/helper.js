// Read the events that responses carry, post sealed events to our endpoint, follow changes of consent, and provide
// `window.tiktok`. The helper wraps or replaces nothing of the page, and throws nothing.
(d => {
let t = window.tiktok;
if (!t || !t.todo || t.listens) return;
t.listens = 1;
// live: events may be sent. t.off: consent was refused in this page. items: posts that wait for the endpoint, each
// [kind, what to post, copy to fire after the answer, time]; kind x is a reference of a copy that is stored at the
// endpoint. leaving: if the page is being left, how many items its last posts contain. said: more fields of the next post.
// platform: what the bridge has reported. parked: calls that TikTok's script had not run when the visitor refused. t.fired:
// also names of redirect cookies whose events this page has, and URLs of answers that it has received. t.s: p: there is a
// platform; m: pattern of its cookies; d: domains of our cookies.
// The page's script requests this file by an absolute URL, which no `<base>` changes.
let {src = '', nonce} = d.currentScript || {}, [, folder, suffix] = src.match(/(.*)helper(-\w+.js)$/) || [], url = folder && folder + 'collect',
  settings = t.s || {}, pages = t.pages = [], items = [], parked = [], pause = 2.5, idle = 0,
  born = Date.now(),
  said, posts, live, paused, busy, leaving, at, seen, heard, platform, needs, watcher, beside;

// Our cookies are for all hosts of the site: the broadest domain that the browser accepts is the site's.
let domains = [...settings.d || location.hostname.split('.').map((_, at, all) => all.slice(~at).join('.')), ''];
// Return the value of a cookie; empty if there is none.
let value = name => (('; ' + d.cookie).split('; ' + name + '=')[1] || '').split(';')[0];
// Store a cookie for half a year, or clear it if the text is empty.
let write = (name, text) => domains.some(domain => {
  d.cookie = name + '=' + text + '; Max-Age=' + (text ? 15552000 : 0) + '; Path=/; SameSite=Lax' + (domain && '; Domain=' + domain);
  return text && value(name) === text;
});
let end = (...names) => names.map(name => value(name) && write(name, ''));
let own = () => value('_tt_consent')[0];
// The cookies of the consent platform; if their names are not known, all that are not ours.
let record = (text = d.cookie) => text.split('; ').filter(pair => pair.match(settings.m || '^(?!_?tt)')).join();

// Run a call that the page, the visitor or another script triggers; its errors must not reach them, now or later.
let act = async (call, ...args) => {
  try { await call(...args); } catch {}
};
// Add a script element to the page, by its `textContent` or its `src`.
let add = fields => d.head.append(Object.assign(d.createElement('script'), {nonce}, fields));
// Load another of our files, which lie beside this one.
let more = name => folder && add({src: folder + name + suffix});
let each = (list, call) => list && list.map(call);
let know = names => each(names, name => t.fired[name] = 1);

// Store the items without an answer: if the page is left, the next page's first post carries them.
let later = () => {
  if (live || t.off) act(() => sessionStorage['tiktok:kept'] = JSON.stringify(t.off ? [] : items.slice(-20)));
  act(flush);
};
let queue = (kind, what, waits) => {
  items.push([kind, what, waits, Date.now()]);
  later();
};

// Make an id that sorts by time, like the server's ids.
let mint = () => '0' + Date.now().toString(16) + crypto.getRandomValues(new Uint32Array(4)).join('').slice(0, 20);

// A sealed event with an id may have been counted elsewhere: it is confirmed before it fires. Other events fire first
// and are confirmed later. An event that is too large to be sealed has an empty token.
let take = (name, props, given, token) => {
  watch();
  route();
  if (t.off) return;
  let id = given || mint();
  let copy = JSON.parse(JSON.stringify([name, props || {}, id])), kind = token ? 'c' : token == null && posts && 'e';
  let waits = kind && (!live || given && token) && copy;
  if (!waits) act(t.emit, [copy]);
  if (kind) queue(kind, token ? [token, id] : copy, waits);
};

let flush = async () => {
  await 0;
  if (d.prerendering || !url || !(said || live && items[0]) || busy && !leaving) return;
  // The visitor has refused in another tab since: this page's earlier report of the platform is outdated.
  if (!said && own() === 'd' && heard !== 'd') return refuse();
  let sent = t.off ? [] : items.slice(0, leaving || 5), was = said || {}, mine = own(), off = t.off;
  seen = record();
  let body = {u: location.href, r: d.referrer, x: [], c: [], e: [], m: [], p: sent.some(item => item[2]), b: platform || undefined, q: needs, ...said};
  sent.map(item => body[item[0]].push(item[1]));
  let answer = said = 0;
  busy = 1;
  try {
    let got = await fetch(url, {method: 'POST', body: JSON.stringify(body), keepalive: 1});
    answer = got.ok ? await got.json() : got.status < 429 && {load: live};
  } catch {}
  busy = 0;
  heard = own();
  let fire = () => sent.map(item => {
    if (item[2]) act(t.emit, [item[2]]);
    item[2] = 0;
  });
  if (answer.load) items = items.filter(item => !sent.includes(item));
  if (!answer) {
    // Without consent the page keeps waiting. With consent the waiting copies fire now, and are confirmed later.
    said = {...was, ...said};
    return live && fire();
  }
  know(answer.no);
  // A refusal that another tab has stored during the post counts.
  if (heard === 'd' && mine !== 'd') answer = {};
  if (answer.load && t.off === off && was.w !== 'd' && was.b !== 'd') {
    if (!live) start(answer);
    if (!was.h) pause = 2.5;
    fire();
    know(answer.k);
    t.emit(answer.e || [], answer.k);
  } else if (answer.told) t.held = [];
  else if (live || paused) refuse();
  later();
};

// The page of a visitor who had refused has no pixel: the answer contains its script.
let start = answer => {
  live = 1;
  paused = 0;
  t.off = t.off && 0;
  if (answer.js && needs) {
    needs = 0;
    add({textContent: answer.js});
  }
  pages.map(page => page.r && page.r(answer.ldu));
  if (t.off != null) act(() => {
    ttq.enableCookie();
    ttq.grantConsent();
    parked.splice(0).map(([id, call]) => ttq.instance(id)[call[0]](...call.slice(1)));
  });
};

// If a later URL may contain identity, the endpoint checks it before anything is reported with it. If the browser
// reports route changes, they are page views.
let here = () => location.href.replace(/#\w.*/, '');
let route = () => {
  if (at === (at = here()) || !live && !paused) return;
  if (paused || t.suspects(at)) ask();
  if (t.routes) t.emit([[]]);
};

// Hold events until the endpoint has answered, because the record of consent may have changed.
let ask = () => {
  if (live) {
    live = 0;
    paused = 1;
    t.emit = events => t.held.push(events);
  }
  say('h', 1);
};

// Stop both channels. Calls that TikTok's script has not run yet move to `parked`, in case consent is granted later.
let refuse = () => {
  if (paused) items = [], t.held = [];
  live = paused = 0;
  t.off = 1;
  t.emit = () => {};
  act(() => {
    pages.map(page => each(page.p, id => ttq._i[id].splice(0).map(call => parked.push([id, call]))));
    ttq.revokeConsent();
    ttq.disableCookie();
  });
  end('_ttp', 'ttclid', '_tt_fresh');
};

// Queue a hello (h), the visitor's choice on this site (w), or the choice that the bridge reads (b). A refusal is
// stored in a cookie at once, because the post may not arrive.
let say = (key, word) => {
  said = {...said, [key]: word};
  if (word === 'g') {
    t.off = t.off && 0;
    if (key === 'w') end('_tt_consent', '_tt_said');
  }
  if (word === 'd') {
    write('_tt_consent', 'd');
    if (key === 'w' && settings.p) write('_tt_said', 'd.' + Date.now());
    else end('_tt_said');
    refuse();
  }
  heard = own();
  later();
};

let calls = {
  page(c) {
    let fresh = value('_tt_fresh'), click = new URL(location).searchParams.get('ttclid');
    pages.push(c);
    at = here();
    know(c.k);
    if (c.n) url = new URL(posts = c.n, location);
    each(c.x, ref => queue('x', ref));
    if (c.w) needs = needs || c.q;
    if (!c.w) live = 1;
    else if (live) c.r && c.r();
    if (seen == null) seen = record(c.d), heard = own();
    // On a shared page: post a hello for a click id or pixel cookie that no server has written, or none within a day.
    if (c.h && (c.w || click && !(fresh[0] === 'c' && value('ttclid') === click) || value('_ttp') && !/^c?p/.test(fresh))) say('h', 1);
    each(c.s, event => take(...event));
    later();
  },
  seal: take,
  track(name, props, options) { take(name, props, options && options.event_id); },
  // Take the events of an answer that the browser does not report: a Response, or the text of its header TikTok-Events,
  // such as a worker posts it to the page.
  receive(answer) {
    t.fired[answer.url] = 1;
    let get = name => answer.headers.get(name) || '', text = answer.trim ? answer : get('TikTok-Events');
    if (text) t.emit(JSON.parse(text));
    answer.trim || get('Server-Timing').replace(/tiktok;desc=.(~\w+)/g, (_, word) => hear(word));
  },
  grantConsent() { say('w', 'g'); },
  revokeConsent() { say('w', 'd'); },
  // Take the bridge's report: granted, denied, or no choice (any more). A grant that an earlier page has reported ends
  // when the platform's record ends.
  report(word) {
    platform = word;
    if (!word && own() === 'g' && !value('_tt_said')) end('_tt_consent');
    word ? say('b', word) : ask();
  },
  ask
};

// What a banner or a page shows of this visitor's choice, and of Global Privacy Control. settings.g: what the Control does
// here, if it is no refusal: 1 ignore, 2 limit.
t.privacyStatus = () => {
  let seen = !!navigator.globalPrivacyControl, stops = seen && !settings.g;
  return {
    consent: live ? 'granted' : t.off || needs || stops || own() === 'd' ? 'denied' : 'unknown',
    source: stops && !live ? 'gpc' : platform || settings.p && !value('_tt_said') ? 'platform' : own() ? 'site' : 'default',
    gpcSeen: seen,
    gpcHonoured: stops ? !live : seen && settings.g > 1
  };
};

// Read the events of a response's Server-Timing header, which the browser reports with the resource timing. A sealed
// one, [token, id], waits in this page's memory for the visitor's consent.
let hear = text => text > '~' ? queue('x', text.slice(1))
  : t.emit(JSON.parse(atob(text)).filter(event => event[2] || queue('m', event)));
// Read events only from responses of this host and its subdomains, such as an API's. WebKit keeps Server-Timing of other
// hosts to itself: the endpoint counts such an answer, unless the page passes it to receive().
let read = entry => {
  let host = new URL(entry.name).hostname;
  if (!('.' + host).endsWith('.' + location.hostname.replace(/^www\./, ''))) return;
  entry.serverTiming.map(one => one.name === 'tiktok' && hear(one.description));
  if (/fetch|xml/.test(entry.initiatorType) && host !== location.hostname && entry.responseStart && !entry.serverTiming[0] && /^Ap/.test(navigator.vendor))
    setTimeout(() => t.fired[entry.name] || say('n', 1), 1000);
};

// Markup: data-tiktok-on names the moment of an event, data-tiktok-envelope holds its signed token. The page fires
// the event that the endpoint reads from the token, never values of the markup itself.
let open = element => {
  let token = JSON.parse(element.dataset.tiktokEnvelope)[3];
  if (!token || t.off) return;
  queue('m', [token, mint()]);
};
let scan = () => {
  // Turbo shows a preview of the next page from its cache first.
  if (d.querySelector('[data-turbo-preview]')) return;
  [...d.querySelectorAll('[data-tiktok-on=load]')].map(element => element.tiktok = element.tiktok || act(open, element));
  if (watcher || !window.htmx && !window.Turbo && !d.querySelector('[data-tiktok-on]')) return;
  (watcher = new MutationObserver(scan)).observe(d, {childList: 1, subtree: 1});
};

// Ask the endpoint when the platform's cookies have changed. A refusal that another tab has stored counts at once. If
// the names of the platform's cookies are not known, the delay grows with each question.
let watch = () => {
  if (t.off) end('_ttp', 'ttclid', '_tt_fresh');
  if (busy || said || seen == null) return;
  let now = own();
  // Fetch the events of a page that was left at once, if they were stored while this page was requested. An older page
  // of another tab leaves them to the page that they belong to.
  each(d.cookie.match(/_tt_carry\.k\w+/g), name => live && Date.now() - born < 3000 && !t.fired[name] && say('h', t.fired[name] = 1));
  if (now !== heard && now === 'd') heard = now, refuse();
  else if ((settings.m || idle <= 0) && (now !== heard || seen !== record())) {
    if (!settings.m) idle = pause *= 1.5;
    ask();
  }
};

let todo = t.todo, push = ([name, ...args]) => { act(calls[name], ...args); };
t.todo = {push};
for (let name in calls) t[name] = (...args) => push([name, ...args]);
act(() => { items = JSON.parse(sessionStorage['tiktok:kept']).filter(item => item[3] > born - 36e5); });
todo.map(push);
act(() => new PerformanceObserver(list => list.getEntries().map(entry => act(read, entry))).observe({type: 'resource', buffered: 1}));
['click', 'submit'].map(kind => d.addEventListener(kind, event => {
  act(() => open(event.target.closest('[data-tiktok-on=' + kind + ']')));
  act(setTimeout, watch);
}, 1));
act(() => navigation.addEventListener('currententrychange', route));
act(() => cookieStore.addEventListener('change', watch));
// A page that is restored from the back/forward cache may need TikTok's script once more: see restored.js.
addEventListener('pageshow', event => leaving = event.persisted && more('restored'));
if (t.back) more('restored');
// A choice in the moment of leaving: the post outlives the page. It does not wait for the answer to an earlier post, and
// contains the items of that post once more, because they were posted before the choice.
addEventListener('pagehide', () => {
  leaving = 20;
  watch();
  later();
});
d.addEventListener('readystatechange', scan);
scan();
setInterval(() => {
  watch();
  // All queues of window.ttq are ours, unless the page holds another base code or has replaced window.ttq: see beside.js. While
  // a test event code is set (t.s.l), all pages load that file, which also looks for a gateway.
  act(() => {
    if (live && !beside && (settings.l || !Object.keys(t.own)[0] || !(window.ttq || d).instance || Object.keys(ttq._i).some(id => ttq._i[id] !== t.own[id]))) beside = !more('beside');
  });
  if (--idle <= 0 && (said || live && items[0])) idle = pause *= 1.5, later();
}, 400);
})(document);
