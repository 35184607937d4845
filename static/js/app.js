// What every page does when it can run scripts. Everything here is a convenience: without it forms
// post and links link.
import { keepTimesTrue } from "./time.js";
import { watchForms } from "./forms.js";
import { offerCopies } from "./copy.js";
import { goLive } from "./live.js";

keepTimesTrue();
watchForms();
offerCopies();
if (document.body.dataset.liveState) {
  goLive();
}
// A menu closes when one looks elsewhere.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) {
      menu.open = false;
    }
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") {
    return;
  }
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    menu.open = false;
    menu.querySelector("summary").focus();
  }
});
