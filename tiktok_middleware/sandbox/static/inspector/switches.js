// The switches: show the sandbox's settings, and change a setting as soon as its control changes.
const NUMBERS = ["pixel_delay_ms", "api_mode_times", "api_delay_ms"];
const NORMAL = { pixel_mode: "ok", pixel_delay_ms: null, api_mode: "ok", api_mode_times: null, api_delay_ms: 0 };
const form = document.getElementById("form");
const said = document.getElementById("said");
let settings = NORMAL;

function showSettings(found) {
  settings = found;
  Object.keys(NORMAL).forEach((name) => {
    const control = form.elements[name];
    const value = found[name] === null || (name === "api_delay_ms" && found[name] === 0) ? "" : String(found[name]);
    // Do not overwrite a control that the user edits.
    if (control !== document.activeElement && control.value !== value) control.value = value;
  });
  ["pixel_mode", "api_mode"].forEach((name) => {
    const chosen = form.elements[name].selectedOptions[0];
    const words = chosen ? chosen.dataset.words : "";
    document.getElementById(`${name}_words`).textContent = words.charAt(0).toUpperCase() + words.slice(1);
  });
  document.getElementById("altered").hidden = Object.keys(NORMAL).every((name) => found[name] === NORMAL[name]);
}

async function change(changes) {
  const headers = { "content-type": "application/json" };
  const answer = await fetch("/sandbox/settings", { method: "POST", headers, body: JSON.stringify(changes) });
  const found = await answer.json();
  if (!answer.ok) {
    said.textContent = found.error;
    said.classList.add("error");
    return;
  }
  said.classList.remove("error");
  said.textContent = "Saved.";
  setTimeout(() => (said.textContent = ""), 2000);
  showSettings(found);
}

function attempt(work) {
  work.catch(() => {
    said.classList.add("error");
    said.textContent = "The sandbox does not answer.";
  });
}

form.addEventListener("change", (event) => {
  const { name, value } = event.target;
  const empty = NORMAL[name];
  attempt(change({ [name]: NUMBERS.includes(name) ? (value === "" ? empty : Number(value)) : value }));
});
form.addEventListener("submit", (event) => event.preventDefault());
document.getElementById("defaults").addEventListener("click", () => attempt(change(NORMAL)));
