// Conveniences of forms: nothing typed is lost, nothing is sent twice.
import { say } from "./swap.js";

const KEPT = "render-signal-kept:";

function content(form) {
  return JSON.stringify([...new FormData(form)].filter(([, value]) => typeof value === "string"));
}

function mark(form) {
  const dirty = content(form) !== form.dataset.clean;
  form.toggleAttribute("data-dirty", dirty);
  const text = form.querySelector("[data-save-state]");
  if (text) {
    text.textContent = dirty ? text.dataset.dirty : "";
  }
}

/** Puts what was typed back into the inputs that are there. */
function restore(form, pairs) {
  for (const input of form.elements) {
    if (!input.name || input.type === "hidden") {
      continue;
    }
    const values = pairs.filter(([name]) => name === input.name).map(([, value]) => value);
    if (input.type === "checkbox" || input.type === "radio") {
      input.checked = values.includes(input.value);
    } else if (values.length > 0) {
      input.value = values[0];
    }
  }
}

function key(form) {
  return KEPT + location.pathname + "#" + form.id;
}

function restoreKept(form) {
  const kept = sessionStorage.getItem(key(form));
  if (!kept) {
    return;
  }
  sessionStorage.removeItem(key(form));
  restore(form, JSON.parse(kept));
  mark(form);
  say(document.getElementById("said").dataset.restored, "care");
}

export function watchForms() {
  for (const form of document.querySelectorAll("form[data-guard]")) {
    // What a refused form brings back was never saved.
    form.dataset.clean = form.hasAttribute("data-refused") ? "" : content(form);
    restoreKept(form);
    mark(form);
    form.addEventListener("input", () => mark(form));
    form.addEventListener("change", () => mark(form));
    form.addEventListener("changed", () => mark(form));
    form.addEventListener("reset", () => setTimeout(() => mark(form)));
    form.addEventListener("submit", () => form.setAttribute("data-sent", ""));
  }
  addEventListener("beforeunload", (event) => {
    if (document.querySelector("form[data-dirty]:not([data-sent])")) {
      event.preventDefault();
    }
  });
  document.addEventListener("session-ended", (event) => {
    for (const form of document.querySelectorAll("form[data-dirty]")) {
      sessionStorage.setItem(key(form), content(form));
      // It is kept: leaving loses nothing.
      form.setAttribute("data-sent", "");
      event.preventDefault();
    }
  });
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented) {
      return;
    }
    if (event.target.hasAttribute("data-once")) {
      event.preventDefault();
      return;
    }
    event.target.setAttribute("data-once", "");
    // Back from another page, or an answer that never came: it may be sent again.
    setTimeout(() => event.target.removeAttribute("data-once"), 4000);
  });
  addEventListener("pageshow", () => {
    for (const form of document.querySelectorAll("form[data-once], form[data-sent]")) {
      form.removeAttribute("data-once");
      form.removeAttribute("data-sent");
    }
  });
}
