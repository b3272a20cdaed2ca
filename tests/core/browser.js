// A browser of a few lines: what the base code and the helper need, and a diary of what they do. Used by test_snippet.py.
// Reads a JSON plan from standard input: scripts to run in order, and what the browser is like.
const plan = JSON.parse(require('fs').readFileSync(0, 'utf8'));
const vm = require('vm');
const diary = {loaded: [], errors: [], observed: []};
function session() {
  const kept = (diary.session = {...plan.session});
  return {getItem: (key) => (key in kept ? kept[key] : null), setItem: (key, value) => { kept[key] = String(value); }};
}
const cookies = {...plan.cookies};
const listeners = {};
const documentListeners = {};
const first = {parentNode: {insertBefore: (element) => diary.loaded.push({src: element.src, async: element.async, nonce: element.nonce})}};
const document = {
  currentScript: {nonce: plan.nonce || ''},
  prerendering: plan.prerendering,
  createElement: () => ({}),
  getElementsByTagName: () => [first],
  addEventListener: (name, listener) => { documentListeners[name] = listener; },
  get cookie() { return Object.entries(cookies).map(([name, value]) => name + '=' + value).join('; '); },
  set cookie(text) {
    const [name, value] = text.split(';')[0].split('=');
    if (/Max-Age=0/.test(text)) delete cookies[name]; else cookies[name] = value;
  },
};
const window = {document, navigator: {globalPrivacyControl: plan.gpc}, location: {origin: 'https://shop.example'}, JSON, atob, Date};
if (plan.session !== null) window.sessionStorage = session();
window.window = window;
window.PerformanceObserver = class {
  constructor(listener) { this.listener = listener; }
  observe(options) {
    diary.observed.push(options);
    if (plan.entries) this.listener({getEntries: () => plan.entries});
  }
};
if (plan.before) vm.runInNewContext(plan.before, vm.createContext(window));
const context = vm.createContext(window);
for (const script of plan.scripts) {
  try { vm.runInContext(script, context); } catch (error) { diary.errors.push(String(error)); }
}
if (plan.activate && documentListeners.prerenderingchange) {
  document.prerendering = false;
  documentListeners.prerenderingchange();
}
// What events.js does once it is there: it runs the callbacks that waited for it.
if (plan.arrives) for (const call of Array.from(window.ttq || [])) if (call[0] === 'ready') call[1]();
// Calls to all pixels, then those to each; what waits for the script's arrival is no call.
const calls = (queue) => Array.from(queue, (call) => Array.from(call)).filter((call) => call[0] !== 'ready');
const queues = () => [window.ttq, ...Object.values(window.ttq._i || {})];
diary.queue = window.ttq ? JSON.parse(JSON.stringify(queues().flatMap(calls))) : null;
diary.isArray = window.ttq ? vm.runInContext('Array.isArray(window.ttq)', context) : null;
diary.methods = window.ttq ? Object.keys(window.ttq).filter((name) => typeof window.ttq[name] === 'function') : [];
diary.cookies = cookies;
diary.globals = Object.keys(window);
process.stdout.write(JSON.stringify(diary));
