// Whatever is touched is 44 px high and wide at least, except for links within a sentence.
const LEAST = 44;

/** Whether there are words beside the link in the same block. */
const within = (link) => {
  if (link.localName !== "a" || !getComputedStyle(link).display.startsWith("inline")) return false;
  let block = link.parentElement;
  while (block.parentElement && getComputedStyle(block).display.startsWith("inline")) block = block.parentElement;
  const walker = document.createTreeWalker(block, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode;
    if (/\p{L}/u.test(text.data) && !text.parentElement.closest(CONTROLS) && shown(text.parentElement)) return true;
  }
  return false;
};

for (const control of controls()) {
  if (within(control)) continue;
  // The bars of a chart are as wide as they are; the table below it leads to the same.
  if (control.closest("svg")) continue;
  // A link may cover the whole row that it stands in.
  const cover = getComputedStyle(control, "::after");
  const covers = cover.content !== "none" && cover.position === "absolute" && cover.inset === "0px";
  // A click on its label counts as well.
  const boxes = [control, ...(control.labels ?? [])].filter(shown).map((one) => one.getBoundingClientRect());
  const width = Math.max(...boxes.map((box) => box.right)) - Math.min(...boxes.map((box) => box.left));
  const height = Math.max(...boxes.map((box) => box.bottom)) - Math.min(...boxes.map((box) => box.top));
  const own = ["checkbox", "radio"].includes(control.type);
  const box = own ? { width, height } : (covers ? control.offsetParent : control).getBoundingClientRect();
  // Seen only once it has the focus: a skip link.
  if (box.bottom <= 0 || box.right <= 0) continue;
  if (Math.round(box.width) < LEAST || Math.round(box.height) < LEAST) {
    flaws.push(`too small for a finger: ${named(control)}, ${Math.round(box.width)} × ${Math.round(box.height)} px`);
  }
}
return flaws;
