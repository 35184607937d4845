// Buttons that copy the text of something: <button data-copy="id">.
import { say } from "./swap.js";

export function offerCopies() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    const source = button && document.getElementById(button.dataset.copy);
    if (!source) {
      return;
    }
    const text = source.value ?? source.textContent;
    try {
      await navigator.clipboard.writeText(text);
      say(document.getElementById("said").dataset.copied);
    } catch {
      // No clipboard without TLS: the text is selected, to be copied by hand.
      const range = document.createRange();
      range.selectNodeContents(source);
      const selection = getSelection();
      selection.removeAllRanges();
      selection.addRange(range);
    }
  });
}
