// Lists that are put in order: by the buttons, by keys on them, and by drag. Each move is sent in
// the background; without a script the buttons post a form.
import { say } from "./swap.js";

function members(list) {
  return [...list.querySelectorAll(":scope > .members > .member")];
}

/** Numbers and buttons say what is so now. */
function renumber(list) {
  const all = members(list);
  all.forEach((member, index) => {
    member.querySelector(".member-place").textContent = index + 1;
    const [up, down] = member.querySelectorAll(".member-move button");
    up.disabled = index === 0;
    down.disabled = index === all.length - 1;
  });
}

function announce(list, member) {
  const all = members(list);
  const text = list.dataset.place
    .replace("{place}", all.indexOf(member) + 1)
    .replace("{of}", all.length)
    .replace("{name}", () => member.dataset.name);
  say(text);
}

async function save(list) {
  const ids = members(list).map((member) => member.dataset.id);
  const body = new URLSearchParams({ list: list.dataset.reorder, do: `order ${ids.join("\n")}` });
  try {
    const answer = await fetch("/regles/liste", { method: "POST", body, headers: { accept: "text/html" } });
    if (!answer.ok || new URL(answer.url).pathname !== location.pathname) {
      throw new Error(answer.status);
    }
    // Somebody else has changed the list meanwhile: that is said on the page that follows.
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const refused = page.querySelector("#alert .notice");
    if (refused) {
      failed(refused.textContent);
    }
  } catch {
    failed(list.dataset.failed);
  }
}

/** The page is read again, as things are stored. */
function failed(why) {
  say(why, "bad");
  setTimeout(() => location.reload(), 2500);
}

function moved(list, member) {
  renumber(list);
  announce(list, member);
  save(list);
}

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-reorder] .member-move button");
  if (!button || button.disabled) {
    return;
  }
  event.preventDefault();
  const member = button.closest(".member");
  const list = button.closest("[data-reorder]");
  const buttons = [...member.querySelectorAll(".member-move button")];
  if (button === buttons[0]) {
    member.previousElementSibling?.before(member);
  } else {
    member.nextElementSibling?.after(member);
  }
  moved(list, member);
  // The focus stays with what is moved; at an end the other button has it.
  (button.disabled ? buttons.find((one) => !one.disabled) : button)?.focus();
});

let dragged = null;
let before = null;

function canDrag(member) {
  const list = member.closest("[data-reorder]");
  member.draggable = members(list).length > 1;
}

/** The place is made draggable, so that text can still be selected. */
document.addEventListener("pointerdown", (event) => {
  const handle = event.target.closest("[data-reorder] .member-place");
  if (handle) {
    canDrag(handle.closest(".member"));
  }
});

document.addEventListener("dragstart", (event) => {
  dragged = event.target.closest?.(".member") ?? null;
  if (!dragged?.draggable) {
    dragged = null;
    return;
  }
  before = dragged.nextElementSibling;
  event.dataTransfer.effectAllowed = "move";
  event.dataTransfer.setData("text/plain", "");
  dragged.classList.add("is-dragged");
});

document.addEventListener("dragover", (event) => {
  const over = event.target.closest?.(".member");
  if (!dragged || !over || over.parentElement !== dragged.parentElement) {
    return;
  }
  event.preventDefault();
  if (over === dragged) {
    return;
  }
  const box = over.getBoundingClientRect();
  if (event.clientY < box.top + box.height / 2) {
    over.before(dragged);
  } else {
    over.after(dragged);
  }
});

document.addEventListener("drop", (event) => {
  if (dragged) {
    event.preventDefault();
  }
});

document.addEventListener("dragend", (event) => {
  const member = dragged;
  dragged = null;
  if (!member) {
    return;
  }
  member.classList.remove("is-dragged");
  member.draggable = false;
  if (event.dataTransfer.dropEffect === "none") {
    // Escape, or let go elsewhere.
    before ? before.before(member) : member.parentElement.append(member);
    return;
  }
  if (member.nextElementSibling !== before) {
    moved(member.closest("[data-reorder]"), member);
  }
});
