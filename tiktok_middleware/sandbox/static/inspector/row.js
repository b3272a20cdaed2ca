// Render one event as a row that opens and shows both copies field by field.
const SVG = "http://www.w3.org/2000/svg";

// Draw two circles, browser left and server right: filled if the copy arrived, overlapping if both copies agree.
function glyph(state) {
  const svg = document.createElementNS(SVG, "svg");
  svg.setAttribute("viewBox", "0 0 32 20");
  svg.setAttribute("aria-hidden", "true");
  svg.setAttribute("class", "glyph");
  const apart = state === "matched" ? 0 : 2.5;
  [["browser", 11 - apart, "server_only"], ["server", 21 + apart, "browser_only"]].forEach(([side, x, without]) => {
    const circle = document.createElementNS(SVG, "circle");
    circle.setAttribute("cx", x);
    circle.setAttribute("cy", 10);
    circle.setAttribute("r", state === "matched" ? 8.5 : 6.5);
    circle.setAttribute("class", state === without ? "hollow" : `full ${side}`);
    svg.append(circle);
  });
  return svg;
}

function side(event, channel, settings, now) {
  const copy = event[channel];
  const cell = element("span", `side ${channel}${copy ? "" : " missing"}`);
  cell.append(element("span", "side-name", channel === "browser" ? "Browser" : "Server"));
  if (!copy) {
    cell.append(element("span", "why", absence(event, channel, settings, now)));
    return cell;
  }
  const keys = ["email", "phone", "external_id", "ttclid", "ttp", "ip"].filter((key) => copy.user[key]);
  const copies = event[`${channel}_copies`];
  cell.append(element("span", "when", clock(copy.at), copies > 1 ? element("span", "copies", `${copies} copies`) : ""));
  cell.append(element("span", "keys", keys.length ? keys.join(" · ") : "no match keys"));
  return cell;
}

function result(event, now) {
  // Highlight a conversion that only the browser has reported: finding these is the purpose of the inspector.
  const alone = event.state === "browser_only" && event.event !== "Pageview" && now - event.last_at >= PATIENCE_S;
  const cell = element("span", `result ${event.state}${alone ? " alone" : ""}`);
  const errors = event.notes.filter((note) => note.level === "error").length;
  const warnings = event.notes.length - errors;
  const count = event.differences.length;
  const differing = `${count} ${count === 1 ? "field differs" : "fields differ"}`;
  const words = event.state === "different" ? differing : STATES[event.state];
  cell.append(element("span", "badge", glyph(event.state), words));
  const tags = element("span", "tags");
  if (event.counted > 1) tags.append(element("span", "tag error", `counted ${event.counted} times`));
  if (errors) tags.append(element("span", "tag error", `${errors} ${errors === 1 ? "error" : "errors"}`));
  if (warnings) tags.append(element("span", "tag warning", `${warnings} ${warnings === 1 ? "warning" : "warnings"}`));
  if (tags.childNodes.length) cell.append(tags);
  return cell;
}

function group(title, pairs, render, differing) {
  const body = element("tbody", "");
  const head = element("th", "group", title);
  head.colSpan = 3;
  head.scope = "rowgroup";
  body.append(element("tr", "", head));
  pairs.forEach(([name, left, right]) => {
    const differs = differing(name, left, right);
    const label = element("th", "field", name, differs ? element("span", "sr", ", differs") : "");
    label.scope = "row";
    const cell = (value) =>
      element("td", value === undefined ? "absent" : "", value === undefined ? "not sent" : render(name, value));
    body.append(element("tr", differs ? "differs" : "", label, cell(left), cell(right)));
  });
  // Set the role explicitly: narrow screens lay the rows out as a grid, which removes their implicit role.
  body.setAttribute("role", "rowgroup");
  return pairs.length ? body : "";
}

function paired(left, right) {
  const maps = [left, right].map((value) => new Map(value ? flat(value).filter(([path]) => path) : []));
  const paths = [...new Set([...maps[0].keys(), ...maps[1].keys()])];
  return paths.map((path) => [path, maps[0].get(path), maps[1].get(path)]);
}

