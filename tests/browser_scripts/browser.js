// A browser of a few lines: what the base code and the helper need, and a diary of what they do. Used by page_world.py.
// Each line of standard input is a JSON plan: scripts to run in order, what the browser is like, and steps that follow.
// Each is answered by a line, the diary.
const vm = require('vm');

async function live(plan) {
  const diary = {loaded: [], helpers: [], errors: [], observed: [], posts: [], written: []};
  function storage(name) {
    const kept = (diary[name] = {...plan[name]});
    const methods = {getItem: (key) => (key in kept ? kept[key] : null), setItem: (key, value) => { kept[key] = String(value); }};
    return new Proxy(methods, {
      get: (target, key) => target[key] || kept[key],
      set: (target, key, value) => { kept[key] = String(value); return true; },
    });
  }
  const cookies = {...plan.cookies};
  const listeners = {};
  const ticks = [];
  const timers = [];
  const answers = [...(plan.answers || [])];
  const observers = [];
  // An inserted script: observers hear of it once the running script has ended; one of our own files runs then.
  const insert = (element) => {
    const isHelper = /\/helper-[0-9a-f]{16}\.js$/.test(element.src);
    diary[isHelper ? 'helpers' : 'loaded'].push({src: element.src, async: element.async, nonce: element.nonce});
    const [, name] = /\/(\w+)-[0-9a-f]{16}\.js$/.exec(element.src) || [];
    Promise.resolve().then(() => observers.forEach((listener) => listener()));
    if ((plan.more || {})[name] && name !== 'helper') Promise.resolve().then(() => {
      const helper = document.currentScript;
      document.currentScript = element;
      run(plan.more[name]);
      document.currentScript = helper;
    });
  };
  const first = {parentNode: {insertBefore: insert}};
  const document = {
    currentScript: {
      nonce: plan.nonce || '',
      src: plan.helperUrl || 'https://shop.example/_tiktok/helper-0123456789abcdef.js',
    },
    prerendering: plan.prerendering,
    referrer: plan.referrer === undefined ? 'https://shop.example/before' : plan.referrer,
    documentElement: {dataset: {}},
    createElement: () => ({async: true}),
    getElementsByTagName: () => [first],
    querySelector: (selector) => (selector.startsWith('script') && plan.element) || null,
    // A script of the site, whose name is like our helper's, comes before ours.
    scripts: plan.element ? [{src: 'https://shop.example/static/ui-helper-2.js'}, plan.element] : [],
    head: {append: (element) => insert(element), appendChild: (element) => insert(element), toggleAttribute: plan.head === 'old' ? undefined : () => {}},
    querySelectorAll: (selector) => (/sdkid/.test(selector) ? diary.loaded.filter(({src}) => /sdkid/.test(src)) : []),
    addEventListener: (name, listener) => (listeners[name] = listeners[name] || []).push(listener),
    get cookie() { return Object.entries(cookies).map(([name, value]) => name + '=' + value).join('; '); },
    set cookie(text) {
      const [name, value] = text.split(';')[0].split('=');
      diary.written.push(text);
      // A browser ignores a cookie of a public suffix.
      if (/Domain=example(;|$)/.test(text)) return;
      if (/Max-Age=0/.test(text)) delete cookies[name]; else cookies[name] = value;
    },
  };
  const location = new URL('https://shop.example' + (plan.path || '/'));
  const window = {
    document, location, URL, URLSearchParams, atob, queueMicrotask, crypto: globalThis.crypto,
    navigator: {globalPrivacyControl: plan.gpc, vendor: plan.vendor || 'Google Inc.'},
    setInterval: (listener) => ticks.push(listener),
    setTimeout: (listener, _delay, ...values) => timers.push(() => listener(...values)),
    addEventListener: (name, listener) => (listeners[name] = listeners[name] || []).push(listener),
    fetch: async (url, options) => {
      diary.posts.push({url, ...options, body: JSON.parse(options.body)});
      const answer = answers.shift() || {load: true};
      if (answer === 'never') return new Promise(() => {});
      if (answer === 'lost') throw new TypeError('Failed to fetch');
      if (answer === 'page') return {ok: true, status: 200, json: async () => { throw new SyntaxError('no JSON'); }};
      if (typeof answer === 'number') return {ok: false, status: answer};
      Object.assign(cookies, answer.cookies);
      return {ok: true, status: 200, json: async () => answer};
    },
  };
  if (plan.navigation) window.navigation = {
    addEventListener: (name, listener) => (listeners[name] = listeners[name] || []).push(listener),
    go: (path) => {
      location.href = 'https://shop.example' + path;
      (listeners.currententrychange || []).forEach((listener) => listener({navigationType: 'push'}));
    },
  };
  if (plan.session !== null) window.sessionStorage = storage('session');
  if (plan.local !== null) window.localStorage = storage('local');
  window.window = window;
  window.top = plan.frame ? {} : window;
  window.performance = {timeOrigin: plan.timeOrigin || 0, getEntriesByType: () => plan.resources || []};
  window.MutationObserver = class {
    constructor(listener) { this.listener = listener; }
    observe() { observers.push(this.listener); }
  };
  window.PerformanceObserver = class {
    constructor(listener) { this.listener = listener; }
    observe(options) {
      diary.observed.push(options);
      if (plan.entries) this.listener({getEntries: () => plan.entries});
    }
  };
  const context = vm.createContext(window);
  const run = (script) => {
    try { return vm.runInContext(script, context); } catch (error) { diary.errors.push(String(error)); }
  };
  const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

  const deeds = {
    run,
    cookies: (set) => Object.assign(cookies, set),
    tick: (seconds) => { while (seconds--) ticks.forEach((listener) => listener()); },
    // An event of the document; isTrusted tells whether the visitor caused it.
    act: ({name, isTrusted}) => (listeners[name] || []).forEach((listener) => listener({isTrusted, target: {closest: () => null}})),
    dispatch: (name) => (listeners[name] || []).forEach((listener) => listener({})),
    // The page comes back from the back/forward cache.
    restore: () => (listeners.pageshow || []).forEach((listener) => listener({persisted: true})),
    show: () => (listeners.pageshow || []).forEach((listener) => listener({persisted: false})),
    store: (set) => Object.entries(set).forEach(([key, value]) => window.sessionStorage.setItem(key, value)),
    wait: () => { for (const timer of timers.splice(0)) timer(); },
    activate: () => {
      document.prerendering = false;
      (listeners.prerenderingchange || []).forEach((listener) => listener());
    },
    // What events.js does once it is there: it runs the callbacks that waited for it.
    arrive: () => { for (const call of Array.from(window.ttq || [])) if (call[0] === 'ready') call[1](); },
  };

  if (plan.before) run(plan.before);
  for (const script of plan.scripts) run(script);
  await settled();
  for (const [deed, what] of plan.steps || []) {
    deeds[deed](what);
    await settled();
  }
  // Calls to all pixels, then those to each; what waits for the script's arrival is no call.
  const calls = (queue) => Array.from(queue, (call) => Array.from(call)).filter((call) => call[0] !== 'ready');
  const queues = () => [window.ttq, ...Object.values(window.ttq._i || {})];
  diary.queue = window.ttq ? JSON.parse(JSON.stringify(queues().flatMap(calls))) : null;
  diary.isArray = window.ttq ? vm.runInContext('Array.isArray(window.ttq)', context) : null;
  diary.methods = window.ttq ? Object.keys(window.ttq).filter((name) => typeof window.ttq[name] === 'function') : [];
  diary.options = window.ttq && window.ttq._o ? Object.values(window.ttq._o)[0] : null;
  diary.cookies = cookies;
  diary.globals = Object.keys(window);
  return diary;
}

require('readline').createInterface({input: process.stdin}).on('line', async (line) => {
  process.stdout.write(JSON.stringify(await live(JSON.parse(line))) + '\n');
});
