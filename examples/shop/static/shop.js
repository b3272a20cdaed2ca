/* Add to the cart without leaving the page. Every form also works without this file. */
"use strict";

function showCount(count) {
  for (const badge of document.querySelectorAll("[data-cart-count]")) {
    badge.textContent = count;
    badge.hidden = count === 0;
    badge.classList.remove("badge-new");
    void badge.offsetWidth; // restarts the animation
    badge.classList.add("badge-new");
  }
}

function showToast(message) {
  const toast = document.createElement("p");
  const link = document.createElement("a");
  toast.className = "toast";
  link.href = "/cart";
  link.textContent = "View cart";
  toast.append(message, link);
  document.querySelector("[data-toasts]").replaceChildren(toast);
  setTimeout(() => toast.remove(), 6000);
}

async function addToCart(form) {
  const button = form.querySelector("button");
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
    });
    if (!answer.ok) throw new Error(answer.statusText);
    const { count, message } = await answer.json();
    showCount(count);
    showToast(message);
  } catch {
    form.submit();
  } finally {
    button.removeAttribute("aria-busy");
  }
}

for (const form of document.querySelectorAll("[data-add-to-cart]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!form.querySelector("[aria-busy]")) addToCart(form);
  });
}

/* Submit a form once, also on two quick clicks; a page that the back button restores may submit again. */
for (const form of document.querySelectorAll("[data-form]")) {
  form.addEventListener("submit", (event) => {
    if (form.dataset.sent) event.preventDefault();
    form.dataset.sent = "yes";
  });
  addEventListener("pageshow", () => delete form.dataset.sent);
}

/* The banner. It is shown until the visitor chooses where consent is required, and by a button in each page's foot. */
const choice = document.querySelector("[data-choice]");

function isChosen() {
  try {
    return localStorage.getItem("privacy-choice") !== null;
  } catch {
    return true; // a browser that stores nothing would ask on each page
  }
}

function choose(answer) {
  if (answer === "agree") window.tiktok?.grantConsent();
  else window.tiktok?.revokeConsent();
  try {
    localStorage.setItem("privacy-choice", answer);
  } catch {
    /* asked again on the next page */
  }
  choice.hidden = true;
}

for (const button of document.querySelectorAll("[data-choose]")) {
  button.addEventListener("click", () => {
    if (button.dataset.choose) return choose(button.dataset.choose);
    choice.hidden = false;
    choice.querySelector("button").focus();
  });
}
if (choice && window.tiktok) choice.querySelector("[data-recipient]").textContent = "TikTok";
if (choice) choice.hidden = choice.dataset.asks !== "yes" || isChosen();

document.querySelector("[data-focus]")?.focus();
