// Buttons that copy the text of something: <button data-copy="id">, or with data-copy-from="address" what lies
// there, byte for byte, of which the page shows a form to be read.
import { say } from "./swap.js";

async function what(button, source) {
  if (!button.dataset.copyFrom) {
    return source.value ?? source.textContent;
  }
  const answer = await fetch(button.dataset.copyFrom, { cache: "no-store" });
  if (!answer.ok) {
    throw new Error(String(answer.status));
  }
  return answer.text();
}

export function offerCopies() {
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    const source = button && document.getElementById(button.dataset.copy);
    if (!source) {
      return;
    }
    try {
      const text = await what(button, source);
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
