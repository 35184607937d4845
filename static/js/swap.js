// Brings parts of a page up to date without disturbing who reads it: a part is changed only when it
// has neither the focus nor a selection nor something that was opened, and nobody holds any of it.

const READING = 4000;

/**
 * Says something to everybody, those who listen to the page included. It lies over the page, so that nothing
 * moves under a finger, and goes with the first thing that is done once there was time to read it.
 */
export function say(text, tone = "good") {
  const place = document.getElementById(tone === "bad" ? "alert" : "status");
  const line = document.createElement("p");
  line.className = `notice toast ${tone}`;
  line.textContent = text;
  place.replaceChildren(line);
  setTimeout(() => {
    for (const done of ["pointerdown", "keydown"]) {
      document.addEventListener(done, () => line.remove(), { once: true, capture: true });
    }
  }, READING);
}

// What a finger or the pointer holds, from the press to the release or the end of a drag.
let held = null;
let dragging = false;
document.addEventListener("pointerdown", (event) => { held = event.target; }, true);
document.addEventListener("pointerup", () => { held = null; }, true);
// A drag begins with a pointer that is taken away.
document.addEventListener("dragstart", (event) => { [held, dragging] = [event.target, true]; }, true);
document.addEventListener("dragend", () => { [held, dragging] = [null, false]; }, true);
document.addEventListener("pointercancel", () => { held = dragging ? held : null; }, true);

function isBusy(part) {
  const selection = getSelection();
  return part.contains(document.activeElement)
    || (held !== null && part.contains(held))
    || (!selection.isCollapsed && part.contains(selection.anchorNode))
    || part.querySelector("details[open]:not([data-keep])") !== null
    || part.querySelector(":popover-open") !== null;
}

/** Where the page is read again: the same place, whatever has come since. */
function address() {
  return document.querySelector("[data-live-url]")?.dataset.liveUrl ?? document.body.dataset.here ?? location.href;
}

/** "fresh", "ended" (nobody is signed in any more) or "failed". */
export async function refresh() {
  if (!document.querySelector("[data-live][id]")) {
    return "fresh";
  }
  let page;
  try {
    const answer = await fetch(address(), { headers: { accept: "text/html" }, redirect: "manual", cache: "no-store" });
    if (answer.type === "opaqueredirect" || answer.status === 401) {
      return "ended";
    }
    if (!answer.ok) {
      return "failed";
    }
    page = new DOMParser().parseFromString(await answer.text(), "text/html");
  } catch {
    return "failed";
  }
  for (const part of document.querySelectorAll("[data-live][id]")) {
    const next = page.getElementById(part.id);
    if (next && !part.isEqualNode(next) && !isBusy(part)) {
      part.replaceWith(document.adoptNode(next));
    }
  }
  document.title = page.title;
  const icon = document.getElementById("tab-icon");
  const newer = page.getElementById("tab-icon");
  if (icon && newer && icon.getAttribute("href") !== newer.getAttribute("href")) {
    icon.replaceWith(document.adoptNode(newer));
  }
  document.dispatchEvent(new CustomEvent("refreshed", { detail: { page } }));
  return "fresh";
}
