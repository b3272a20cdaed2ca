// The sandbox's pixel script: replaces the methods of the page's window.ttq stub and reports the events.
const script = document.currentScript;
const ttq = window[window.TiktokAnalyticsObject || "ttq"];
// If window.ttq is not an array, TikTok's script finds no queue, and all earlier calls are lost without an error.
if (!Array.isArray(ttq) || !ttq._i || !script) return;
// If the script already runs for another pixel, only add the pixels that were loaded since.
if (ttq._sandbox) {
  ttq._sandbox();
  return;
}

const METHODS = (
  "page track identify instances debug on off once ready alias group enableCookie disableCookie " +
  "holdConsent revokeConsent grantConsent"
).split(" ");
const reportUrl = new URL("/api/v2/pixel", script.src).href;
const missing = METHODS.filter((name) => typeof ttq[name] !== "function");
const stubInstance = ttq.instance;
const pixels = {};
const everyone = { user: {}, labels: {} };
let consent = "granted";
let cookies = true;
let held = [];
let callbacks = [];
let live = false;

// Errors in this script must not reach the page.
function safely(work) {
  return function () {
    try {
      return work.apply(this, arguments);
    } catch (error) {
      return undefined;
    }
  };
}

function unique() {
  return Array.from(crypto.getRandomValues(new Uint8Array(12)), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function post(body) {
  // Text needs no preflight, and a beacon is sent even if the page is closed.
  if (navigator.sendBeacon && navigator.sendBeacon(reportUrl, body)) return;
  const keepalive = body.length < 60000;
  fetch(reportUrl, { method: "POST", body, keepalive, mode: "no-cors", credentials: "omit" }).catch(() => undefined);
}

function send(report) {
  const ids = visitorIds(cookies);
  report.context.ttp = ids.ttp || null;
  report.context.ttclid = report.context.ttclid || ids.ttclid || null;
  post(JSON.stringify(report));
}

function report(pixel, event, properties, options) {
  if (consent === "revoked") return;
  const given = properties && typeof properties === "object" ? properties : {};
  const limited = "limited_data_use" in given ? given.limited_data_use : pixel.options.limited_data_use;
  const made = {
    event: String(event),
    event_id: options && options.event_id ? String(options.event_id) : "",
    message_id: "messageId-" + unique(),
    timestamp: Date.now(),
    // Copy now: the page may change its object before the report is sent.
    properties: JSON.parse(JSON.stringify(given)),
    limited_data_use: limited === true || limited === 1,
    context: {
      pixel: { code: pixel.id, options: pixel.options, missing_methods: missing },
      page: document.referrer ? { url: location.href, referrer: document.referrer } : { url: location.href },
      user: Object.assign({}, everyone.user, pixel.user),
      userAgent: navigator.userAgent,
      ttclid: clickId() || null,
      library: { name: "tiktok-middleware sandbox", version: "1" },
    },
    signal_diagnostic_labels: Object.assign({}, everyone.labels, pixel.labels),
  };
  if (consent === "held") held.push(made);
  else send(made);
}

function each(id, options, work) {
  const only = id || (options && options.pixel_code);
  Object.keys(pixels).forEach((code) => {
    if (!only || only === code) work(pixels[code]);
  });
}

const actions = {
  page: (id) => each(id, null, (pixel) => report(pixel, "Pageview", {}, null)),
  track: (id, event, properties, options) => {
    if (event) each(id, options, (pixel) => report(pixel, event, properties, options));
  },
  identify: (id, values) => {
    const found = identified(values);
    const target = (id && pixels[id]) || everyone;
    Object.assign(target.user, found.user);
    Object.assign(target.labels, found.labels);
  },
  instances: () => Object.keys(pixels).map((code) => pixels[code].queue),
  ready: (id, callback) => {
    if (typeof callback !== "function") return;
    if (live) setTimeout(safely(callback), 0);
    else callbacks.push(callback);
  },
  enableCookie: () => {
    cookies = true;
    if (consent === "granted") visitorIds(true);
  },
  disableCookie: () => {
    cookies = false;
  },
  holdConsent: () => {
    if (consent === "granted") consent = "held";
  },
  grantConsent: () => {
    consent = "granted";
    const waiting = held;
    held = [];
    if (live) visitorIds(cookies);
    waiting.forEach(send);
  },
  revokeConsent: () => {
    consent = "revoked";
    held = [];
  },
};

function run(id, entry) {
  if (Array.isArray(entry) && Object.prototype.hasOwnProperty.call(actions, entry[0])) {
    safely(actions[entry[0]])(id, ...entry.slice(1));
  }
}

function replay(queue, id) {
  while (queue.length) run(id, queue.shift());
}

// Replace every method of the stub, and also push, which some pages use to queue calls.
function bind(queue, id) {
  METHODS.concat(ttq.methods || []).forEach((name) => {
    queue[name] = safely((...args) => (actions[name] ? actions[name](id, ...args) : undefined));
  });
  queue.push = safely((...entries) => {
    entries.forEach((entry) => run(id, entry));
    return 0;
  });
}

function adopt() {
  const fresh = Object.keys(ttq._i).filter((id) => !pixels[id]);
  fresh.forEach((id) => {
    const options = (ttq._o && ttq._o[id]) || {};
    pixels[id] = { id, options, queue: ttq._i[id], user: {}, labels: {} };
  });
  return fresh;
}

function adoptLate() {
  adopt().forEach((id) => {
    replay(pixels[id].queue, id);
    bind(pixels[id].queue, id);
  });
}

// TikTok counts a page view on every change of the history, unless the pixel was loaded with historyObserver: false.
function observeHistory() {
  const changed = safely(() => {
    each(null, null, (pixel) => {
      if (pixel.options.historyObserver !== false) report(pixel, "Pageview", {}, null);
    });
  });
  ["pushState", "replaceState"].forEach((name) => {
    const original = history[name];
    history[name] = function () {
      const result = original.apply(this, arguments);
      changed();
      return result;
    };
  });
  window.addEventListener("popstate", changed);
}

Object.defineProperty(ttq, "_sandbox", { value: safely(adoptLate) });
const first = adopt();
replay(ttq, null);
first.forEach((id) => replay(pixels[id].queue, id));
bind(ttq, null);
first.forEach((id) => bind(pixels[id].queue, id));
ttq.instance = (id) => (pixels[id] ? pixels[id].queue : stubInstance && stubInstance.call(ttq, id));
live = true;
if (consent === "granted") visitorIds(cookies);
observeHistory();
callbacks.forEach((callback) => safely(callback)());
