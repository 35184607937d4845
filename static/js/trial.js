// A trial that runs shows how far it is; without a script there is a link for that.
import { refresh, say } from "./swap.js";

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
    say(done.textContent);
  }
}

setTimeout(look, PACE);
