// The first-party cookies that TikTok's pixel keeps: _ttp, _tt_enable_cookie and ttclid.
const THIRTEEN_MONTHS_S = 34190000;
const THIRTY_DAYS_S = 2592000;

function readCookie(name) {
  for (const part of document.cookie.split(";")) {
    const at = part.indexOf("=");
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim();
  }
  return "";
}

function writeCookie(name, value, maxAge, domain) {
  const where = domain ? "; domain=." + domain : "";
  const secure = location.protocol === "https:" ? "; secure" : "";
  document.cookie = name + "=" + value + "; max-age=" + maxAge + "; path=/; samesite=lax" + where + secure;
}

// Return the widest domain for which the browser accepts this host's cookies: no public suffix; none for a bare host.
let widest;
function cookieDomain() {
  if (widest !== undefined) return widest;
  const labels = location.hostname.split(".");
  const bare = labels.length < 2 || /^[\d.]+$/.test(location.hostname) || location.hostname.includes(":");
  widest = "";
  for (let from = labels.length - 2; !bare && from >= 0 && !widest; from -= 1) {
    const domain = labels.slice(from).join(".");
    writeCookie("_tt_probe", "1", 60, domain);
    if (readCookie("_tt_probe") === "1") {
      writeCookie("_tt_probe", "", 0, domain);
      widest = domain;
    }
  }
  return widest;
}

// Make a _ttp value in the form that the pixel has used since late 2025: a ULID and a suffix.
function mintTtp() {
  const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
  let time = Date.now();
  let stamp = "";
  for (let i = 0; i < 10; i += 1) {
    stamp = digits[time % 32] + stamp;
    time = Math.floor(time / 32);
  }
  const random = Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => digits[byte % 32]).join("");
  return stamp + random + "_.tt.1";
}

function clickId() {
  return new URLSearchParams(location.search).get("ttclid") || "";
}

function decoded(value) {
  try {
    return decodeURIComponent(value);
  } catch (error) {
    return value;
  }
}

// Return the visitor's ids from the cookies; write and renew the cookies if that is allowed.
function visitorIds(mayWrite) {
  const landed = clickId();
  if (!mayWrite) return { ttp: "", ttclid: landed };
  const domain = cookieDomain();
  writeCookie("_tt_enable_cookie", "1", THIRTEEN_MONTHS_S, domain);
  writeCookie("_ttp", readCookie("_ttp") || mintTtp(), THIRTEEN_MONTHS_S, domain);
  if (landed) writeCookie("ttclid", encodeURIComponent(landed), THIRTY_DAYS_S, domain);
  // Read the cookies back: a browser that stores no cookies has no ids to report.
  return { ttp: readCookie("_ttp"), ttclid: landed || decoded(readCookie("ttclid")) };
}
