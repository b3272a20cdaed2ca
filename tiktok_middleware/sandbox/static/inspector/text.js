// Texts and elements: values from outside enter the page as text, never as markup.
const STATES = {
  matched: "Matched",
  different: "Different",
  browser_only: "Browser only",
  server_only: "Server only",
};
const HASHED = ["email", "phone", "external_id", "first_name", "last_name", "zip_code"];
const PATIENCE_S = 10;

function element(tag, className, ...children) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return made;
}

function clock(seconds) {
  const date = new Date(seconds * 1000);
  const two = (number) => String(number).padStart(2, "0");
  const milliseconds = String(date.getMilliseconds()).padStart(3, "0");
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${milliseconds}`;
}

function shown(value) {
  if (value === undefined) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}

// Return a part of a match key: enough to compare two keys by eye, not enough to use as a key.
function masked(key, value) {
  if (Array.isArray(value)) return value.map((one) => masked(key, one)).join(", ");
  const text = shown(value);
  if (HASHED.includes(key)) return text.slice(0, 6) + "…";
  if (key === "ttclid" || key === "ttp") return text.length > 14 ? text.slice(0, 12) + "…" : text;
  if (key === "ip") return text.replace(/([.:])[^.:]*$/, "$1…");
  return text;
}

// Return {contents: [{price: 1}]} as [["contents[0].price", 1]], so that one table can show both copies.
function flat(value, path = "") {
  if (value === null || typeof value !== "object" || !Object.keys(value).length) return [[path, value]];
  return Object.keys(value).flatMap((key) => {
    const step = Array.isArray(value) ? `[${key}]` : path ? `.${key}` : key;
    return flat(value[key], path + step);
  });
}

function money(event) {
  const { value, currency } = event.properties;
  if (typeof value !== "number") return "";
  const amount = value.toLocaleString("en", { minimumFractionDigits: 2 });
  return typeof currency === "string" ? `${amount} ${currency}` : amount;
}

// Return why one side is empty, and what to do about it.
function absence(event, channel, settings, now) {
  if (channel === "server") {
    if (event.event === "Pageview") return "Page views come from the browser alone. Nothing to match.";
    if (settings.api_mode !== "ok") return `No copy yet: the Events API is switched to ${settings.api_mode}.`;
    if (now - event.last_at < PATIENCE_S) return "Waiting for the server's copy…";
    return "No server copy. Is TIKTOK_ACCESS_TOKEN set, and was a request refused?";
  }
  if (settings.pixel_mode !== "ok") return `No copy yet: the pixel script is switched to ${settings.pixel_mode}.`;
  if (now - event.last_at < PATIENCE_S) return "Waiting for the browser's copy…";
  return "No browser copy. The pixel was blocked, or only the server saw this event.";
}
