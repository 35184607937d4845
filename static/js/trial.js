// A trial that runs shows how far it is; without a script there is a link for that.
import { refresh } from "./swap.js";

const PACE = 700;

async function look() {
  if (!document.querySelector("[data-running]")) {
    return;
  }
  if (!document.hidden) {
    await refresh();
  }
  if (document.querySelector("[data-running]")) {
    setTimeout(look, PACE);
    return;
  }
  const done = document.querySelector("[data-done]");
  if (done) {
    announce(done.textContent);
  }
}

/** Says it to those who listen to the page; for others it stands there, and nothing may move. */
function announce(text) {
  const line = document.createElement("p");
  line.className = "sr";
  line.setAttribute("role", "status");
  document.body.append(line);
  setTimeout(() => {
    line.textContent = text;
  }, 100);
}

setTimeout(look, PACE);
