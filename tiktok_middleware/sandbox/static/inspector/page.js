// The inspector page: fetch events, update the rows, filter them.
const LIMIT = 300;
const POLL_MS = 800;
const $ = (id) => document.getElementById(id);
const FILTERS = document.querySelectorAll("[data-filter]");
const rows = new Map();
const open = new Set();
let events = [];
let total = 0;
let filter = "all";
let paused = false;
let unfolded = false;
let tag = "";

const FITS = {
  all: () => true,
  remarks: (event) => event.notes.length > 0 || event.counted > 1,
};

function fits(event) {
  const words = $("search").value.trim().toLowerCase();
  const urls = [event.browser, event.server].map((copy) => (copy ? copy.page.url : ""));
  const text = [event.event, event.event_id, event.pixel, ...urls].join(" ").toLowerCase();
  return (FITS[filter] || ((one) => one.state === filter))(event) && text.includes(words);
}

// Page views without a finding are folded into one line as soon as there are other events to see.
function folds(event) {
  const fine = event.state === "matched" || (event.state === "browser_only" && !event.event_id);
  return event.event === "Pageview" && fine && !FITS.remarks(event);
}

function fold(fitting) {
  const rest = fitting.filter((event) => !folds(event));
  const folded = fitting.length - rest.length;
  const foldable = folded > 0 && rest.length > 0;
  $("folded").hidden = !foldable;
  $("unfold").textContent = `${unfolded ? "Hide" : "Show"} ${folded} page ${folded === 1 ? "view" : "views"}`;
  $("unfold").setAttribute("aria-expanded", String(unfolded));
  return foldable && !unfolded ? rest : fitting;
}

function count() {
  const counts = { all: events.length, remarks: events.filter(FITS.remarks).length };
  Object.keys(STATES).forEach((state) => (counts[state] = events.filter((event) => event.state === state).length));
  document.querySelectorAll("[data-count]").forEach((node) => (node.textContent = counts[node.dataset.count]));
  FILTERS.forEach((node) => node.classList.toggle("zero", !counts[node.dataset.filter]));
  return counts;
}

function toggled(key) {
  if (open.has(key)) open.delete(key);
  else open.add(key);
  render();
}

// Replace only the rows that have changed, so that the selection and the focus are kept.
function render() {
  const now = Date.now() / 1000;
  const list = $("rows");
  const wanted = fold(events.filter(fits).reverse());
  const seen = new Set();
  let place = list.firstElementChild;
  wanted.forEach((event) => {
    seen.add(event.key);
    const waiting = now - event.last_at < PATIENCE_S;
    const print = JSON.stringify([event, open.has(event.key), settings.api_mode, settings.pixel_mode, waiting]);
    let known = rows.get(event.key);
    if (!known || known.print !== print) {
      const made = row(event, open.has(event.key), settings, now, toggled);
      if (!known) made.classList.add("fresh");
      const focused = known && known.node.contains(document.activeElement);
      if (known) {
        if (place === known.node) place = made;
        known.node.replaceWith(made);
      }
      known = { print, node: made };
      rows.set(event.key, known);
      if (known.node !== place) list.insertBefore(known.node, place);
      if (focused) made.querySelector(".head").focus({ preventScroll: true });
    } else if (known.node !== place) list.insertBefore(known.node, place);
    place = known.node.nextElementSibling;
  });
  rows.forEach((known, key) => {
    if (seen.has(key)) return;
    known.node.remove();
    rows.delete(key);
  });
  $("empty").hidden = events.length > 0;
  $("none").hidden = !events.length || wanted.length > 0;
  $("columns").hidden = !wanted.length;
}

function refusals(requests) {
  const refused = requests.filter((one) => one.channel === "server" && one.code !== 0).slice(-5).reverse();
  $("refusals").hidden = !refused.length;
  $("refusal-list").replaceChildren(
    ...refused.map((one) => {
      const code = one.code === null ? `HTTP ${one.status || "none"}` : String(one.code);
      const time = element("time", "", clock(one.at));
      return element("li", "", time, element("b", "", code), element("span", "", one.message));
    }),
  );
}

function live(state, words) {
  $("live").dataset.state = state;
  $("live-text").textContent = words;
}

async function refresh() {
  const headers = tag ? { "if-none-match": tag } : {};
  const answer = await fetch(`/sandbox/events?limit=${LIMIT}`, { cache: "no-store", headers });
  if (answer.status !== 304) {
    events = await answer.json();
    tag = answer.headers.get("etag");
    total = (await (await fetch("/sandbox/health")).json()).events;
    refusals(await (await fetch("/sandbox/requests?channel=server&limit=50")).json());
    const counts = count();
    $("announce").textContent = `${total} events, ${counts.matched} matched, ${counts.different} different`;
  }
  showSettings(await (await fetch("/sandbox/settings")).json());
  live("on", total > events.length ? `Live, newest ${events.length} of ${total}` : "Live");
  render();
}

async function poll() {
  if (!paused && !document.hidden) {
    try {
      await refresh();
    } catch (error) {
      tag = "";
      live("off", "No answer from the sandbox");
    }
  }
  setTimeout(poll, POLL_MS);
}

FILTERS.forEach((button) => {
  button.addEventListener("click", () => {
    filter = button.dataset.filter;
    FILTERS.forEach((one) => one.setAttribute("aria-pressed", String(one === button)));
    render();
  });
});
$("show-all").addEventListener("click", () => {
  $("search").value = "";
  document.querySelector('[data-filter="all"]').click();
});
$("search").addEventListener("input", render);
$("unfold").addEventListener("click", () => {
  unfolded = !unfolded;
  render();
});
$("pause").addEventListener("click", () => {
  paused = !paused;
  $("pause").setAttribute("aria-pressed", String(paused));
  $("pause").textContent = paused ? "Resume" : "Pause";
  if (paused) live("paused", "Paused");
});
$("clear").addEventListener("click", () => attempt(fetch("/sandbox/reset", { method: "POST" }).then(() => refresh())));
$("theme").addEventListener("click", () => {
  const root = document.documentElement;
  const dark = root.dataset.theme ? root.dataset.theme === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  root.dataset.theme = dark ? "light" : "dark";
});
$("environment").textContent = [
  "TIKTOK_PIXEL_ID=C5SANDB0XPIXEL000000",
  "TIKTOK_ACCESS_TOKEN=sandbox-token",
  "TIKTOK_CONSENT=implied",
  "TIKTOK_PAGE_VIEW=matched",
  "TIKTOK_ENVIRONMENT=development",
  `TIKTOK_API_URL=${location.origin}/open_api/v1.3`,
  `TIKTOK_PIXEL_URL=${location.origin}/i18n/pixel/events.js`,
].join("\n");
$("copy").addEventListener("click", () => {
  const done = (words) => {
    $("copy").textContent = words;
    setTimeout(() => ($("copy").textContent = "Copy"), 1500);
  };
  Promise.resolve()
    .then(() => navigator.clipboard.writeText($("environment").textContent))
    .then(() => done("Copied"), () => getSelection().selectAllChildren($("environment")));
});
if (matchMedia("(max-width: 900px)").matches) $("switches").open = false;
poll();