function top(value) {
  return Object.entries(value || {});
}

function headings() {
  const names = [["Field"], [element("i", "chip browser"), "Browser"], [element("i", "chip server"), "Server"]];
  const cells = names.map((name) => element("th", "", ...name));
  cells.forEach((cell) => (cell.scope = "col"));
  return element("tr", "", ...cells);
}

function table(event) {
  const { browser, server } = event;
  const both = browser && server;
  const unlike = (name, left, right) => both && JSON.stringify(left) !== JSON.stringify(right);
  const keys = [...new Set([...top(browser && browser.user), ...top(server && server.user)].map(([key]) => key))];
  const users = keys.map((key) => [key, browser ? browser.user[key] : undefined, server ? server.user[key] : undefined]);
  const own = (read) => [browser ? read(browser) : undefined, server ? read(server) : undefined];
  const conflicting = (name, left, right) => left !== undefined && right !== undefined && unlike(name, left, right);
  const plain = (_, value) => shown(value);
  const never = () => false;
  const delivery = [
    ["arrived", ...own((copy) => clock(copy.at))],
    ["event_time", ...own((copy) => copy.event_time)],
    ["in_app", ...own((copy) => copy.in_app || undefined)],
    ["test_event_code", ...own((copy) => copy.test_event_code || undefined)],
  ].filter(([, left, right]) => left !== undefined || right !== undefined);
  const made = element("table", "", element("thead", "", headings()));
  made.append(
    group("Properties", paired(browser && browser.properties, server && server.properties), plain, unlike),
    group("Privacy", [["limited_data_use", ...own((copy) => copy.limited_data_use)]], plain, unlike),
    group("Visitor, masked", users, masked, conflicting),
    group("Page", paired(browser && browser.page, server && server.page), plain, never),
    group("Delivery", delivery, plain, never),
  );
  made.setAttribute("role", "table");
  made.setAttribute("aria-label", `${event.event}, field by field`);
  made.querySelectorAll("tr").forEach((line) => line.setAttribute("role", "row"));
  made.querySelectorAll("td").forEach((cell) => cell.setAttribute("role", "cell"));
  made.querySelectorAll("th").forEach((cell) => {
    cell.setAttribute("role", cell.scope === "col" ? "columnheader" : "rowheader");
  });
  return made;
}

function remarks(event) {
  if (!event.notes.length) return "";
  const list = element("ul", "remarks");
  event.notes.forEach((note) => {
    const level = element("b", "", note.level === "error" ? "Error" : "Warning");
    const whose = element("small", "", note.channel === "both" ? "both copies" : note.channel);
    list.append(
      element("li", note.level, level, element("code", "", note.path), element("span", "", note.reason), whose),
    );
  });
  return list;
}

function history(event) {
  if (event.copies.length < 2) return "";
  const words = {
    first: "first",
    merged: "merged into the first",
    discarded: "dropped as a duplicate",
    counted: "counted again",
  };
  const list = element("ol", "history");
  event.copies.forEach((copy) => {
    const line = element("span", "", `${copy.channel}, ${words[copy.fate]}`);
    list.append(element("li", copy.fate, element("time", "", clock(copy.at)), line));
  });
  return list;
}

function details(event) {
  const id = element("span", "", "event_id ", element("code", "", event.event_id || "none"));
  const pixel = element("span", "", "pixel ", element("code", "", event.pixel));
  const identity = element("p", "identity", id, pixel);
  return element("div", "details", identity, remarks(event), table(event), history(event));
}

function row(event, open, settings, now, toggled) {
  const value = money(event);
  const title = element("span", "name", element("b", "", event.event), value ? element("span", "money", value) : "");
  const button = element(
    "button",
    "head",
    element("span", "event", title, element("code", "id", event.event_id || "no event_id")),
    side(event, "browser", settings, now),
    side(event, "server", settings, now),
    result(event, now),
  );
  button.type = "button";
  button.setAttribute("aria-expanded", String(open));
  const item = element("li", `row ${event.state}`, button);
  if (open) item.append(details(event));
  button.addEventListener("click", () => toggled(event.key));
  return item;
}
